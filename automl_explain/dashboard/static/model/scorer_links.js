// Functions of the outputs of models: links between output spaces, votes and coupled probabilities of pairs of classes,
// calibration. See explainers/model/_links.py and explainers/scoring/models/_class_shares.py.

const LINK_CLIP = 1e-12;
const LEAST_SHARE = 1e-7;
const COUPLING_TOLERANCE = 0.005;
const COUPLING_STEPS = 100;

export function logisticOf(score) {
  return 1 / (1 + Math.exp(-score));
}

function sharesOf(outputs) {
  let total = 0;
  for (const output of outputs) total += output;
  return outputs.map((output) => output / total);
}

function softmaxOf(outputs) {
  let largest = -Infinity;
  for (const output of outputs) largest = Math.max(largest, output);
  return sharesOf(outputs.map((output) => Math.exp(output - largest)));
}

function logOddsOf(probability) {
  const clipped = Math.min(Math.max(probability, LINK_CLIP), 1 - LINK_CLIP);
  return Math.log(clipped / (1 - clipped));
}

function clippedOf(margin) {
  return (Math.min(Math.max(margin, -1), 1) + 1) / 2;
}

function clippedSharesOf(margins) {
  const shares = margins.map(clippedOf);
  return sharesOf(shares.some((share) => share > 0) ? shares : shares.fill(1));
}

// Name of a link -> function from the outputs of a row, a Float64Array, to those in another space.
export const MODEL_LINKS = {
  identity: (outputs) => outputs,
  logistic: (outputs) => outputs.map(logisticOf),
  normalised_logistic: (outputs) => sharesOf(outputs.map(logisticOf)),
  normalised_exponential: softmaxOf,
  softmax: softmaxOf,
  clipped: (outputs) => outputs.map(clippedOf),
  normalised_clipped: clippedSharesOf,
  log_odds: (outputs) => outputs.map(logOddsOf),
  exp: (outputs) => outputs.map(Math.exp),
  log: (outputs) => outputs.map(Math.log),
};

// The votes of pairwise margins for each class, and the sum of its margins below 1/3.
export function pairVotes(margins, nClasses) {
  const votes = new Float64Array(nClasses);
  const sums = new Float64Array(nClasses);
  let pair = 0;
  for (let one = 0; one < nClasses; one += 1) {
    for (let other = one + 1; other < nClasses; other += 1, pair += 1) {
      const margin = margins[pair];
      if (margin >= 0) votes[one] += 1;
      if (margin < 0) votes[other] += 1;
      sums[one] += margin;
      sums[other] -= margin;
    }
  }
  return votes.map((vote, k) => vote + sums[k] / (3 * (Math.abs(sums[k]) + 1)));
}

// The probabilities of classes from those of pairs, by the iteration of libsvm, which stops early.
export function coupledShares(margins, slope, shift, nClasses) {
  const first = margins.map((margin, pair) =>
    Math.min(Math.max(logisticOf(-(margin * slope[pair] + shift[pair])), LEAST_SHARE), 1 - LEAST_SHARE));
  const system = Array.from({ length: nClasses }, () => new Float64Array(nClasses));
  const shares = new Float64Array(nClasses).fill(1 / nClasses);
  let pair = 0;
  for (let one = 0; one < nClasses; one += 1) {
    for (let other = one + 1; other < nClasses; other += 1, pair += 1) {
      const share = first[pair];
      system[one][one] += (1 - share) * (1 - share);
      system[other][other] += share * share;
      system[one][other] = -share * (1 - share);
      system[other][one] = system[one][other];
    }
  }
  const products = new Float64Array(nClasses);
  for (let round = 0; round < Math.max(COUPLING_STEPS, nClasses); round += 1) {
    let total = 0;
    for (let t = 0; t < nClasses; t += 1) {
      products[t] = 0;
      for (let j = 0; j < nClasses; j += 1) products[t] += system[t][j] * shares[j];
      total += shares[t] * products[t];
    }
    let error = 0;
    for (let t = 0; t < nClasses; t += 1) error = Math.max(error, Math.abs(products[t] - total));
    if (error < COUPLING_TOLERANCE / nClasses) break;
    for (let t = 0; t < nClasses; t += 1) {
      const step = (total - products[t]) / system[t][t];
      shares[t] += step;
      total = (total + step * (step * system[t][t] + 2 * products[t])) / (1 + step) / (1 + step);
      for (let j = 0; j < nClasses; j += 1) {
        products[j] = (products[j] + step * system[t][j]) / (1 + step);
        shares[j] /= 1 + step;
      }
    }
  }
  return shares;
}

// The maker of each calibrator: a function from an output to a probability.
export const CALIBRATORS = {
  Sigmoid: ({ slope, shift }) => (output) => logisticOf(-(slope * output + shift)),
  Isotonic(_, name, arrays) {
    const [knots, shares] = [arrays[`${name}.knots`], arrays[`${name}.shares`]];
    return (output) => interpolated(output, knots, shares);
  },
};

// Linear between increasing knots, constant beyond them.
function interpolated(at, knots, values) {
  let [low, high] = [0, knots.length - 1];
  if (!(at > knots[low])) return values[low];
  if (at >= knots[high]) return values[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle] <= at) low = middle;
    else high = middle;
  }
  return values[low] + ((values[high] - values[low]) / (knots[high] - knots[low])) * (at - knots[low]);
}

// Shares divided by their sum, or `otherwise` if all are 0.
export function dividedShares(shares, otherwise) {
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => (total === 0 ? otherwise : share / total));
}

// The calibrated probabilities of a model's outputs, by one calibrator per class, or by that of the second of two classes.
export function calibratedShares(outputs, calibrators) {
  if (calibrators.length > 1) return dividedShares(outputs.map((output, k) => calibrators[k](output)), 1 / calibrators.length);
  const second = calibrators[0](outputs[1]);
  return Float64Array.of(1 - second, second);
}
