// Residuals of a regression: truth against prediction, residuals against prediction or any field, and their histogram.

import { drawRows, fieldAxis, markMissing, rowsTable, rowTip } from "../charts/scatter.js";
import { fieldOptions, fieldsOf } from "../data/fields.js";
import { numberText } from "../data/format.js";
import { extentOf } from "../data/stats.js";
import { selectControl, viewSettings } from "../elements/controls.js";
import { element } from "../elements/dom.js";

export function drawResiduals(container, context, series) {
  const fields = fieldsOf(context);
  const find = (id) => fields.find((field) => field.id === id);
  const [prediction, truth, residual] = [find("output"), find("truth"), find("residual")];
  if (truth && prediction) {
    const pair = element("div", { class: "axd-pair" });
    const second = element("div");
    const { settings, set } = viewSettings(context, { against: "output" }, () =>
      fillResiduals(second, context, find(settings.against) ?? prediction, residual),
    );
    container.append(
      element(
        "div",
        { class: "axd-controls" },
        selectControl("Residuals against", fieldOptions(fields), settings.against, set("against")),
      ),
      pair,
    );
    drawTruth(pair, context, prediction, truth);
    pair.append(second);
    fillResiduals(second, context, find(settings.against) ?? prediction, residual);
  }
  drawHistogramOfResiduals(container, context, series);
}

function scatterOf(area, context, { x, y, heading, line }) {
  const { charts, data, mask } = context;
  const xAxis = fieldAxis(x, { jitter: x.kind === "category", width: 14 });
  const chart = charts.chart(area, {
    title: `Scatter plot: ${x.label} and ${y.label}.`,
    heading,
    height: 360,
    x: xAxis.spec,
    y: { label: y.label, kind: "linear" },
    table: rowsTable(context, [x, y], `${x.label} and ${y.label}`),
  });
  if (line === "diagonal") {
    const [low, high] = extentOf(y.values);
    chart.segments({ x0: [low], y0: [low], x1: [high], y1: [high], color: chart.palette.rule, dash: [5, 4] });
  } else {
    chart.rule({ on: "y", value: 0 });
  }
  markMissing(chart, xAxis, "x", extentOf(y.values));
  const rows = Array.from({ length: data.n }, (_, row) => row);
  drawRows(chart, { rows, x: xAxis.places, y: y.values, one: chart.palette.bar, mask, tip: rowTip(context, [x, y]) });
  chart.show();
}

function drawTruth(area, context, prediction, truth) {
  scatterOf(area, context, { x: prediction, y: truth, heading: "True value against prediction", line: "diagonal" });
}

function fillResiduals(area, context, against, residual) {
  context.charts.clear(area);
  area.replaceChildren();
  scatterOf(area, context, { x: against, y: residual, heading: "Residuals", line: "zero" });
}

function drawHistogramOfResiduals(container, { charts }, series) {
  const [{ metrics }] = series;
  const { edges, counts } = metrics.residuals;
  const chart = charts.chart(container, {
    title: "Histogram of the residuals of all rows.",
    heading: "Distribution of the residuals, all rows",
    height: 260,
    zoom: false,
    x: { label: "residual (true − predicted)", kind: "linear" },
    y: { label: "rows", kind: "linear", zero: true },
    table: {
      caption: "Residuals of all rows",
      n: counts.length,
      columns: [
        { label: "From", get: (k) => edges[k] },
        { label: "To", get: (k) => edges[k + 1] },
        { label: "Rows", get: (k) => counts[k] },
      ],
    },
  });
  chart.boxes({
    left: edges.slice(0, -1),
    right: edges.slice(1),
    bottom: counts.map(() => 0),
    top: counts,
    color: chart.palette.bar,
    edge: chart.palette.page,
    tip: (k) => [`${numberText(edges[k])} to ${numberText(edges[k + 1])}`, ["rows", counts[k].toLocaleString("en-US")]],
  });
  chart.rule({ on: "x", value: 0, dash: [5, 4] });
  chart.show();
}
