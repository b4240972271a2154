// Data exploration: any field of the rows against any other, as points, as boxes of bins, or as a histogram.

import { binGroups, boxesTable, drawBoxes, levelGroups, MOST_LEVELS } from "../charts/boxes.js";
import { drawEditedRow } from "../charts/edited_point.js";
import { drawRows, fieldAxis, fieldColors, markMissing, rowsTable, rowTip } from "../charts/scatter.js";
import { fieldOptions, fieldsOf } from "../data/fields.js";
import { cellText } from "../data/format.js";
import { byUse, onlyExamples, rankedFeatures } from "../data/page_data.js";
import { extentOf } from "../data/stats.js";
import { segmentedControl, selectControl, sliderControl, toggleControl, viewSettings } from "../elements/controls.js";
import { element } from "../elements/dom.js";

export const DATA_VIEW = {
  id: "data",
  title: "Data exploration",
  group: "global",
  about: "Each point is a row. Any feature, prediction, true value or importance can lie on an axis or be the colour.",
  absent: onlyExamples,
  needs: (data) => (data.n ? null : "The rows are not known. Pass the explained table to explore the data."),
  draw: drawData,
};

function defaults(context, fields) {
  const { data, explanation, output, classIndex } = context;
  const has = (id) => (fields.some((field) => field.id === id) ? id : null);
  const [top] = byUse(
    data,
    rankedFeatures(explanation, output).filter((j) => data.features[j].values),
  );
  const feature = has(`feature:${top}`);
  return {
    kind: "points",
    x: feature ?? "index",
    y: has(`probability:${classIndex}`) ?? has("output") ?? has(`importance:${top}`) ?? "index",
    color: has("truth") && data.classes ? "truth" : (has("predicted") ?? has("output") ?? "none"),
    bins: 20,
    jitter: false,
    logX: false,
    logY: false,
  };
}

function drawData(container, context) {
  const area = element("div");
  const controls = element("div", { class: "axd-controls" });
  const fields = fieldsOf(context);
  const draw = () => {
    fillDataControls(controls, fields, context.memory, set);
    fillData(area, context, fields);
  };
  const { set } = viewSettings(context, defaults(context, fields), draw);
  container.append(controls, area);
  draw();
}

function fillDataControls(controls, fields, settings, set) {
  const focused = [...controls.querySelectorAll("select, input")].indexOf(controls.getRootNode().activeElement);
  const options = fieldOptions(fields);
  const colors = fieldOptions(
    settings.kind === "histogram" ? fields.filter((field) => field.kind === "category") : fields,
  );
  const kindOf = (id) => fields.find((field) => field.id === id)?.kind;
  const { kind } = settings;
  controls.replaceChildren(
    ...[
      segmentedControl(
        "Drawn as",
        [
          ["points", "Points"],
          ["boxes", "Boxes"],
          ["histogram", "Histogram"],
        ],
        kind,
        set("kind"),
      ),
      selectControl("Horizontal axis", options, settings.x, set("x")),
      kind !== "histogram" ? selectControl("Vertical axis", options, settings.y, set("y")) : null,
      kind !== "boxes"
        ? selectControl("Colour", [["none", "One colour"], ...colors], settings.color, set("color"))
        : null,
      kind !== "points" && kindOf(settings.x) !== "category"
        ? sliderControl("Bins", { min: 2, max: 60, value: settings.bins }, set("bins"))
        : null,
      kind === "points" ? toggleControl("Jitter", settings.jitter, set("jitter")) : null,
      kind === "points" && kindOf(settings.x) === "number" ? toggleControl("Log x", settings.logX, set("logX")) : null,
      kind === "points" && kindOf(settings.y) === "number" ? toggleControl("Log y", settings.logY, set("logY")) : null,
    ].filter(Boolean),
  );
  if (focused >= 0) [...controls.querySelectorAll("select, input")][focused]?.focus();
}

function fillData(area, context, fields) {
  const { charts, memory: settings } = context;
  charts.clear(area);
  area.replaceChildren();
  const find = (id) => fields.find((field) => field.id === id) ?? null;
  const [x, y, color] = [find(settings.x) ?? fields[0], find(settings.y) ?? fields[0], find(settings.color)];
  const draws = { points: drawDataPoints, boxes: drawDataBoxes, histogram: drawHistogram };
  draws[settings.kind](area, context, { x, y, color });
}

function drawDataPoints(area, context, { x, y, color }) {
  const { charts, data, mask, memory: settings } = context;
  const narrow = area.clientWidth < 560;
  const axisOf = (field, isLog, seed) =>
    fieldAxis(field, { isLog, jitter: settings.jitter || field.kind === "category", width: narrow ? 12 : 22, seed });
  const [xAxis, yAxis] = [axisOf(x, settings.logX, 0), axisOf(y, settings.logY, 1)];
  const looks = fieldColors(color, charts.palette());
  const chart = charts.chart(area, {
    title: `Scatter plot: ${x.label} and ${y.label}${color ? `, coloured by ${color.label}` : ""}.`,
    height: narrow ? 340 : 440,
    x: xAxis.spec,
    y: yAxis.spec,
    legend: looks.legend,
    table: rowsTable(context, [x, y, color], `${x.label} and ${y.label}`),
  });
  markMissing(chart, xAxis, "x", extentOf(yAxis.places));
  markMissing(chart, yAxis, "y", extentOf(xAxis.places));
  const rows = Array.from({ length: data.n }, (_, row) => row);
  const drawn = drawRows(chart, {
    rows,
    x: xAxis.places,
    y: yAxis.places,
    ...looks,
    mask,
    tip: rowTip(context, [x, y, color]),
  });
  drawEditedRow(chart, context, { x, y, xAxis, yAxis });
  chart.show();
  if (drawn < data.n)
    area.append(
      element("p", {
        class: "axd-soft",
        text: `${data.n - drawn} rows cannot be drawn on a log scale, or have no value.`,
      }),
    );
}

