// Models as functions of a row: one entry per structure of explainers/model/_fitted_model.py. See
// explainers/predictions/_structure_outputs.py, which computes the same in Python.

import { columnMap } from "./scorer_columns.js";
import { CALIBRATORS, MODEL_LINKS, calibratedShares, coupledShares, dividedShares, logisticOf, pairVotes } from "./scorer_links.js";
import { readTrees, treeOutputs } from "./scorer_trees.js";

const LARGEST_FLOAT32 = 3.4028234663852886e38;

// A model: `own(row)` are its outputs in `space`, one per class; `table(row)` is the row as its structure reads it.
export function readModel(facts, name, arrays) {
  const structure = STRUCTURE_READERS[facts.structure.as](facts.structure, `${name}.structure`, arrays);
  const nOutputs = facts.classes === null ? 1 : facts.classes.length;
  const encode = facts.encode ? columnMap(facts.encode, `${name}.encode`, arrays) : (row) => row;
  const expands = structure.nOutputs === 1 && nOutputs === 2;
  const model = {
    name: facts.name,
    space: facts.space,
    links: facts.links,
    structure,
    nOutputs,
    expands,
    table: encode,
    prepare: facts.preprocessing ? columnMap(facts.preprocessing, `${name}.preprocessing`, arrays) : null,
    parent: arrays[`${name}.parent`] ?? null,
    own: (row) => expandedOutputs(model, structure.outputs(encode(row))),
  };
  return model;
}

// One output per class from the outputs of a model's structure, of one row or of several, which may be those of the second of
// two classes only.
export function expandedOutputs({ expands, space }, made) {
  if (!expands) return made;
  const both = new Float64Array(2 * made.length);
  for (let row = 0; row < made.length; row += 1) {
    both[2 * row] = space === "probability" ? 1 - made[row] : -made[row];
    both[2 * row + 1] = made[row];
  }
  return both;
}

function finiteCells(row, largest, allowsMissing) {
  for (const cell of row) {
    if (!(Math.abs(cell) <= largest) && !(allowsMissing && Number.isNaN(cell))) {
      throw new Error(
        Number.isNaN(cell) ? "The model has no rule for a missing value." : "The model needs numbers that are not so large.");
    }
  }
}

function treesOf(facts, name, arrays) {
  const trees = readTrees(facts, name, arrays);
  const largest = trees.float32 ? LARGEST_FLOAT32 : Number.MAX_VALUE;
  return {
    as: "Trees", trees, nOutputs: trees.nOutputs,
    outputs(row) {
      finiteCells(row, largest, trees.allowsMissing);
      return treeOutputs(trees, row);
    },
  };
}

function linearOf(facts, name, arrays) {
  const coef = arrays[`${name}.coef`];
  const intercept = arrays[`${name}.intercept`];
  return {
    as: "Linear", coef, intercept, nOutputs: intercept.length,
    outputs(row) {
      finiteCells(row, Number.MAX_VALUE, false);
      return Float64Array.from(intercept, (constant, k) => {
        let sum = 0;
        for (let j = 0; j < row.length; j += 1) sum += coef[k * row.length + j] * row[j];
        return sum + constant;
      });
    },
  };
}

function radialOf(facts, name, arrays) {
  const [centres, gamma, weights, intercept] = ["centres", "gamma", "weights", "intercept"].map((key) => arrays[`${name}.${key}`]);
  const nOutputs = intercept.length;
  const nCentres = weights.length / nOutputs;
  return {
    as: "RadialBasis", centres, gamma, weights, nCentres, nOutputs,
    outputs(row) {
      finiteCells(row, Number.MAX_VALUE, false);
      const out = Float64Array.from(intercept);
      for (let c = 0; c < nCentres; c += 1) {
        let distance = 0;
        for (let j = 0; j < row.length; j += 1) distance += gamma[j] * (row[j] - centres[c * row.length + j]) ** 2;
        const kernel = Math.exp(-distance);
        for (let k = 0; k < nOutputs; k += 1) out[k] += kernel * weights[c * nOutputs + k];
      }
      return out;
    },
  };
}

// Adds the outputs of a member times its weights (K_member, K) to those of a sum.
export function addWeighted(out, outputs, weights) {
  const width = out.length;
  for (let m = 0; m < outputs.length; m += 1) {
    for (let k = 0; k < width; k += 1) out[k] += outputs[m] * weights[m * width + k];
  }
}

