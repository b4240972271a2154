// Charts: a thin wrapper over BokehJS with the page's colours, tooltips, clicks that select rows, and a table of the
// same numbers. Used as
//
//   const chart = charts.chart(container, { title, height, x: { label, kind }, y: { label, kind }, legend, table });
//   chart.points({ x, y, color, rows, tip: (i) => ["text", ["name", "value"]] });
//   await chart.show();
//
// Marks: points, boxes, segments, lines, patches, texts (marks.js) and rule (a line through the whole chart).
// `rows` holds the position of the shown row behind each point: a click selects it, and selected rows are marked.
// A mark returns {update(changes)}. `chart.remove()` ends the chart.

/* global Bokeh */

import { toggleRow } from "../data/state.js";
import { element } from "../elements/dom.js";
import { numbersTable } from "../elements/tables.js";
import { axisModel, CHART_FONT, gridModel, namesWidth, rangeOf, scaleOf } from "./axes.js";
import { growExtents, MARK_NAMES, markRenderer } from "./marks.js";
import { paletteOf } from "./palette.js";
import { followPointer } from "./pointer.js";
import { addDragTools, toolButtons } from "./tools.js";

// The charts of one page.
export function createCharts(state) {
  const open = new Set();
  Bokeh.logger.set_level("warn");
  return {
    palette: () => paletteOf(state.current.theme),
    chart(container, spec) {
      const made = makeChart(container, spec, state, paletteOf(state.current.theme));
      open.add(made);
      const end = made.remove;
      made.remove = () => {
        open.delete(made);
        end();
      };
      return made;
    },
    // Ends the charts whose element is in `container`.
    clear(container) {
      for (const chart of [...open]) if (container.contains(chart.figure)) chart.remove();
    },
  };
}

function makeChart(container, spec, state, palette) {
  const host = element("div", { class: "axd-plot", role: "img", "aria-label": spec.title });
  const head = element(
    "div",
    { class: "axd-chart-head" },
    spec.legend ? legendOf(spec.legend, palette) : element("span"),
  );
  const figure = element(
    "figure",
    { class: "axd-chart" },
    spec.heading ? element("figcaption", { class: "axd-chart-title", text: spec.heading }) : null,
    head,
    host,
  );
  if (spec.table) figure.append(numbersTable(spec.table, state));
  container.append(figure);
  const room = Math.max(200, host.clientWidth || container.clientWidth || 640);
  const chart = { figure, head, host, palette, room, marks: [], rules: [], spec, state, ended: false, frees: [] };
  const api = { figure, room, palette };
  for (const kind of MARK_NAMES) {
    api[kind] = (mark) => addMark(chart, kind, { font: CHART_FONT, ...mark });
  }
  api.rule = (rule) => chart.rules.push(rule);
  api.show = () => showChart(chart);
  api.remove = () => {
    chart.ended = true;
    chart.frees.forEach((free) => free());
    figure.remove();
  };
  return api;
}

function addMark(chart, kind, spec) {
  const made = markRenderer(Bokeh.Models, kind, spec, spec.level);
  const mark = { kind, spec, ...made };
  chart.marks.push(mark);
  return {
    update(changes) {
      Object.assign(spec, changes);
      made.replace(spec);
      mark.moved?.();
    },
  };
}

