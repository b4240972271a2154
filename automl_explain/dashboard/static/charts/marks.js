// What is drawn in a chart, as layers over Bokeh's glyphs. Every mark takes arrays of one length; `color`, `size` and
// `alpha` are one value or an array.

// mark -> glyph, its coordinates (mark's name: glyph's name), which of them lie on x and on y, and its looks.
const GLYPHS = {
  points: { glyph: "Scatter", data: { x: "x", y: "y" }, onX: ["x"], onY: ["y"], looks: pointLooks },
  boxes: {
    glyph: "Quad",
    data: { left: "left", right: "right", bottom: "bottom", top: "top" },
    onX: ["left", "right"],
    onY: ["bottom", "top"],
    looks: (spec) => ({
      fill_color: spec.color,
      line_color: spec.edge ?? null,
      fill_alpha: spec.alpha ?? 1,
      hatch_pattern: spec.hatch ?? null,
    }),
  },
  segments: {
    glyph: "Segment",
    data: { x0: "x0", y0: "y0", x1: "x1", y1: "y1" },
    onX: ["x0", "x1"],
    onY: ["y0", "y1"],
    looks: (spec) => ({
      line_color: spec.color,
      line_width: spec.width ?? 1.5,
      line_alpha: spec.alpha ?? 1,
      line_dash: spec.dash ?? [],
    }),
  },
  lines: {
    glyph: "MultiLine",
    data: { xs: "xs", ys: "ys" },
    onX: ["xs"],
    onY: ["ys"],
    looks: (spec) => ({
      line_color: spec.color,
      line_width: spec.width ?? 2,
      line_alpha: spec.alpha ?? 1,
      line_dash: spec.dash ?? [],
    }),
  },
  patches: {
    glyph: "Patches",
    data: { xs: "xs", ys: "ys" },
    onX: ["xs"],
    onY: ["ys"],
    looks: (spec) => ({ fill_color: spec.color, line_color: spec.edge ?? spec.color, fill_alpha: spec.alpha ?? 0.5 }),
  },
  texts: {
    glyph: "Text",
    data: { x: "x", y: "y", text: "text" },
    onX: [],
    onY: [],
    looks: (spec) => ({
      text_color: spec.color,
      text_font: spec.font,
      text_font_size: spec.size ?? "12px",
      text_align: spec.align ?? "center",
      text_baseline: spec.baseline ?? "middle",
      x_offset: spec.dx ?? 0,
      y_offset: spec.dy ?? 0,
      background_fill_color: spec.background ?? null,
      background_fill_alpha: 0.85,
    }),
  },
};

function pointLooks(spec) {
  return {
    fill_color: spec.color,
    line_color: spec.edge ?? null,
    size: spec.size ?? 6,
    fill_alpha: spec.alpha ?? 0.75,
    marker: spec.marker ?? "circle",
    line_width: spec.edgeWidth ?? 1,
  };
}

export const MARK_NAMES = Object.keys(GLYPHS);

// Bokeh reads typed arrays and plain arrays; an array of looks becomes a column, one value a constant.
function sourceData(kind, spec) {
  const { data, looks } = GLYPHS[kind];
  const columns = {};
  const properties = {};
  for (const [name, target] of Object.entries(data)) {
    columns[name] = spec[name];
    properties[target] = { field: name };
  }
  for (const [name, value] of Object.entries(looks(spec))) {
    const isColumn = name !== "line_dash" && (Array.isArray(value) || ArrayBuffer.isView(value));
    if (isColumn) columns[name] = value;
    properties[name] = isColumn ? { field: name } : value;
  }
  return { columns, properties };
}

// A renderer of one mark, and `update(changes)`, which replaces what is drawn.
export function markRenderer(models, kind, spec, level = "glyph") {
  const { columns, properties } = sourceData(kind, spec);
  const source = new models.ColumnDataSource({ data: columns });
  const glyph = new models[GLYPHS[kind].glyph](properties);
  const renderer = new models.GlyphRenderer({ data_source: source, glyph, level });
  return {
    renderer,
    replace: (next) => {
      source.data = sourceData(kind, next).columns;
    },
  };
}

function grow(extent, values) {
  for (const value of values) {
    if (typeof value === "object" && value !== null) grow(extent, value);
    else if (Number.isFinite(value)) {
      if (value < extent[0]) extent[0] = value;
      if (value > extent[1]) extent[1] = value;
    }
  }
}

// Widens the extents of both axes to what a mark covers.
export function growExtents(kind, spec, extents) {
  for (const name of GLYPHS[kind].onX) grow(extents.x, spec[name]);
  for (const name of GLYPHS[kind].onY) grow(extents.y, spec[name]);
}
