/** Small arrays of numbers, as NumPy's: what translated code needs of them. Every array has its own numbers. */

/** @typedef {any} Value */

export class Slice {
  /** @param {number | null} from @param {number | null} to @param {number | null} step */
  constructor(from, to, step) {
    this.from = from;
    this.to = to;
    this.step = step ?? 1;
  }
  /** The indices of a sequence of this length. @param {number} length */
  places(length) {
    const at = (/** @type {number | null} */ end, /** @type {number} */ other) =>
      end === null ? other : Math.min(length, Math.max(0, end < 0 ? length + end : end));
    const [from, to] = [at(this.from, 0), at(this.to, length)];
    return Array.from({ length: Math.max(0, Math.ceil((to - from) / this.step)) }, (_, i) => from + i * this.step);
  }
}

const ALL = new Slice(null, null, null);
const size = (/** @type {number[]} */ shape) => shape.reduce((product, side) => product * side, 1);

export class NDArray {
  /** @param {number[]} shape @param {ArrayLike<number>} data @param {boolean} [isMask] */
  constructor(shape, data, isMask = false) {
    this.shape = shape;
    this.data = data instanceof Float64Array ? data : Float64Array.from(data);
    this.isMask = isMask;
    /** @type {number[] | null} */
    this.eigenvalues = null; // where they are known
  }
  get size() {
    return this.data.length;
  }
  get T() {
    const [high, wide] = this.shape;
    return filled([wide, high], (i) => this.data[(i % high) * wide + Math.floor(i / high)]);
  }
  get flat() {
    return new NDArray([this.size], this.data);
  }
  __len__() {
    return this.shape[0];
  }
  rows() {
    return Array.from({ length: this.shape[0] }, (_, i) => this.item(i));
  }

  /** The places in `data` of a part, and its shape. @param {Value} at */
  part(at) {
    const given = Array.isArray(at) ? at : [at];
    const missing = this.shape.length - given.filter((one) => one !== null).length;
    const all = [...given, ...Array(missing).fill(ALL)];
    /** @type {number[]} */
    const shape = [];
    let places = [0];
    let axis = 0;
    for (const one of all) {
      if (one === null) {
        shape.push(1);
        continue;
      }
      const side = this.shape[axis];
      axis += 1;
      const chosen = one instanceof Slice ? one.places(side) : [one < 0 ? side + one : one];
      if (one instanceof Slice) shape.push(chosen.length);
      places = places.flatMap((place) => chosen.map((index) => place * side + index));
    }
    return { shape, places };
  }
  /** @param {Value} at @returns {Value} */
  item(at) {
    if (at instanceof NDArray) {
      const kept = this.data.filter((_, i) => at.data[i]);
      return new NDArray([kept.length], kept);
    }
    const { shape, places } = this.part(at);
    if (!shape.length) return this.isMask ? Boolean(this.data[places[0]]) : this.data[places[0]];
    return new NDArray(
      shape,
      places.map((place) => this.data[place]),
      this.isMask,
    );
  }
  /** @param {Value} at @param {Value} value */
  set_item(at, value) {
    const { places } = this.part(at);
    places.forEach((place, i) => {
      this.data[place] = value instanceof NDArray ? value.data[i % value.size] : value;
    });
  }

  /** @param {...Value} shape */
  reshape(...shape) {
    const sides = shape.flat();
    const known = size(sides.filter((side) => side >= 0));
    return new NDArray(
      sides.map((side) => (side < 0 ? this.size / known : side)),
      this.data,
      this.isMask,
    );
  }
  ravel() {
    return new NDArray([this.size], this.data, this.isMask);
  }
  copy() {
    return new NDArray(this.shape, this.data.slice());
  }
  astype() {
    return this;
  }
  round() {
    return map(this, half_even);
  }
  sum() {
    return this.data.reduce((total, value) => total + value, 0);
  }
  max() {
    return this.data.reduce((most, value) => Math.max(most, value), -Infinity);
  }
  min() {
    return this.data.reduce((least, value) => Math.min(least, value), Infinity);
  }
  all() {
    return this.data.every(Boolean);
  }
  /** @returns {Value} */
  tolist() {
    if (this.shape.length > 1) return this.rows().map((row) => row.tolist());
    return this.isMask ? Array.from(this.data, Boolean) : Array.from(this.data);
  }
}

/** @param {number[]} shape @param {(place: number) => number} value */
export const filled = (shape, value) =>
  new NDArray(
    shape,
    Float64Array.from({ length: size(shape) }, (_, i) => value(i)),
  );
/** @param {NDArray} values @param {(value: number) => number} change */
export const map = (values, change) => new NDArray(values.shape, values.data.map(change));

/**
 * An operation on the numbers of two arrays of a shape, or of an array and a number.
 * @param {Value} a @param {Value} b @param {(x: number, y: number) => number | boolean} operation @param {boolean} [isMask]
 */
export function elementwise(a, b, operation, isMask = false) {
  const [left, right] = [a, b].map((one) => (one instanceof NDArray ? one : null));
  const shape = /** @type {NDArray} */ (left ?? right).shape;
  const data = Float64Array.from({ length: size(shape) }, (_, i) =>
    Number(operation(left ? left.data[i] : Number(a), right ? right.data[i] : Number(b))),
  );
  return new NDArray(shape, data, isMask);
}

const half_even = (/** @type {number} */ value) => {
  const whole = Math.round(value);
  return Math.abs(value % 1) === 0.5 && whole % 2 ? whole - 1 : whole;
};

