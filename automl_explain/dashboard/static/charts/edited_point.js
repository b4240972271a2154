// The edited row of the what-if view in the charts of all rows: a diamond, joined to the row that it was made from. The state's
// `edited` is {row, cells, output, probability, values} of the edited row, or null.

import { numberText, shortened } from "../data/format.js";

// Kind of a field (the part of its id before the colon) -> its value for an edited row. Other fields have none.
const EDITED_VALUES = {
  feature: ({ cells }, j) => cells[j] ?? NaN,
  probability: ({ probability }, c) => probability?.[c],
  output: ({ output }, _, place) => output[place],
  predicted: ({ output, probability }) => (probability ?? output).indexOf(Math.max(...(probability ?? output))),
  importance: ({ values }, j, place) => values?.[place]?.[j],
};

// Draws the edited row on two fields and follows its edits; `xAxis` and `yAxis` are those of `fieldAxis`.
export function drawEditedRow(chart, context, { x, y, xAxis, yAxis }) {
  const { state, data, output } = context;
  const place = (field, axis, edited) => {
    const [kind, number] = field.id.split(":");
    const value = EDITED_VALUES[kind]?.(edited, Number(number), output);
    if (Number.isNaN(value)) return axis.missing ?? (field.levels ? field.levels.length : NaN);
    return axis.spec?.kind === "log" && !(value > 0) ? NaN : value;
  };
  const drawn = () => {
    const { edited, selected } = state.current;
    const at = edited && selected.includes(edited.row) ? [place(x, xAxis, edited), place(y, yAxis, edited)] : [NaN, NaN];
    if (!at.every(Number.isFinite)) return { point: { x: [], y: [] }, line: { x0: [], y0: [], x1: [], y1: [] } };
    const from = [xAxis.places[edited.row], yAxis.places[edited.row]];
    return { point: { x: [at[0]], y: [at[1]] }, line: { x0: [from[0]], y0: [from[1]], x1: [at[0]], y1: [at[1]] } };
  };
  const { point, line } = drawn();
  const { palette } = chart;
  const segment = chart.segments({ ...line, color: palette.ink, width: 1.5, dash: [4, 3], measured: false });
  const diamond = chart.points({
    ...point, color: palette.bar, edge: palette.ink, edgeWidth: 2, size: 13, alpha: 1, marker: "diamond", measured: false,
    tip: () => {
      const { edited } = state.current;
      const text = (field, axis) => [shortened(field.label, 40), field.levels?.[place(field, axis, edited)] ?? numberText(place(field, axis, edited))];
      return [`Row ${data.rowName(edited.row)}, edited`, text(x, xAxis), text(y, yAxis)];
    },
  });
  const stop = state.subscribe((_, changed) => {
    if (!chart.figure.isConnected) stop();
    else if (changed.has("edited") || changed.has("selected")) {
      const next = drawn();
      segment.update(next.line);
      diamond.update(next.point);
    }
  });
}
