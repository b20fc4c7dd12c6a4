/** The small network of the lesson on one step, forward and backward by the chain rule: see lessons/backprop.py. */

/** @typedef {any} Value */

const [SIDE, KERNEL, MAP, POOLED, CLASSES] = [6, 3, 4, 2, 2];
const INPUTS = POOLED * POOLED;

/** @param {number} count @param {(i: number) => number} value */
const list = (count, value) => Array.from({ length: count }, (_, i) => value(i));
/** @param {number} count @param {(i: number) => number} value */
const total = (count, value) => list(count, value).reduce((sum, one) => sum + one, 0);
/** The pixel that a tap of the filter reads for a unit of the map. @param {number} unit @param {number} tap */
const cell = (unit, tap) => (Math.floor(unit / MAP) + Math.floor(tap / KERNEL)) * SIDE + (unit % MAP) + (tap % KERNEL);
/** The cells of the map in a window of pooling. @param {number} place */
const window = (place) =>
  list(INPUTS, (i) => (2 * Math.floor(place / POOLED) + Math.floor(i / 2)) * MAP + 2 * (place % POOLED) + (i % 2));

/** @param {Map<string, number[]>} parameters @param {number[]} pixels @param {number} right @returns {Value} */
export function differentiate(parameters, pixels, right) {
  const [filter, bias, dense, denseBias] = ["filter", "bias", "dense", "dense_bias"].map(
    (name) => /** @type {number[]} */ (parameters.get(name)),
  );
  const sums = list(MAP * MAP, (unit) => bias[0] + total(KERNEL ** 2, (tap) => filter[tap] * pixels[cell(unit, tap)]));
  const active = sums.map((sum) => Math.max(0, sum));
  const winners = list(INPUTS, (place) => window(place).reduce((best, k) => (active[k] > active[best] ? k : best)));
  const pooled = winners.map((k) => active[k]);
  const scores = list(CLASSES, (c) => denseBias[c] + total(INPUTS, (i) => dense[INPUTS * c + i] * pooled[i]));
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((all, power) => all + power, 0);
  const shares = powers.map((power) => power / sum);
  const loss = Math.log(sum) - (scores[right] - largest);

  const byScores = shares.map((share, c) => share - Number(c === right));
  const byPooled = list(INPUTS, (i) => total(CLASSES, (c) => byScores[c] * dense[INPUTS * c + i]));
  const byActive = list(MAP * MAP, (unit) => total(INPUTS, (i) => (winners[i] === unit ? byPooled[i] : 0)));
  const bySums = byActive.map((gradient, unit) => (sums[unit] > 0 ? gradient : 0));
  const forward = { sums, active, pooled, scores, winners, shares, loss };
  const backward = {
    sums: bySums,
    active: byActive,
    pooled: byPooled,
    scores: byScores,
    filter: list(KERNEL ** 2, (tap) => total(MAP * MAP, (unit) => bySums[unit] * pixels[cell(unit, tap)])),
    bias: [bySums.reduce((all, gradient) => all + gradient, 0)],
    dense: list(CLASSES * INPUTS, (i) => byScores[Math.floor(i / INPUTS)] * pooled[i % INPUTS]),
    dense_bias: byScores,
  };
  return new Map(
    Object.entries({ forward: new Map(Object.entries(forward)), backward: new Map(Object.entries(backward)) }),
  );
}
