/** What the translated lessons take from NumPy, PyTorch and data: here by hand, and compared with Python by the tests. */

import { NDArray, array, eigen, filled, map } from "./arrays.js";
import { baked } from "./baked.js";
import { crops } from "./crops.js";
import { def, list } from "./python.js";

export { differentiate } from "./backprop.js";
export { descend } from "./descent.js";
export { run_layers } from "./sharing.js";

/** @typedef {any} Value */

/** The cells of an axis that no window reads, see arithmetic/coverage.py. */
export const uncovered = def(
  ["size", "kernel", "stride", "padding", "dilation", "ceil_mode"],
  /** @param {number} size @param {number} kernel @param {number} stride @param {Value} padding @param {number} dilation @param {boolean} ceil */
  (size, kernel, stride = 1, padding = 0, dilation = 1, ceil = false) => {
    const around = modules()["convscope.arithmetic.sizes"];
    const [before] = around.padding_pair(size, kernel, stride, padding, dilation);
    const windows = around.output_size(size, kernel, stride, padding, dilation, ceil);
    const read = new Uint8Array(size);
    for (let window = 0; window < windows; window++)
      for (let tap = 0; tap < kernel; tap++) {
        const cell = window * stride - before + tap * dilation;
        if (cell >= 0 && cell < size) read[cell] = 1;
      }
    return [...read.keys()].filter((cell) => !read[cell]);
  },
);

/** The translated modules, which come after this one. @type {Record<string, Value>} */
let translated = {};
const modules = () => translated;
/** @param {Record<string, Value>} all */
export const setModules = (all) => {
  translated = all;
};

/** Maps (k, h', w') of a volume (c, h, w) and filters (k, c, f, f), see lessons/window.py. */
export const convolve = def(
  ["volume", "filters", "bias", "stride", "padding", "dilation"],
  /** @param {NDArray} volume @param {NDArray} filters @param {NDArray | null} bias @param {number} stride @param {Value} padding @param {number} dilation */
  (volume, filters, bias = null, stride = 1, padding = 0, dilation = 1) => {
    const [before, after] = Array.isArray(padding) ? padding : [padding, padding];
    const [channels, high, wide] = volume.shape;
    const [count, , f] = filters.shape;
    const side = (/** @type {number} */ length) =>
      Math.floor((length + before + after - dilation * (f - 1) - 1) / stride) + 1;
    const [tall, across] = [side(high), side(wide)];
    return filled([count, tall, across], (i) => {
      const [k, row, column] = [Math.floor(i / (tall * across)), Math.floor(i / across) % tall, i % across];
      let sum = bias ? bias.data[k] : 0;
      for (let c = 0; c < channels; c++)
        for (let y = 0; y < f; y++)
          for (let x = 0; x < f; x++) {
            const [at, by] = [row * stride - before + y * dilation, column * stride - before + x * dilation];
            if (at >= 0 && at < high && by >= 0 && by < wide)
              sum += volume.data[(c * high + at) * wide + by] * filters.data[((k * channels + c) * f + y) * f + x];
          }
      return sum;
    });
  },
);

// The lesson on maps.

/** @type {Map<string, (sum: number) => number>} */
export const ACTIVATIONS = new Map([
  ["ReLU", (sum) => Math.max(0, sum)],
  ["leaky ReLU", (sum) => (sum < 0 ? 0.1 * sum : sum)],
  ["tanh", Math.tanh],
  ["scaled tanh", (sum) => 1.7159 * Math.tanh((2 / 3) * sum)],
  ["sigmoid", (sum) => 1 / (1 + Math.exp(-sum))],
]);
/** @param {(sum: number) => number} activation */
export const as_arrays = (activation) => (/** @type {NDArray} */ values) => map(values, activation);
/** @param {string} name */
export const gray = (name) => array(baked().gray[name]);
/** @param {number} channels @param {number} side */
export const volume = (channels, side) => crops(channels, side);

// The lessons on photographs, on the challenge and on two towers: what Python has computed.

/** @param {string} name */
export const square = (name) => baked().squares[name];
/** @param {string} name */
export const shuffled_square = (name) => baked().redundancy[name].shuffled;
/** @param {string} name @param {string} order @param {string} direction */
export const shift_curve = (name, order, direction) => baked().redundancy[name].curves[order][direction];
/** @param {string} name */
export const shuffle_effects = (name) => baked().redundancy[name].effects;
export const describe_towers = () => baked().towers;
export const describe_winners = () => new Map(Object.entries(baked().winners));

// The lesson on pooling.

const infinite = { max: -Infinity, min: Infinity };
export const KINDS = new Map(["max", "average", "min", "L2"].map((kind) => [kind, kind]));

