// Colours, as in explainers/formatting/_colors.py, for light and dark pages.

const CLASS_COLORS = ["#2a6fbb", "#e09f1f", "#2f9e77", "#c25a9b", "#6cb4e4", "#d9682b", "#6a5aa8"];
const DARK_CLASS_COLORS = ["#5b9be0", "#e9b24a", "#4fbf97", "#d983b8", "#8fcaf0", "#ec8b56", "#9488d4"];

// plasma from 0.05 to 0.80, low to high.
const SEQUENTIAL = ["#2a0593", "#5302a3", "#7801a8", "#9a169f", "#b7318a", "#cf4c74", "#e3685f", "#f3854b", "#fca636"];
// plasma from 0.28 to 0.95, which is legible on black.
const DARK_SEQUENTIAL = [
  "#8808a6",
  "#a62098",
  "#be3885",
  "#d35171",
  "#e4695e",
  "#f1834c",
  "#fba139",
  "#fec029",
  "#f7e425",
];

const LIGHT = {
  bar: "#2a6fbb",
  lower: "#d9682b",
  neutral: "#8c8c8c",
  ink: "#1f2328",
  soft: "#5b6470",
  rule: "#b8bec6",
  grid: "#e6e9ed",
  page: "#ffffff",
  panel: "#f5f7f9",
  classes: CLASS_COLORS,
  sequential: SEQUENTIAL,
  faded: "#d5d9de",
};
const DARK = {
  bar: "#5b9be0",
  lower: "#ec8b56",
  neutral: "#9aa0a8",
  ink: "#e6e9ee",
  soft: "#a2abb7",
  rule: "#5a626d",
  grid: "#2b313a",
  page: "#14171c",
  panel: "#1d2128",
  classes: DARK_CLASS_COLORS,
  sequential: DARK_SEQUENTIAL,
  faded: "#3a414b",
};

// Whether the page is dark: as chosen, else as the browser prefers.
function isDark(theme) {
  if (theme !== "auto") return theme === "dark";
  return typeof matchMedia === "function" && matchMedia("(prefers-color-scheme: dark)").matches;
}

export function paletteOf(theme) {
  return isDark(theme) ? DARK : LIGHT;
}

// The colour of a class by its place; classes after the seventh share grey.
export function classColor(palette, place) {
  return palette.classes[place] ?? palette.neutral;
}

// A share from 0 to 1 as a colour from low to high, in 64 steps; grey for NaN.
export function rampColors(palette, shares) {
  const steps = rampSteps(palette);
  return Array.from(shares, (share) =>
    Number.isNaN(share) ? palette.neutral : steps[Math.min(63, Math.max(0, Math.floor(share * 64)))],
  );
}

function rampSteps(palette) {
  const stops = palette.sequential.map((color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
  return Array.from({ length: 64 }, (_, step) => {
    const place = (step / 63) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(place));
    const mixed = stops[low].map((channel, k) => Math.round(channel + (place - low) * (stops[low + 1][k] - channel)));
    return `#${mixed.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
  });
}
