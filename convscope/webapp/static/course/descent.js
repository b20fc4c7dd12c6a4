/** Gradient descent of the lesson on training, see lessons/descent.py. */

/** @typedef {any} Value */

import { NDArray, array } from "./arrays.js";
import { patches } from "./by_hand.js";
import { list } from "./python.js";
import { Generator } from "./random.js";

const DIVERGED = 1e12;
const KEPT = 8;
/** @type {Map<string, Descent>} */
const known = new Map();

class Descent {
  /** @param {Value} task */
  constructor(task) {
    this.task = task;
    this.patches = patches(task.image).data;
    this.target = list(task.target);
    this.wanted = Array.from({ length: 100 }, (_, k) => this.product(k, this.target));
    /** @type {number | null} */
    this.diverged = null;
    const edge = 1 / 3;
    this.weights = new Generator([task.seed]).uniform(-edge, edge, 9);
    /** @type {number[] | null} */
    this.velocity = null;
    /** @type {Value[]} */
    this.moments = [];
    this.order = { epoch: -1, indices: /** @type {number[]} */ ([]) };
    this.note();
  }
  /** Patch k times weights. @param {number} k @param {ArrayLike<number>} weights */
  product(k, weights) {
    let sum = 0;
    for (let i = 0; i < 9; i++) sum += this.patches[9 * k + i] * weights[i];
    return sum;
  }
  /** @param {number} step */
  until(step) {
    while (this.moments.length <= step && this.diverged === null) this.go();
    return this.moments;
  }
  /** @param {NDArray} weights */
  loss(weights) {
    let sum = 0;
    for (let k = 0; k < 100; k++) sum += (this.product(k, weights.data) - this.wanted[k]) ** 2;
    return sum / 100;
  }
  go() {
    const { task } = this;
    const last = this.moments[this.moments.length - 1];
    const pull = this.weights.map((weight, i) => last.gradient.data[i] + task.decay * weight);
    const before = this.velocity;
    this.velocity = before && task.momentum ? pull.map((one, i) => task.momentum * before[i] + one) : pull;
    const { velocity } = this;
    this.weights = this.weights.map((weight, i) => weight - task.rate * velocity[i]);
    this.note();
  }
  note() {
    const weights = array([...this.weights]);
    const loss = this.loss(weights);
    const first = this.moments.length ? this.moments[0].loss : loss;
    if (!(loss <= DIVERGED * Math.max(1, first))) this.diverged = this.moments.length;
    const chosen = this.batch(this.moments.length);
    const gradient = new Float64Array(9);
    for (const k of chosen) {
      const error = this.product(k, weights.data) - this.wanted[k];
      for (let i = 0; i < 9; i++) gradient[i] += (2 / chosen.length) * error * this.patches[9 * k + i];
    }
    this.moments.push({
      weights,
      velocity: array([...(this.velocity ?? Array(9).fill(0))]),
      loss,
      gradient: new NDArray([9], gradient),
      patches: chosen.length,
    });
  }
  /** The patches of a step. @param {number} step */
  batch(step) {
    const { batch, seed } = this.task;
    if (batch >= 100) return [...Array(100).keys()];
    const full = Math.ceil(100 / batch);
    const pieces = 100 % batch === 1 && batch > 1 ? full - 1 : full; // a single patch joins the batch before
    const epoch = Math.floor(step / pieces);
    if (this.order.epoch !== epoch) this.order = { epoch, indices: new Generator([seed, epoch]).permutation(100) };
    const at = step % pieces;
    return this.order.indices.slice(at * batch, at === pieces - 1 ? 100 : (at + 1) * batch);
  }
}

/** @param {Value} task */
export function descend(task) {
  const key = JSON.stringify(list(task));
  const made = known.get(key) ?? new Descent(task);
  known.set(key, made);
  if (known.size > KEPT) known.delete(known.keys().next().value ?? "");
  return made;
}
