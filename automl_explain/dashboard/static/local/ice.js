// ICE: the prediction of rows while one feature takes all its values: a line for each selected row, for some other rows, and their
// mean. Source: Goldstein et al., "Peeking inside the black box", 2015, doi:10.1080/10618600.2014.907095.

import { classColor } from "../charts/palette.js";
import { cellText, counted, numberText, shortened } from "../data/format.js";
import { rankedFeatures, withoutCells } from "../data/page_data.js";
import { selectControl, sliderControl, viewSettings } from "../elements/controls.js";
import { debounced, element } from "../elements/dom.js";
import { cellsOfRow, outputName, strongestFeatures, valuesOfRow } from "./values.js";
import { modelContext, modelNote, refusalOf } from "./whatif.js";

const ICE_DELAY_MS = 150;
const ICE_LEVELS = 60;
const ICE_OTHERS = [[0, "Selected rows only"], [30, "30 other rows"], [100, "100 other rows"]];
const ICE_BATCH = 2000;

export const ICE_VIEW = {
  id: "ice", title: "ICE", group: "local",
  absent: withoutCells,
  needs: (data) => (data.hasCells ? null : "The cells of the rows are not known. Pass the explained table to see predictions over a feature's values."),
  draw: drawIce,
};

async function drawIce(container, chosen) {
  const context = modelContext(chosen);
  const { data, explanation, output, state, transport } = context;
  const root = element("div");
  container.append(root);
  const reason = await refusalOf(transport);
  if (!root.isConnected) return;
  if (reason) {
    root.append(element("p", { class: "axd-empty", text: reason }));
    return;
  }
  const area = element("div");
  const status = element("p", { class: "axd-soft", role: "status" });
  const controls = element("div", { class: "axd-controls" });
  const ranked = explanation.values
    ? strongestFeatures(state.current.selected.map((row) => valuesOfRow(explanation, output, row).values))
    : rankedFeatures(explanation, output);
  const later = debounced(() => askIce(context, { area, status, root }), ICE_DELAY_MS);
  const spaces = spacesOf(context);
  const draw = () => {
    fillIceControls(controls, context, ranked, spaces, set);
    later();
  };
  const { set } = viewSettings(context, { feature: ranked[0], steps: 30, others: 30, space: spaces[0][0] }, draw);
  root.append(...[modelNote(context), controls, status, area].filter(Boolean));
  fillIceControls(controls, context, ranked, spaces, set);
  askIce(context, { area, status, root });
}

// What can be drawn on the y axis: the output of the explanation, and the probability if it is another.
function spacesOf(context) {
  const { data } = context;
  const own = ["output", outputName(context)];
  if (!data.predictions.probability || data.output.space === "probability") return [own];
  return [["probability", `probability of ${shortened(data.classes[context.classIndex], 40)}`], own];
}

function fillIceControls(controls, { data, memory }, ranked, spaces, set) {
  const held = [...controls.querySelectorAll("select, input")].indexOf(controls.getRootNode().activeElement);
  const feature = data.features[memory.feature];
  controls.replaceChildren(...[
    selectControl("Feature, most important first", ranked.map((j) => [j, data.features[j].name]), memory.feature, set("feature")),
    selectControl("Rows", ICE_OTHERS, memory.others, set("others")),
    spaces.length > 1 ? selectControl("Prediction", spaces, memory.space, set("space")) : null,
    isStepped(feature) ? sliderControl("Steps", { min: 5, max: 100, value: memory.steps }, set("steps")) : null,
  ].filter(Boolean));
  if (held >= 0) [...controls.querySelectorAll("select, input")][held]?.focus();
}

function isStepped(feature) {
  return !feature.levels && feature.kind !== "boolean";
}

// The values that a feature takes: all levels, or steps from its smallest to its largest value in all rows.
function iceValues(feature, steps) {
  if (feature.levels) return Array.from({ length: Math.min(feature.levels.length, ICE_LEVELS) }, (_, code) => code);
  if (feature.kind === "boolean") return [0, 1];
  const { min, max } = feature;
  if (min === null || min === max) return min === null ? [] : [min];
  const values = Array.from({ length: steps }, (_, k) => min + ((max - min) * k) / (steps - 1));
  values[steps - 1] = max;
  return feature.kind === "integer" ? [...new Set(values.map(Math.round))] : values;
}

// Other rows, evenly spread over the shown ones.
function otherRows(data, selected, count) {
  const some = Math.min(count, data.n);
  const rows = Array.from({ length: some }, (_, k) => Math.floor((k * data.n) / some));
  return rows.filter((row) => !selected.includes(row));
}

async function askIce(context, { area, status, root }) {
  const { data, memory, state, transport, charts } = context;
  const feature = data.features[memory.feature];
  const values = iceValues(feature, memory.steps);
  const { selected } = state.current;
  const rows = [...selected, ...otherRows(data, selected, memory.others)];
  const asked = rows.flatMap((row) => {
    const cells = cellsOfRow(data, row);
    return values.map((value) => cells.with(feature.index, value));
  });
  status.textContent = "The model is asked …";
  try {
    const answers = await askInBatches(transport, asked, memory.space);
    if (answers === null || !root.isConnected) return; // a later choice has been asked for
    const { outputs, space } = answers;
    const place = space === "probability" ? context.classIndex : context.output;
    const lines = rows.map((_, r) => values.map((__, k) => outputs[r * values.length + k][place]));
    charts.clear(area);
    area.replaceChildren();
    status.textContent = feature.levels?.length > ICE_LEVELS ? `The first ${ICE_LEVELS} of ${feature.levels.length} values are shown.` : "";
    drawLines(area, context, { feature, values, rows, lines, own: selected.length, space });
  } catch (error) {
    if (!root.isConnected) return;
    charts.clear(area);
    area.replaceChildren();
    status.replaceChildren(element("span", { class: "axd-error", text: `The model cannot answer. ${error.message}` }));
  }
}

