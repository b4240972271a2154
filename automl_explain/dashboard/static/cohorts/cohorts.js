// Cohorts: named filters over fields. A cohort is { name, filters }; a filter is { field, kind: "range", low, high } or
// { field, kind: "levels", levels: [positions] } or { field, kind: "missing" }. A row is in a cohort if it passes all
// filters.

import { fieldsOf } from "../data/fields.js";
import { dateText, numberText, shortened } from "../data/format.js";

function passes(filter, field, row) {
  const value = field.values[row];
  if (filter.kind === "missing") return Number.isNaN(value);
  if (Number.isNaN(value)) return false;
  if (filter.kind === "levels") return filter.levels.includes(value);
  return value >= filter.low && value <= filter.high;
}

// Whether each shown row is in the cohort, as an array of 0 and 1; null if all rows are shown.
export function cohortMask(context, cohort) {
  if (cohort == null) return null;
  const { data } = context;
  const fields = new Map(fieldsOf(context).map((field) => [field.id, field]));
  const mask = new Uint8Array(data.n).fill(1);
  for (const filter of cohort.filters) {
    const field = fields.get(filter.field);
    if (!field) continue;
    for (let row = 0; row < mask.length; row += 1) if (mask[row] && !passes(filter, field, row)) mask[row] = 0;
  }
  return mask;
}

// The rows of a cohort in order; all shown rows without one.
export function cohortRows(context, cohort) {
  const mask = cohortMask(context, cohort);
  const rows = Array.from({ length: context.data.n }, (_, row) => row);
  return mask ? rows.filter((row) => mask[row]) : rows;
}

// A filter as a sentence. A field that the chosen explanation lacks, such as the importance of a feature, is not applied.
export function filterText(filter, fields) {
  const field = fields.find(({ id }) => id === filter.field);
  if (!field) return "a field that this explanation lacks (not applied)";
  if (filter.kind === "missing") return `${field.label} is missing`;
  if (filter.kind === "levels") {
    const names = filter.levels
      .slice(0, 4)
      .map((level) => shortened(field.levels[level], 24))
      .join(", ");
    return `${field.label} is ${names}${filter.levels.length > 4 ? ` or ${filter.levels.length - 4} more` : ""}`;
  }
  const text = field.kind === "date" ? dateText : numberText;
  if (filter.low === -Infinity) return `${field.label} ≤ ${text(filter.high)}`;
  if (filter.high === Infinity) return `${field.label} ≥ ${text(filter.low)}`;
  return `${field.label} from ${text(filter.low)} to ${text(filter.high)}`;
}
