// Ranges, axes and grids of a chart. An axis is {label, kind, names?, range?}; kinds are the rows of KINDS.

import { dateText, numberText, shortened } from "../data/format.js";

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
export const CHART_FONT = FONT;

// kind -> names of Bokeh's models for the axis, the scale and the places of ticks.
const KINDS = {
  linear: ["LinearAxis", "LinearScale", "BasicTicker"],
  log: ["LogAxis", "LogScale", "LogTicker"],
  date: ["DatetimeAxis", "LinearScale", "DatetimeTicker"],
  names: ["LinearAxis", "LinearScale", "FixedTicker"],
};

// Tick texts with as many decimals as the distance between ticks asks for.
function tickTexts(ticks) {
  if (ticks.length < 2) return ticks.map((tick) => numberText(tick));
  const step = Math.min(
    ...ticks
      .slice(1)
      .map((tick, k) => Math.abs(tick - ticks[k]))
      .filter((gap) => gap > 0),
  );
  const largest = Math.max(...ticks.map(Math.abs));
  if (largest >= 1e7 || (largest > 0 && largest < 1e-4)) return ticks.map((tick) => numberText(tick));
  const decimals = Math.min(8, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
  return ticks.map((tick) => {
    const text = Math.abs(tick).toLocaleString("en-US", {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    });
    return tick < 0 && Number(text.replaceAll(",", "")) !== 0 ? `−${text}` : text;
  });
}

function dateTicks(ticks) {
  const day = 86400e3;
  const yearly = ticks.length > 1 && ticks[1] - ticks[0] > 300 * day;
  const monthly = ticks.length > 1 && ticks[1] - ticks[0] > 25 * day;
  return ticks.map((tick) => dateText(tick).slice(0, yearly ? 4 : monthly ? 7 : undefined));
}

function textsOf(axis) {
  if (axis.kind === "names") return (ticks) => ticks.map((tick) => shortened(axis.names[tick] ?? "", axis.width ?? 28));
  if (axis.kind === "date") return dateTicks;
  if (axis.kind === "log") return (ticks) => ticks.map((tick) => numberText(tick));
  return tickTexts;
}

// Pixels that the names of an axis take.
export function namesWidth(axis) {
  if (axis.kind !== "names") return 60;
  return 30 + 7 * Math.min(axis.width ?? 28, Math.max(0, ...axis.names.slice(0, 200).map((name) => name.length)));
}

// At most `most` places of names, evenly spread, so that their texts do not overlap.
function namePlaces(count, most) {
  const step = Math.max(1, Math.ceil(count / most));
  return Array.from({ length: Math.ceil(count / step) }, (_, k) => k * step);
}

// The range of an axis around `extent`, which is [lowest, highest] of what is drawn.
export function rangeOf(axis, extent) {
  if (axis.range) return axis.range;
  if (axis.kind === "names") return [-0.5, axis.names.length - 0.5];
  let [low, high] = extent;
  if (!(low <= high)) [low, high] = axis.kind === "log" ? [1, 10] : [0, 1];
  if (axis.kind === "log") return [low / 1.3, high * 1.3];
  const pad = (high - low) * 0.04 || Math.abs(high) * 0.05 || 0.5;
  return [axis.zero && low >= 0 ? 0 : low - pad, axis.zero && high <= 0 ? 0 : high + pad];
}

export function scaleOf(models, axis) {
  return new models[KINDS[axis.kind ?? "linear"][1]]();
}

// The axis model, with its ticks, texts and colours.
export function axisModel(models, axis, palette, { isX, room }) {
  // room: pixels along the axis
  const [axisName, , tickerName] = KINDS[axis.kind ?? "linear"];
  const byName = axis.kind === "names";
  const turned = isX && byName && axis.names.length * 58 > room;
  const most = isX ? Math.max(2, Math.floor(room / (turned ? 22 : 64))) : Math.max(2, Math.floor(room / 13));
  const ticker = byName
    ? new models.FixedTicker({ ticks: axis.ticks ?? namePlaces(axis.names.length, most) })
    : new models[tickerName](
        isX && axis.kind !== "date" ? { desired_num_ticks: Math.max(2, Math.min(8, Math.floor(room / 80))) } : {},
      );
  const formatter = new models.BasicTickFormatter();
  const texts = textsOf(turned ? { ...axis, width: Math.min(axis.width ?? 18, 18) } : axis);
  formatter.doFormat = (ticks) => texts(ticks); // CustomJSTickFormatter would need eval, which the page's policy forbids
  return new models[axisName]({
    ticker,
    formatter,
    axis_label: axis.label ? shortened(axis.label, Math.max(12, Math.floor(room / 7.2))) : null,
    axis_label_text_font: FONT,
    axis_label_text_font_size: "13px",
    axis_label_text_font_style: "normal",
    axis_label_text_color: palette.soft,
    axis_label_standoff: 8,
    major_label_text_font: FONT,
    major_label_text_font_size: "12px",
    major_label_text_color: byName ? palette.ink : palette.soft,
    major_label_standoff: 6,
    major_label_orientation: turned ? 0.7 : "horizontal",
    axis_line_color: byName ? null : palette.rule,
    major_tick_line_color: byName ? null : palette.rule,
    minor_tick_line_color: null,
    major_tick_in: 0,
    major_tick_out: byName ? 0 : 4,
  });
}

export function gridModel(models, axis, axisOf, palette, dimension) {
  return new models.Grid({
    dimension,
    axis: axisOf,
    grid_line_color: axis.kind === "names" || axis.grid === false ? null : palette.grid,
  });
}