// {outputs, space} of rows, asked for in batches that no transport refuses; null if a later question has been asked. `space` is
// "output" if there are no probabilities.
async function askInBatches(transport, rows, wanted) {
  const outputs = [];
  let space = wanted;
  for (let from = 0; from < rows.length; from += ICE_BATCH) {
    const answer = await transport.predict(rows.slice(from, from + ICE_BATCH), "ice");
    if (answer === null) return null;
    if (!answer[space]) space = "output";
    outputs.push(...answer[space]);
  }
  return { outputs, space };
}

function drawLines(area, context, { feature, values, rows, lines, own, space }) {
  const { charts, data } = context;
  const palette = charts.palette();
  const named = isStepped(feature) ? null : values.map((value) => cellText(feature, value, 30));
  const at = named ? values.map((_, k) => k) : values;
  const mean = values.map((_, k) => lines.reduce((sum, line) => sum + line[k], 0) / lines.length);
  const colors = rows.slice(0, own).map((_, r) => classColor(palette, r));
  const spaces = spacesOf(context);
  const label = spaces.find(([id]) => id === space)[1];
  const others = lines.length - own;
  const names = rows.slice(0, own).map((row) => `row ${shortened(data.rowName(row), 20)}`);
  const chart = charts.chart(area, {
    title: `Line chart: predictions of ${counted(lines.length, "row")} over the values of ${feature.name}.`, height: area.clientWidth < 480 ? 320 : 400,
    x: { label: feature.name, kind: named ? "names" : feature.kind === "date" ? "date" : "linear", names: named, width: 18 },
    y: { label, kind: "linear" },
    legend: [
      ...names.map((name, r) => ({ label: name, color: colors[r] })),
      lines.length > 1 ? { label: `mean of ${counted(lines.length, "row")}`, color: palette.ink } : null,
      others > 0 ? { label: "other rows", color: palette.faded } : null,
    ],
    table: iceTable(feature, values, { lines: lines.slice(0, own), names, mean: lines.length > 1 ? mean : null }),
  });
  const valueText = (k) => cellText(feature, values[k], 30);
  if (others > 0) {
    chart.lines({
      xs: lines.slice(own).map(() => at), ys: lines.slice(own), color: palette.faded, width: 1, alpha: 0.9,
      tip: (r, k) => [`row ${data.rowName(rows[own + r])}`, [feature.name, valueText(k)], [label, numberText(lines[own + r][k])]],
    });
  }
  chart.lines({
    xs: names.map(() => at), ys: lines.slice(0, own), color: colors, width: 2.5,
    tip: (r, k) => [names[r], [feature.name, valueText(k)], [label, numberText(lines[r][k])]],
  });
  if (lines.length > 1) {
    chart.lines({
      xs: [at], ys: [mean], color: palette.ink, width: 3, dash: [7, 4],
      tip: (_, k) => [`mean of ${counted(lines.length, "row")}`, [feature.name, valueText(k)], [label, numberText(mean[k])]],
    });
  }
  drawOwnValues(chart, context, { feature, rows: rows.slice(0, own), lines, at, values, colors });
  chart.show();
}

// A point on each selected row's line at the value that the row has.
function drawOwnValues(chart, { data }, { feature, rows, lines, at, values, colors }) {
  const points = rows.map((row, r) => ({ value: feature.values[row], line: lines[r], color: colors[r] }))
    .filter(({ value }) => !Number.isNaN(value))
    .map(({ value, line, color }) => ({ x: isStepped(feature) ? value : at[values.indexOf(value)], y: heightAt(values, line, value), color }))
    .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  if (!points.length) return;
  chart.points({
    x: points.map(({ x }) => x), y: points.map(({ y }) => y), color: points.map(({ color }) => color), size: 11, alpha: 1, edge: chart.palette.page, edgeWidth: 2,
    tip: (k) => [`${data.features[feature.index].name} of the row: ${cellText(feature, points[k].x)}`],
  });
}

function heightAt(values, line, value) {
  const k = values.findIndex((one) => one >= value);
  if (k < 0) return line.at(-1);
  if (k === 0 || values[k] === value) return line[k];
  const share = (value - values[k - 1]) / (values[k] - values[k - 1]);
  return line[k - 1] + share * (line[k] - line[k - 1]);
}

function iceTable(feature, values, { lines, names, mean }) {
  const columns = [
    { label: feature.name, get: (k) => (isStepped(feature) && feature.kind !== "date" ? values[k] : cellText(feature, values[k], 60)) },
    ...names.map((name, r) => ({ label: name, get: (k) => lines[r][k] })),
  ];
  if (mean) columns.push({ label: "mean", get: (k) => mean[k] });
  return { caption: `Predictions over the values of ${feature.name}`, n: values.length, columns };
}
