// Numbers, names and cells as text, as in explainers/formatting/_numbers.py and _names.py.

export const NONE = "–";

function grouped(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

function exponential(size) {
  const [digits, exponent] = size.toExponential(1).split("e");
  const power = Math.abs(Number(exponent));
  return `${digits}e${exponent[0]}${power < 10 ? "0" : ""}${power}`;
}

// A number with about three significant digits and a typographic minus sign; a dash for null and NaN.
export function numberText(value, { signed = false } = {}) {
  if (value == null || Number.isNaN(value)) return NONE;
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : signed && size > 0 ? "+" : "";
  if (!Number.isFinite(value)) return `${sign}∞`;
  if (size === 0) return "0";
  if (size < 0.001 || size >= 1e7) return sign + exponential(size);
  if (size >= 999.5) return sign + grouped(size);
  return sign + size.toPrecision(3);
}

export function shareText(share) {
  return share == null || Number.isNaN(share) ? NONE : `${(share * 100).toFixed(1)}%`;
}

export function lossText(loss) {
  return loss == null || Number.isNaN(loss) ? NONE : String(Number(loss.toPrecision(5))).replace(/^-/, "−");
}

export function capitalized(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

export function counted(number, noun) {
  return `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;
}

// Text on one line, of at most `width` characters; an ellipsis replaces the middle, the last third shows the end.
export function shortened(text, width) {
  const line = [...(String(text).trim().split(/\s+/).join(" ") || "(empty)")];
  if (line.length <= width) return line.join("");
  const tail = Math.floor((width - 1) / 3);
  return `${line
    .slice(0, width - 1 - tail)
    .join("")
    .trimEnd()}…${line
    .slice(line.length - tail)
    .join("")
    .trimStart()}`;
}

export function dateText(milliseconds) {
  if (milliseconds == null || Number.isNaN(milliseconds)) return "missing";
  const text = new Date(milliseconds).toISOString();
  return text.slice(11, 19) === "00:00:00" ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
}

function plainNumber(value) {
  const whole = Math.abs(value) < 1e7 && (Number.isInteger(value) || Math.abs(value) >= 9999.5);
  const text = whole ? value.toFixed(0) : String(Number(value.toPrecision(4)));
  return text.replace(/^-/, "−");
}

// A cell of a column as people read it. `value` is what the column holds: a number, a position in its levels,
// milliseconds or seconds.
export function cellText(feature, value, width = 40) {
  if (value == null || Number.isNaN(value)) return "missing";
  if (feature.levels) return shortened(feature.levels[value], width);
  if (feature.kind === "date") return dateText(value);
  if (feature.kind === "boolean") return value ? "True" : "False";
  return feature.kind === "duration" ? `${plainNumber(value)} s` : plainNumber(value);
}

// The word for an output space on axes.
export function unitText(space) {
  return { probability: "probability", log_odds: "log-odds", response: "response" }[space] ?? space ?? "output";
}

// A cell of a CSV file. A leading =, +, - or @ of text gets an apostrophe, so that spreadsheets do not run it.
function csvCell(value) {
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
  const text = value == null ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csvText(labels, rows) {
  return [labels, ...rows].map((row) => row.map(csvCell).join(",")).join("\r\n");
}
