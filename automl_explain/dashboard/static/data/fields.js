// Fields: everything known of each shown row that can lie on an axis, be a colour or a filter. A field is { id, group,
// label, kind: "number" | "category" | "date", values, levels? }. NaN is a missing cell; categories are positions in
// `levels`.

import { cellText, unitText } from "./format.js";

// The predictions that the fields are about: those of the explanation's own model, such as another run of the search,
// if they are known, else those of the page's model. `id` tells them apart.
export function outputsOf({ data, explanation }) {
  const { output, probability, truth } = data.predictions;
  const isOther = explanation !== data.explanations[0] && explanation.predictions;
  if (!isOther) return { id: "", output, probability, truth };
  return {
    id: explanation.id,
    output: explanation.predictions,
    probability: data.output.space === "probability" ? explanation.predictions : null,
    truth,
  };
}

// The place of the class with the highest output, or probability where there are no outputs, per row.
export function predictedClasses(data, { id, output, probability }) {
  return data.cached(`predicted ${id}`, () => {
    const columns = output ?? probability;
    return Float64Array.from(columns[0], (_, row) => {
      let best = 0;
      for (let c = 1; c < columns.length; c += 1) if (columns[c][row] > columns[best][row]) best = c;
      return best;
    });
  });
}

function featureField(feature) {
  const kind = feature.levels ? "category" : feature.kind === "date" ? "date" : "number";
  return {
    id: `feature:${feature.index}`,
    group: "Features",
    label: feature.name,
    kind,
    feature,
    values: feature.values,
    levels: feature.levels,
  };
}

function numberField(id, label, values) {
  return values ? { id, group: "Model", label, kind: "number", values } : null;
}

function classField(data, id, label, values) {
  return { id, group: "Model", label, kind: "category", values, levels: data.classes };
}

function modelFields(data, outputs, place) {
  const { output, probability } = outputs;
  if (!output && !probability) return [];
  if (!data.classes) return [numberField("output", "prediction", output[0])];
  return [
    classField(data, "predicted", "predicted class", predictedClasses(data, outputs)),
    ...data.classes.map((name, c) => numberField(`probability:${c}`, `probability of ${name}`, probability?.[c])),
    data.output.space === "probability"
      ? null
      : numberField("output", `output (${unitText(data.output.space)})`, output?.[place]),
  ];
}

function truthFields(data, outputs) {
  const { id, truth, output, probability } = outputs;
  if (!truth) return [];
  if (data.classes)
    return [
      classField(data, "truth", "true class", truth),
      ...(output || probability ? correctFields(data, outputs) : []),
    ];
  const fields = [numberField("truth", "true value", truth)];
  if (!output) return fields;
  const residuals = data.cached(`residuals ${id}`, () =>
    Float64Array.from(truth, (value, row) => value - output[0][row]),
  );
  const sizes = data.cached(`errors ${id}`, () => residuals.map(Math.abs));
  return [
    ...fields,
    numberField("residual", "residual (true − predicted)", residuals),
    numberField("error", "absolute error", sizes),
  ];
}

function correctFields(data, outputs) {
  const { id, truth, probability } = outputs;
  const predicted = predictedClasses(data, outputs);
  const correct = data.cached(`correct ${id}`, () =>
    Float64Array.from(truth, (code, row) => (Number.isNaN(code) ? NaN : Number(code === predicted[row]))),
  );
  const ofTruth = data.cached(
    `certainty ${id}`,
    () => probability && Float64Array.from(truth, (code, row) => probability[code]?.[row] ?? NaN),
  );
  return [
    { ...classField(data, "correct", "correctness", correct), levels: ["wrong", "correct"] },
    numberField("certainty", "probability of the true class", ofTruth),
  ];
}

// All fields, in the order of the lists to choose from.
export function fieldsOf(context) {
  const { data, explanation, output } = context;
  const outputs = outputsOf(context);
  const cells = data.features.filter((feature) => feature.values).map(featureField);
  const values = explanation?.values?.[output];
  const importances = (values ? data.features : []).map(({ name, index }) => ({
    id: `importance:${index}`,
    group: "Importance",
    label: `importance of ${name}`,
    kind: "number",
    values: values[index],
  }));
  const place = data.cached("place", () => Float64Array.from({ length: data.n }, (_, row) => row));
  return [
    ...cells,
    ...modelFields(data, outputs, output),
    ...truthFields(data, outputs),
    ...importances,
    { id: "index", group: "Row", label: "place of the row", kind: "number", values: place },
  ].filter(Boolean);
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
