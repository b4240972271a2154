// Rows of the page as the model reads them: cells become the numbers of a scoring explainer's schema, and a map of columns
// applies the preprocessing. See explainers/scoring/columns/_schema.py and explainers/scoring/columns/_column_map.py.

const DAY = 86_400_000_000;
const FIRST_ORDINAL = 719_163;

// A date is microseconds since 1970; a missing one is NaN, as are its parts.
const moment = (cell) => new Date(Math.floor(cell / 1000));

const COLUMN_STEPS = {
  fill: (cell, number) => (Number.isNaN(cell) ? number : cell),
  minus: (cell, number) => cell - number,
  plus: (cell, number) => cell + number,
  times: (cell, number) => cell * number,
  over: (cell, number) => cell / number,
  at_least: (cell, number) => (Number.isNaN(cell) ? cell : Math.max(cell, number)),
  at_most: (cell, number) => (Number.isNaN(cell) ? cell : Math.min(cell, number)),
  is_missing: (cell) => (Number.isNaN(cell) ? 1 : 0),
  missing_if: (cell, number) => (Math.fround(cell) === Math.fround(number) ? NaN : cell),
  as_category: (cell, number) => (Math.fround(cell) < 0 ? number : cell),
  equals: (cell, number) => (cell === number || (Number.isNaN(cell) && Number.isNaN(number)) ? 1 : 0),
  year: (cell) => moment(cell).getUTCFullYear(),
  month: (cell) => moment(cell).getUTCMonth() + 1,
  day: (cell) => moment(cell).getUTCDate(),
  hour: (cell) => moment(cell).getUTCHours(),
  minute: (cell) => moment(cell).getUTCMinutes(),
  second: (cell) => moment(cell).getUTCSeconds(),
  dayofweek: (cell) => (moment(cell).getUTCDay() + 6) % 7,
  dayofyear: (cell) => Math.floor(cell / DAY) - Math.floor(Date.UTC(moment(cell).getUTCFullYear(), 0, 1) / (DAY / 1000)) + 1,
  quarter: (cell) => Math.floor(moment(cell).getUTCMonth() / 3) + 1,
  ordinal: (cell) => Math.floor(cell / DAY) + FIRST_ORDINAL,
};

// Returns a function from a row of the page (numbers, positions of levels, null or NaN for missing) to coded cells.
// It throws an Error with a sentence for a cell that the model cannot take.
export function rowCoder(columns) {
  const coders = columns.map(columnCoder);
  return (row) => {
    if (row.length !== coders.length) {
      throw new Error(`The model reads ${coders.length} columns; a row has ${row.length} cells.`);
    }
    return Float64Array.from(coders, (code, j) => code(row[columns[j].at]));
  };
}

function columnCoder(column) {
  const known = column.known === null ? null : new Map(column.known.map((value, code) => [value, code]));
  const { levels, name } = column;
  return (cell) => {
    if (cell === null || cell === undefined || Number.isNaN(cell)) {
      if (!column.missing) throw new Error(`A value of "${name}" is needed: the model has no rule for a missing one.`);
      return NaN;
    }
    const number = Number(cell);
    if (Number.isNaN(number)) throw new Error(`A number was expected for "${name}". Got "${String(cell).slice(0, 40)}".`);
    const coded = levels !== null ? levels[number] : known !== null ? known.get(number) : number * column.scale;
    if (coded === null || coded === undefined) throw new Error(`The model does not know this value of "${name}".`);
    return coded;
  };
}

// Returns a function from an input row to an output row, both Float64Array.
export function columnMap(facts, name, arrays) {
  if (facts.identity) return (row) => row;
  const parts = facts.steps.map((names, number) => ({
    to: arrays[`${name}.${number}.to`],
    source: arrays[`${name}.${number}.source`],
    numbers: arrays[`${name}.${number}.numbers`],
    steps: names.map((step) => COLUMN_STEPS[step]),
  }));
  const table = facts.table
    ? Object.fromEntries(["to", "source", "start", "size", "values"].map((key) => [key, arrays[`${name}.table.${key}`]]))
    : null;
  return (row) => {
    const out = new Float64Array(facts.outputs);
    for (const { to, source, numbers, steps } of parts) {
      const width = to.length;
      for (let i = 0; i < width; i += 1) {
        let cell = row[source[i]];
        for (let s = 0; s < steps.length; s += 1) cell = steps[s](cell, numbers[s * width + i]);
        out[to[i]] = cell;
      }
    }
    if (table !== null) {
      for (let i = 0; i < table.to.length; i += 1) {
        const code = row[table.source[i]];
        out[table.to[i]] = table.values[table.start[i] + (Number.isNaN(code) ? table.size[i] : Math.trunc(code))];
      }
    }
    return out;
  };
}