function groupsOf(context, field, bins, equalCounts) {
  const { data, mask } = context;
  const rows = Array.from({ length: data.n }, (_, row) => row).filter((row) => !mask || mask[row]);
  return field.kind === "category" ? levelGroups(field, rows) : binGroups(field, rows, bins, { equalCounts });
}

function drawDataBoxes(area, context, { x, y }) {
  const { charts, memory: settings } = context;
  if (y.kind === "category") {
    area.append(
      element("p", { class: "axd-empty", text: `Boxes need numbers on the vertical axis; ${y.label} has categories.` }),
    );
    return;
  }
  const { groups, left } = groupsOf(context, x, settings.bins, true);
  const filled = groups.map((group) => ({
    ...group,
    color: charts.palette().bar,
    values: Float64Array.from(group.rows, (row) => y.values[row]),
  }));
  const chart = charts.chart(area, {
    title: `Box plot: ${y.label} by ${x.label}.`,
    height: 440,
    x: { label: x.label, kind: "names", names: groups.map(({ name }) => name), width: 20 },
    y: { label: y.label, kind: y.kind === "date" ? "date" : "linear" },
    table: boxesTable(filled, `${y.label} by ${x.label}`, x.label),
  });
  drawBoxes(chart, filled);
  chart.show();
  sayWhichRows(area, context, left);
}

function sayWhichRows(area, { mask, cohort, data }, left) {
  const sentences = [
    left,
    mask ? `Only the rows of ${cohort.name}.` : "",
    data.rows.shown < data.rows.total ? "Counted over the rows shown." : "",
  ];
  const text = sentences.filter(Boolean).join(" ");
  if (text) area.append(element("p", { class: "axd-soft", text }));
}

// Counts of the rows shown, stacked by a category. Without a colour, a feature's counts are those of all rows.
function drawHistogram(area, context, { x, color }) {
  const { charts, data, mask, memory: settings } = context;
  const palette = charts.palette();
  const ofAll = !color && !mask && x.feature ? allRowsHistogram(data, x.feature) : null;
  const split = color?.kind === "category" ? color : null;
  const { groups, left } = ofAll ?? groupsOf(context, x, settings.bins, false);
  const looks = split ? fieldColors(split, palette) : null;
  const levels = split
    ? [...new Set(groups.flatMap(({ rows }) => rows.map((row) => looks.colors[row])))]
    : [palette.bar];
  const counts = levels.map((level) =>
    groups.map((group) =>
      split ? group.rows.filter((row) => looks.colors[row] === level).length : (group.count ?? group.rows.length),
    ),
  );
  const names = looks?.legend.map(({ label }) => label) ?? ["rows"];
  const colors = looks?.legend.map((item) => item.color) ?? [palette.bar];
  const chart = charts.chart(area, {
    title: `Histogram of ${x.label}.`,
    height: 400,
    x: { label: x.label, kind: "names", names: groups.map(({ name }) => name), width: 20 },
    y: { label: "rows", kind: "linear", zero: true },
    legend: looks?.legend,
    table: {
      caption: `Rows by ${x.label}`,
      n: groups.length,
      columns: [
        { label: x.label, get: (k) => groups[k].name },
        ...levels.map((level, s) => ({ label: names[colors.indexOf(level)] ?? "rows", get: (k) => counts[s][k] })),
      ],
    },
  });
  let bottom = groups.map(() => 0);
  levels.forEach((level, s) => {
    const top = bottom.map((value, k) => value + counts[s][k]);
    chart.boxes({
      left: groups.map(({ at }) => at - 0.46),
      right: groups.map(({ at }) => at + 0.46),
      bottom,
      top,
      color: level,
      tip: (k) => [groups[k].name, [names[colors.indexOf(level)] ?? "rows", counts[s][k].toLocaleString("en-US")]],
    });
    bottom = top;
  });
  chart.show();
  if (ofAll) area.append(element("p", { class: "axd-soft", text: "Counts of all rows." }));
  else sayWhichRows(area, context, left);
}

function allRowsHistogram(data, feature) {
  const found = data.statistics[feature.index];
  if (!found) return null;
  const { counts, edges } = found;
  if (feature.levels && counts.length > MOST_LEVELS) return null;
  const name = (k) =>
    feature.levels ? feature.levels[k] : `${cellText(feature, edges[k])} to ${cellText(feature, edges[k + 1])}`;
  const groups = Array.from(counts, (count, k) => ({ at: k, name: name(k), count, rows: [] }));
  if (feature.missing) groups.push({ at: groups.length, name: "missing", count: feature.missing, rows: [] });
  return { groups, left: "" };
}