/** A function with the names of its parameters, see `def` of python.js. @param {string[]} $params @param {Value} code @returns {Value} */
const named = ($params, code) => Object.assign(code, { $params });

/** @param {Value} values @returns {NDArray} */
export function array(values) {
  if (values instanceof NDArray) return values;
  /** @type {number[]} */
  const shape = [];
  for (let one = values; Array.isArray(one); one = one[0]) shape.push(one.length);
  return new NDArray(shape, values.flat(Infinity));
}
/** @param {Value} values @param {number[]} shape */
export const reshape = (values, shape) => array(values).reshape(...shape);
/** @param {number | number[]} shape */
export const zeros = (shape) => filled([shape].flat(), () => 0);
/** @param {number | number[]} shape */
export const ones = (shape) => filled([shape].flat(), () => 1);
/** @param {NDArray} values */
export const zeros_like = (values) => zeros(values.shape);
/** @param {Value} values */
export const abs = (values) => map(array(values), Math.abs);
/** @param {NDArray} values */
export const rint = (values) => map(values, half_even);
/** @param {NDArray} values @param {number} digits */
export const round = (values, digits) => map(values, (value) => half_even(value * 10 ** digits) / 10 ** digits);
/** @param {NDArray} values @param {number} low @param {number} high */
export const clip = (values, low, high) => map(values, (value) => Math.min(high, Math.max(low, value)));
/** @param {NDArray} values */
export const sum = (values) => values.sum();
/** @param {NDArray} values */
export const mean = (values) => values.sum() / values.size;
/** @param {NDArray} values */
export const count_nonzero = (values) => values.data.filter(Boolean).length;
/** @param {NDArray} values */
export const flatnonzero = (values) => array([...values.data.keys()].filter((i) => values.data[i]));
/** @param {NDArray} a @param {NDArray} b */
export const outer = (a, b) => filled([a.size, b.size], (i) => a.data[Math.floor(i / b.size)] * b.data[i % b.size]);

/** Rotated by 180° in the two last axes, which is all that is asked for. @param {NDArray} values @param {number[]} _axes */
export const flip = (values, _axes) => {
  const plane = size(values.shape.slice(-2));
  return filled(values.shape, (i) => values.data[i - (i % plane) + plane - 1 - (i % plane)]);
};

/** A matrix with cells around it. */
export const pad = named(
  ["values", "width", "constant_values"],
  (/** @type {NDArray} */ values, /** @type {number | number[]} */ width, constant_values = 0) => {
    const [before, after] = Array.isArray(width) ? width : [width, width];
    const [high, wide] = values.shape;
    const across = wide + before + after;
    return filled([high + before + after, across], (i) => {
      const [y, x] = [Math.floor(i / across) - before, (i % across) - before];
      return y >= 0 && y < high && x >= 0 && x < wide ? values.data[y * wide + x] : constant_values;
    });
  },
);

export const bincount = named(["values", "minlength"], (/** @type {number[]} */ values, minlength = 0) => {
  const counts = zeros(Math.max(minlength, ...values.map((value) => value + 1)));
  for (const value of values) counts.data[value] += 1;
  return counts;
});

/** @param {number} from @param {number} to @param {number} count */
export const linspace = (from, to, count) =>
  filled([count], (i) => (i === count - 1 ? to : i * ((to - from) / (count - 1)) + from));

/** As NumPy counts, also where a value is at an edge: the last bar has its end. */
export const histogram = named(
  ["values", "bins", "range"],
  (/** @type {NDArray} */ values, /** @type {number} */ bins, /** @type {number[]} */ [first, last]) => {
    const edges = linspace(first, last, bins + 1).data;
    const counts = zeros(bins);
    for (const value of values.data) {
      if (value < first || value > last) continue;
      let bar = Math.min(bins - 1, Math.trunc(((value - first) / (last - first)) * bins));
      if (value < edges[bar]) bar -= 1;
      else if (value >= edges[bar + 1] && bar !== bins - 1) bar += 1;
      counts.data[bar] += 1;
    }
    return [counts, edges];
  },
);

/**
 * The eigenvalues of a symmetric matrix in rising order, and its eigenvectors in columns, by rotations (Jacobi).
 * @param {NDArray} matrix
 */
export function eigen(matrix) {
  const n = matrix.shape[0];
  const a = matrix.tolist();
  const vectors = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, k) => Number(i === k)));
  for (let sweep = 0; sweep < 60; sweep++) {
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, p, q);
  }
  const order = [...Array(n).keys()].sort((i, k) => a[i][i] - a[k][k]);
  return { values: order.map((i) => a[i][i]), vectors: vectors.map((row) => order.map((i) => row[i])) };
}

/** Make one entry zero. @param {number[][]} a @param {number[][]} vectors @param {number} p @param {number} q */
function rotate(a, vectors, p, q) {
  if (Math.abs(a[p][q]) < 1e-300) return;
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const cos = 1 / Math.hypot(t, 1);
  const sin = t * cos;
  for (const row of [...a, ...vectors]) [row[p], row[q]] = [cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]];
  for (let k = 0; k < a.length; k++)
    [a[p][k], a[q][k]] = [cos * a[p][k] - sin * a[q][k], sin * a[p][k] + cos * a[q][k]];
}

export const linalg = {
  eigvalsh: (/** @type {NDArray} */ matrix) => array(matrix.eigenvalues ?? eigen(matrix).values),
};