/** @param {NDArray} values @param {string} kind @param {Value} axis */
export function pool_map(values, kind, axis) {
  const { kernel, stride, output, size } = axis;
  const [before] = axis.padding_pair;
  return filled([output, output], (i) => {
    /** @type {number[]} */
    const inside = [];
    for (let y = 0; y < kernel; y++)
      for (let x = 0; x < kernel; x++) {
        const [row, column] = [Math.floor(i / output) * stride - before + y, (i % output) * stride - before + x];
        if (row >= 0 && row < size && column >= 0 && column < size) inside.push(values.data[row * size + column]);
      }
    if (kind === "max") return inside.reduce((a, b) => Math.max(a, b), infinite.max);
    if (kind === "min") return inside.reduce((a, b) => Math.min(a, b), infinite.min);
    if (kind === "L2") return Math.sqrt(inside.reduce((sum, value) => sum + value * value, 0));
    return inside.reduce((sum, value) => sum + value, 0) / kernel ** 2;
  });
}

// The lessons on LeNet-5 and VGG: tables that Python has summarized.

/**
 * The table for this image, of ten classes; with another number of classes the last layer is another.
 * @param {string} network @param {number} classes @param {number} side
 */
export function summarize(network, classes, side) {
  const { rows, input } = baked().lenet5.tables[network][side];
  const [last] = rows.slice(-1);
  const scaled = (/** @type {Value} */ row) =>
    row === last && row.filters === 10 && row.map.length === 1
      ? {
          ...row,
          filters: classes,
          map: [classes],
          parameters: (row.parameters / 10) * classes,
          multiply_adds: (row.multiply_adds / 10) * classes,
        }
      : row;
  const all = rows.map(scaled);
  const total = (/** @type {string} */ what) =>
    all.reduce((/** @type {number} */ sum, /** @type {Value} */ row) => sum + row[what], 0);
  return { input, rows: all, parameters: total("parameters"), multiply_adds: total("multiply_adds") };
}
export const connections = () => baked().lenet5.connections;
/** @param {string} name */
export const describe_network = (name) => baked().vgg.networks[name];
export const describe_first = () => baked().vgg.first;

// The lesson on training.

/** @param {string} name */
export const picture = (name) => array(baked().training.pictures[name]);

/** All patches (100, 9) of an image. @param {string} image */
export function patches(image) {
  const pixels = picture(image);
  return filled([100, 9], (i) => {
    const [patch, tap] = [Math.floor(i / 9), i % 9];
    return pixels.data[(Math.floor(patch / 10) + Math.floor(tap / 3)) * 12 + (patch % 10) + (tap % 3)];
  });
}

/** 2/100 · Σ x·xᵀ, with the eigenvalues to the last digit as Python has them. @param {string} image */
export function curvature(image) {
  const { data } = patches(image);
  const matrix = filled([9, 9], (i) => {
    let sum = 0;
    for (let k = 0; k < 100; k++) sum += data[9 * k + Math.floor(i / 9)] * data[9 * k + (i % 9)];
    return (2 / 100) * sum;
  });
  matrix.eigenvalues = baked().training.eigenvalues[image];
  return matrix;
}

const RCOND = 1e-10;

/** Where the gradient is zero: by the eigenvectors of the curvature. @param {Value} task */
export function best(task) {
  const { values, vectors } = eigen(curvature(task.image));
  const most = Math.max(...values.map((value) => Math.abs(value + task.decay)));
  const target = list(task.target);
  const along = values.map((value, i) => {
    const full = value + task.decay;
    const part = vectors.reduce((sum, row, k) => sum + row[i] * target[k], 0);
    return Math.abs(full) > RCOND * most ? (value / full) * part : 0;
  });
  return array(vectors.map((row) => row.reduce((sum, entry, i) => sum + entry * along[i], 0)));
}

/** The larger root of z² − (1 + μ − rate·h)·z + μ. @param {Value} task @param {number} h */
export function error_factor(task, h) {
  const middle = 1 + task.momentum - task.rate * h;
  const under = middle * middle - 4 * task.momentum;
  return under < 0 ? Math.sqrt(task.momentum) : (Math.abs(middle) + Math.sqrt(under)) / 2;
}

/** Probabilities, cross-entropy and its gradient. @param {number[]} logits @param {number} right */
export function softmax(logits, right) {
  const largest = Math.max(...logits);
  const powers = logits.map((z) => Math.exp(z - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  const shares = powers.map((power) => power / sum);
  return new Map(
    Object.entries({
      largest,
      powers,
      sum,
      shares,
      loss: Math.log(sum) - (logits[right] - largest),
      gradient: shares.map((share, i) => share - Number(i === right)),
    }),
  );
}
