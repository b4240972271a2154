// Fields: everything known of each shown row that can lie on an axis, be a colour or a filter. A field is
// { id, group, label, kind: "number" | "category" | "date", values, levels? }. NaN is a missing cell; categories are positions in `levels`.

import { cellText, unitText } from "./format.js";

// The place of the class with the highest probability or output, per row.
export function predictedClasses(data) {
  return data.cached("predicted", () => {
    const columns = data.predictions.probability ?? data.predictions.output;
    return Float64Array.from(columns[0], (_, row) => {
      let best = 0;
      for (let c = 1; c < columns.length; c += 1) if (columns[c][row] > columns[best][row]) best = c;
      return best;
    });
  });
}

function featureField(feature) {
  const kind = feature.levels ? "category" : feature.kind === "date" ? "date" : "number";
  return { id: `feature:${feature.index}`, group: "Features", label: feature.name, kind, feature, values: feature.values, levels: feature.levels };
}

function numberField(id, label, values) {
  return values ? { id, group: "Model", label, kind: "number", values } : null;
}

function classField(data, id, label, values) {
  return { id, group: "Model", label, kind: "category", values, levels: data.classes };
}

function modelFields(data, output) {
  const { output: outputs, probability } = data.predictions;
  if (!outputs && !probability) return [];
  if (!data.classes) return [numberField("output", "prediction", outputs[0])];
  return [
    classField(data, "predicted", "predicted class", predictedClasses(data)),
    ...data.classes.map((name, c) => numberField(`probability:${c}`, `probability of ${name}`, probability?.[c])),
    data.output.space === "probability" ? null : numberField("output", `output (${unitText(data.output.space)})`, outputs?.[output]),
  ];
}

function truthFields(data) {
  const { truth, output, probability } = data.predictions;
  if (!truth) return [];
  if (data.classes) {
    const fields = [classField(data, "truth", "true class", truth)];
    if (!output && !probability) return fields;
    const predicted = predictedClasses(data);
    const correct = data.cached("correct", () => Float64Array.from(truth, (code, row) => (Number.isNaN(code) ? NaN : Number(code === predicted[row]))));
    const ofTruth = data.cached("probability of truth", () => probability && Float64Array.from(truth, (code, row) => probability[code]?.[row] ?? NaN));
    return [...fields, { ...classField(data, "correct", "correctness", correct), levels: ["wrong", "correct"] },
      numberField("certainty", "probability of the true class", ofTruth)];
  }
  const fields = [numberField("truth", "true value", truth)];
  if (!output) return fields;
  const residuals = data.cached("residuals", () => Float64Array.from(truth, (value, row) => value - output[0][row]));
  const sizes = data.cached("errors", () => residuals.map(Math.abs));
  return [...fields, numberField("residual", "residual (true − predicted)", residuals), numberField("error", "absolute error", sizes)];
}

// All fields, in the order of the lists to choose from.
export function fieldsOf({ data, explanation, output }) {
  const cells = data.features.filter((feature) => feature.values).map(featureField);
  const values = explanation?.values?.[output];
  const importances = (values ? data.features : []).map(({ name, index }) =>
    ({ id: `importance:${index}`, group: "Importance", label: `importance of ${name}`, kind: "number", values: values[index] }));
  const place = data.cached("place", () => Float64Array.from({ length: data.n }, (_, row) => row));
  return [...cells, ...modelFields(data, output), ...truthFields(data), ...importances,
    { id: "index", group: "Row", label: "place of the row", kind: "number", values: place }].filter(Boolean);
}

// Fields as groups of a list to choose from.
export function fieldOptions(fields) {
  const groups = new Map();
  for (const { id, group, label } of fields) {
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push([id, label]);
  }
  return [...groups].map(([label, options]) => ({ label, options }));
}

export function fieldText(field, row) {
  return cellText(field.feature ?? field, field.values[row]);
}

// What a table of numbers holds of a field: text for categories and dates, else the number.
export function fieldCell(field, row) {
  return field.kind === "number" ? field.values[row] : fieldText(field, row);
}