function mixtureOf(facts, name, arrays) {
  const constant = Float64Array.from(arrays[`${name}.constant`]);
  const members = facts.members.map((member, j) => readModel(member, `${name}.${j}`, arrays));
  const weights = members.map((_, j) => arrays[`${name}.${j}.weights`]);
  return {
    as: "Mixture", members, weights, constant, nOutputs: constant.length,
    outputs(row) {
      const out = constant.slice();
      members.forEach((member, j) => addWeighted(out, member.own(row), weights[j]));
      return out;
    },
  };
}

const COMBINATIONS = {
  WeightedSum(facts, name, arrays) {
    const weights = arrays[`${name}.weights`];
    const constant = Float64Array.from(arrays[`${name}.constant`]);
    return (outputs) => {
      const out = constant.slice();
      addWeighted(out, outputs, weights);
      return out;
    };
  },
  LinkFunction: (facts) => MODEL_LINKS[facts.link],
  CodedFinal(facts, name, arrays) {
    const model = readModel(facts.model, `${name}.model`, arrays);
    const reads = arrays[`${name}.reads`];
    const inSpace = modelOutputs(model, facts.space);
    return (outputs, passed) => {
      const read = Float64Array.from(reads, (at) => outputs[at]);
      return inSpace(facts.passed ? joined([read, passed]) : read);
    };
  },
  Votes: (facts) => (margins) => pairVotes(margins, facts.n_classes),
  Coupled(facts, name, arrays) {
    const [slope, shift] = [arrays[`${name}.slope`], arrays[`${name}.shift`]];
    return (margins) => coupledShares(margins, slope, shift, facts.n_classes);
  },
  Calibrated(facts, name, arrays) {
    const calibrators = facts.calibrators.map((one, k) => CALIBRATORS[one.as](one, `${name}.${k}`, arrays));
    return (outputs) => calibratedShares(outputs, calibrators);
  },
  OnePerClass: () => (outputs) => dividedShares(outputs.filter((_, at) => at % 2), 0),
};

// A function from a row to the outputs of a model in an output space; null if the model has no such outputs.
export function modelOutputs(model, space) {
  if (space === model.space) return (row) => model.own(row);
  const link = model.links[space];
  return link === undefined ? null : (row) => MODEL_LINKS[link](model.own(row));
}

export function joined(parts) {
  const out = new Float64Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function compositeOf(facts, name, arrays) {
  const members = facts.members.map(({ model, space }, j) => {
    const member = readModel(model, `${name}.${j}`, arrays);
    return { member, space, outputs: modelOutputs(member, space) };
  });
  const combine = COMBINATIONS[facts.combine.as](facts.combine, `${name}.combine`, arrays);
  const passed = facts.passed ? columnMap(facts.passed, `${name}.passed`, arrays) : (row) => row;
  const pass = facts.passthrough ? passed : () => null;
  return {
    as: "Composite", members, combine, pass,
    // A final model may be made of trees, whose thresholds tell apart sums that differ by rounding.
    roundingMatters: facts.combine.as === "CodedFinal",
    sum: facts.combine.as === "WeightedSum" && !facts.passthrough ? arrays[`${name}.combine.weights`] : null,
    // The number of outputs of any combination is that of the model: it is not expanded.
    nOutputs: null,
    outputs: (row) => combine(joined(members.map(({ outputs }) => outputs(row))), pass(row)),
  };
}

function preparedOf(facts, name, arrays) {
  const model = readModel(facts.model, `${name}.model`, arrays);
  return { as: "Prepared", model, nOutputs: model.nOutputs, outputs: (row) => model.own(model.prepare(row)) };
}

const ACTIVATIONS = {
  identity: (value) => value,
  relu: (value) => Math.max(value, 0),
  tanh: Math.tanh,
  logistic: logisticOf,
};

function denseOf(facts, name, arrays) {
  const layers = Array.from({ length: facts.layers }, (_, number) => ({
    weights: arrays[`${name}.${number}.weights`],
    bias: arrays[`${name}.${number}.bias`],
  }));
  const activate = ACTIVATIONS[facts.activation];
  return {
    as: "DenseNetwork", nOutputs: layers.at(-1).bias.length,
    outputs(row) {
      finiteCells(row, Number.MAX_VALUE, false);
      let values = row;
      layers.forEach(({ weights, bias }, number) => {
        const made = Float64Array.from(bias);
        addWeighted(made, values, weights);
        values = number + 1 < layers.length ? made.map(activate) : made;
      });
      return MODEL_LINKS[facts.link](values);
    },
  };
}

const STRUCTURE_READERS = {
  Trees: treesOf, Linear: linearOf, RadialBasis: radialOf, Mixture: mixtureOf, Composite: compositeOf, Prepared: preparedOf,
  DenseNetwork: denseOf,
};
