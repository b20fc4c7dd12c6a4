/** The three layers of the lesson on sharing, run on a volume and on the shifted one: see lessons/sharing.py. */

/** @typedef {any} Value */

import { crops } from "./crops.js";
import { def } from "./python.js";
import { Twister } from "./random.js";

const MOST = 50_000_000;
const KEPT = 8;
/** @type {Map<string, Value>} */
const known = new Map();

/** Times are not measured here: they would be the browser's, not PyTorch's. */
export const run_layers = def(["setting", "timed"], (/** @type {Value} */ setting, /** @type {boolean} */ _timed) => {
  const { side, channels, filters, kernel } = setting;
  const key = [side, channels, filters, kernel].join();
  const made = known.get(key) ?? run(side, channels, filters, kernel);
  known.set(key, made);
  if (known.size > KEPT) known.delete(known.keys().next().value ?? "");
  return made;
});

/** @param {number} side @param {number} channels @param {number} filters @param {number} kernel */
function run(side, channels, filters, kernel) {
  const { data } = crops(channels, side);
  const moved = data.map((_, i) => (i % side ? data[i - 1] : 0));
  const out = side - kernel + 1;
  const dense = channels * side * side * filters * out * out > MOST;
  const layers = [
    shared(data, moved, side, channels, filters, kernel),
    local(data, moved, side, channels, filters, kernel),
    dense ? null : full(data, moved, filters * out * out),
  ];
  return new Map(
    Object.entries({
      layers: layers.map((layer) => layer && compared(layer[0], layer[1], out)),
      threads: null,
    }),
  );
}

const weight = (/** @type {Twister} */ twister) => twister.between(-3, 3);

/**
 * A window of a volume times weights, for the image and the moved one.
 * @param {Float64Array} data @param {Float64Array} moved @param {number} side @param {number} channels @param {number} kernel
 * @param {number} y @param {number} x @param {(place: number) => number} w
 */
function window(data, moved, side, channels, kernel, y, x, w) {
  let [one, two, place] = [0, 0, 0];
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < kernel; i++)
      for (let k = 0; k < kernel; k++) {
        const at = (c * side + y + i) * side + x + k;
        const value = w(place);
        place += 1;
        one += value * data[at];
        two += value * moved[at];
      }
  return [one, two];
}

/** @param {Float64Array} data @param {Float64Array} moved @param {number} side @param {number} channels @param {number} filters @param {number} kernel */
function shared(data, moved, side, channels, filters, kernel) {
  const twister = new Twister(0);
  const each = channels * kernel * kernel;
  const weights = Int8Array.from({ length: filters * each }, () => weight(twister));
  const biases = Array.from({ length: filters }, () => weight(twister));
  const out = side - kernel + 1;
  const results = [new Float64Array(filters * out * out), new Float64Array(filters * out * out)];
  for (let f = 0; f < filters; f++)
    for (let y = 0; y < out; y++)
      for (let x = 0; x < out; x++) {
        const sums = window(data, moved, side, channels, kernel, y, x, (place) => weights[f * each + place]);
        sums.forEach((sum, i) => (results[i][(f * out + y) * out + x] = sum + biases[f]));
      }
  return results;
}

/** Weights (y, x, filter, ...), biases (y, x, filter). @param {Float64Array} data @param {Float64Array} moved @param {number} side @param {number} channels @param {number} filters @param {number} kernel */
function local(data, moved, side, channels, filters, kernel) {
  const twister = new Twister(0);
  const out = side - kernel + 1;
  const results = [new Float64Array(filters * out * out), new Float64Array(filters * out * out)];
  for (let y = 0; y < out; y++)
    for (let x = 0; x < out; x++)
      for (let f = 0; f < filters; f++) {
        const sums = window(data, moved, side, channels, kernel, y, x, () => weight(twister));
        sums.forEach((sum, i) => (results[i][(f * out + y) * out + x] = sum));
      }
  for (let y = 0; y < out; y++)
    for (let x = 0; x < out; x++)
      for (let f = 0; f < filters; f++) {
        const bias = weight(twister);
        for (const result of results) result[(f * out + y) * out + x] += bias;
      }
  return results;
}

/** @param {Float64Array} data @param {Float64Array} moved @param {number} units */
function full(data, moved, units) {
  const twister = new Twister(0);
  const results = [new Float64Array(units), new Float64Array(units)];
  for (let unit = 0; unit < units; unit++)
    for (let i = 0; i < data.length; i++) {
      const value = weight(twister);
      results[0][unit] += value * data[i];
      results[1][unit] += value * moved[i];
    }
  for (let unit = 0; unit < units; unit++) {
    const bias = weight(twister);
    for (const result of results) result[unit] += bias;
  }
  return results;
}

/** @param {Float64Array} first @param {Float64Array} actual @param {number} out */
function compared(first, actual, out) {
  const expected = first.map((_, i) => (i % out ? first[i - 1] : 0));
  const difference = actual.map((value, i) => value - expected[i]);
  const inside = difference.filter((_, i) => i % out);
  const most = (/** @type {Float64Array} */ values) => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const map = (/** @type {Float64Array} */ values) => Array.from(values.slice(0, out * out));
  return new Map(
    Object.entries({
      expected: map(expected),
      found: map(actual),
      difference: map(difference),
      units: inside.length,
      differ: inside.filter(Boolean).length,
      largest: most(inside),
      size: most(actual),
      edge: difference.filter((value, i) => i % out === 0 && value).length,
      seconds: null,
    }),
  );
}
