// Explanation exploration: a feature's values and what they contribute; categories and bins as boxes or violins.

import { binGroups, boxesTable, drawBoxes, drawViolins, levelGroups } from "../charts/boxes.js";
import { drawEditedRow } from "../charts/edited_point.js";
import { drawRows, fieldAxis, fieldColors, markMissing, rowsTable, rowTip } from "../charts/scatter.js";
import { fieldsOf } from "../data/fields.js";
import { byUse, rankedFeatures, withoutCells } from "../data/page_data.js";
import { extentOf } from "../data/stats.js";
import { segmentedControl, selectControl, sliderControl, toggleControl, viewSettings } from "../elements/controls.js";
import { element } from "../elements/dom.js";

export const DEPENDENCE_VIEW = {
  id: "dependence",
  title: "Explanation exploration",
  group: "global",
  about: "How the values of one feature move the output: above zero they raise it, below they lower it.",
  absent: withoutCells,
  needs: (data) =>
    data.hasCells
      ? null
      : "The cells of the rows are not known. Pass the explained table to see how importance depends on values.",
  draw: drawDependence,
};

function drawDependence(container, context) {
  const { data, explanation, output } = context;
  if (!explanation.values) {
    container.append(
      element("p", {
        class: "axd-empty",
        text: `${explanation.name} has no values of single rows. Choose another explanation.`,
      }),
    );
    return;
  }
  const area = element("div");
  const controls = element("div", { class: "axd-controls" });
  const ranked = rankedFeatures(explanation, output).filter((j) => data.features[j].values);
  const settings = context.memory;
  const draw = () => {
    fillControls(controls, context, ranked, set);
    fillDependence(area, context, settings);
  };
  const [first, second] = byUse(data, ranked);
  const { set } = viewSettings(
    context,
    { feature: first, color: second ?? "none", kind: "points", bins: 10, log: false },
    draw,
  );
  container.append(controls, area);
  draw();
}

function fillControls(controls, { data, memory: settings }, ranked, set) {
  const focused = [...controls.querySelectorAll("select, input")].indexOf(controls.getRootNode().activeElement);
  const feature = data.features[settings.feature];
  const options = ranked.map((j) => [j, data.features[j].name]);
  const byPoints = settings.kind === "points";
  controls.replaceChildren(
    ...[
      selectControl("Feature, most important first", options, settings.feature, set("feature")),
      segmentedControl(
        "Drawn as",
        [
          ["points", "Points"],
          ["boxes", "Boxes"],
          ["violins", "Violins"],
        ],
        settings.kind,
        set("kind"),
      ),
      byPoints ? selectControl("Colour", [["none", "One colour"], ...options], settings.color, set("color")) : null,
      !byPoints && !feature.levels
        ? sliderControl("Bins", { min: 2, max: 30, value: settings.bins }, set("bins"))
        : null,
      byPoints && !feature.levels && feature.min > 0 && feature.kind !== "date"
        ? toggleControl("Log scale", settings.log, set("log"))
        : null,
    ].filter(Boolean),
  );
  if (focused >= 0) [...controls.querySelectorAll("select, input")][focused]?.focus();
}

function fillDependence(area, context, settings) {
  const { charts } = context;
  charts.clear(area);
  area.replaceChildren();
  const fields = fieldsOf(context);
  const find = (id) => fields.find((field) => field.id === id) ?? null;
  const x = find(`feature:${settings.feature}`);
  const y = find(`importance:${settings.feature}`);
  if (settings.kind === "points")
    drawPoints(area, context, {
      x,
      y,
      color: find(`feature:${settings.color}`),
      isLog: settings.log && x.kind === "number",
    });
  else drawGroups(area, context, { x, y, kind: settings.kind, bins: settings.bins });
}

function valueLabel({ data, explanation, classIndex }) {
  const of = data.classes && explanation.values.length > 1 ? ` for ${data.classes[classIndex]}` : "";
  return `importance${of} (${explanation.unit})`;
}

function drawPoints(area, context, { x, y, color, isLog }) {
  const { charts, data, mask } = context;
  const palette = charts.palette();
  const narrow = area.clientWidth < 560;
  const xAxis = fieldAxis(x, { isLog, jitter: x.kind === "category", width: narrow ? 12 : 22 });
  const looks = fieldColors(color, palette);
  const chart = charts.chart(area, {
    title: `Scatter plot: values of ${x.label} and their importance${color ? `, coloured by ${color.label}` : ""}.`,
    height: narrow ? 320 : 420,
    x: xAxis.spec,
    y: { label: valueLabel(context), kind: "linear" },
    legend: looks.legend,
    table: rowsTable(context, [x, y, color], `Values of ${x.label} and their importance`),
  });
  chart.rule({ on: "y", value: 0 });
  markMissing(chart, xAxis, "x", extentOf(y.values));
  const rows = Array.from({ length: data.n }, (_, row) => row);
  drawRows(chart, { rows, x: xAxis.places, y: y.values, ...looks, mask, tip: rowTip(context, [x, y, color]) });
  drawEditedRow(chart, context, { x, y, xAxis, yAxis: { places: y.values, missing: null } });
  chart.show();
}

function drawGroups(area, context, { x, y, kind, bins }) {
  const { charts, data, mask } = context;
  const palette = charts.palette();
  const rows = Array.from({ length: data.n }, (_, row) => row).filter((row) => !mask || mask[row]);
  const { groups, left } =
    x.kind === "category" ? levelGroups(x, rows) : binGroups(x, rows, bins, { equalCounts: true });
  const filled = groups.map((group) => ({
    ...group,
    color: palette.bar,
    values: Float64Array.from(group.rows, (row) => y.values[row]),
  }));
  const chart = charts.chart(area, {
    title: `${kind === "boxes" ? "Box" : "Violin"} plot: importance of ${x.label} by its values.`,
    height: area.clientWidth < 560 ? 340 : 420,
    x: { label: x.label, kind: "names", names: groups.map(({ name }) => name), width: 20 },
    y: { label: valueLabel(context), kind: "linear" },
    table: boxesTable(filled, `Importance of ${x.label} by its values`, x.label),
  });
  chart.rule({ on: "y", value: 0 });
  (kind === "boxes" ? drawBoxes : drawViolins)(chart, filled);
  chart.show();
  const ofCohort = mask ? `Only the rows of ${context.cohort.name}.` : "";
  if (left || ofCohort) area.append(element("p", { class: "axd-soft", text: `${left} ${ofCohort}`.trim() }));
}