// The plot's model. Ranges cover what is drawn unless the axis has a range of its own.
function plotModel(chart) {
  const { Models } = Bokeh;
  const { spec, palette, room } = chart;
  const extents = { x: [Infinity, -Infinity], y: [Infinity, -Infinity] };
  for (const { kind, spec: mark } of chart.marks) if (mark.measured !== false) growExtents(kind, mark, extents);
  const range = (axis, extent) => {
    const [start, end] = rangeOf(axis, extent);
    return new Models.Range1d(axis.flip ? { start: end, end: start } : { start, end });
  };
  const plot = new Models.Plot({
    x_range: range(spec.x, extents.x),
    y_range: range(spec.y, extents.y),
    x_scale: scaleOf(Models, spec.x),
    y_scale: scaleOf(Models, spec.y),
    height: spec.height ?? 360,
    sizing_mode: "stretch_width",
    min_border_right: 12,
    min_border_top: 6,
    toolbar_location: null,
    background_fill_color: null,
    border_fill_color: palette.page,
    outline_line_color: null,
    output_backend: "canvas",
  });
  const xAxis = axisModel(Models, spec.x, palette, { isX: true, room: room - namesWidth(spec.y) });
  const yAxis = axisModel(Models, spec.y, palette, { isX: false, room: (spec.height ?? 360) - 60 });
  plot.add_layout(xAxis, "below");
  plot.add_layout(yAxis, "left");
  plot.add_layout(gridModel(Models, spec.x, xAxis, palette, 0), "center");
  plot.add_layout(gridModel(Models, spec.y, yAxis, palette, 1), "center");
  for (const { value, on, color, dash } of chart.rules) {
    plot.add_layout(
      new Models.Span({
        location: value,
        dimension: on === "x" ? "height" : "width",
        line_color: color ?? palette.rule,
        line_width: 1.2,
        line_dash: dash ?? [],
        level: "underlay",
      }),
      "center",
    );
  }
  return plot;
}

async function showChart(chart) {
  if (chart.ended) return;
  const plot = plotModel(chart);
  const tools = chart.spec.zoom === false ? [] : addDragTools(Bokeh.Models, plot);
  for (const { renderer } of chart.marks) plot.add_renderers(renderer);
  const { Document, documents } = Bokeh.require("document");
  const made = new Document();
  const highlights = chart.marks.filter(({ spec }) => spec.rows).map((mark) => highlightOf(chart, mark));
  for (const { renderer } of highlights) plot.add_renderers(renderer);
  made.add_root(plot);
  const views = await Bokeh.embed.add_document_standalone(made, chart.host);
  const forget = () => {
    views.clear();
    documents.splice(documents.indexOf(made), 1); // Bokeh keeps every document otherwise
  };
  if (chart.ended) {
    forget();
    return;
  }
  chart.frees.push(forget);
  chart.head.append(toolButtons(views.get(plot), tools, chart.spec.title));
  followPointer({
    host: chart.host,
    view: views.get(plot),
    marks: chart.marks,
    onPick: ({ spec, index }) => (spec.onPick ? spec.onPick(index) : toggleRow(chart.state, spec.rows[index])),
  });
  chart.frees.push(
    chart.state.subscribe((_, changed) => {
      if (changed.has("selected")) highlights.forEach(({ refresh }) => refresh());
    }),
  );
}

// Rings around the points of selected rows, on the overlay, so that a click redraws the rings alone.
function highlightOf(chart, mark) {
  const { palette, state } = chart;
  const ringed = () => {
    const wanted = new Set(state.current.selected);
    const rings = { x: [], y: [] };
    if (!wanted.size) return rings;
    mark.spec.rows.forEach((row, i) => {
      if (wanted.has(row)) {
        rings.x.push(mark.spec.x[i]);
        rings.y.push(mark.spec.y[i]);
      }
    });
    return rings;
  };
  const looks = {
    color: null,
    alpha: 0,
    edge: palette.ink,
    edgeWidth: 2.5,
    size: (typeof mark.spec.size === "number" ? mark.spec.size : 6) + 8,
  };
  const made = markRenderer(Bokeh.Models, "points", { ...ringed(), ...looks }, "overlay");
  const refresh = () => made.replace({ ...ringed(), ...looks });
  mark.moved = refresh;
  return { renderer: made.renderer, refresh };
}

// A legend is a list of {label, color, marker?} or {low, high, label} for a ramp of colours.
function legendOf(items, palette) {
  return element(
    "ul",
    { class: "axd-legend" },
    items.filter(Boolean).map((item) => {
      if (item.low === undefined) {
        const swatch = element("span", { class: `axd-swatch${item.marker ? ` axd-${item.marker}` : ""}` });
        swatch.style.background = item.color;
        return element("li", {}, swatch, item.label);
      }
      const ramp = element("span", { class: "axd-ramp" });
      ramp.style.background = `linear-gradient(to right, ${palette.sequential.join(", ")})`;
      return element("li", {}, item.label ? `${item.label}: ` : null, item.low, ramp, item.high);
    }),
  );
}
