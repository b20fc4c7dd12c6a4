/** Crops of the photograph as volumes, scaled as Pillow's box filter scales: see lessons/images.py. */

import { NDArray } from "./arrays.js";
import { baked } from "./baked.js";

const STEP = 24; // pixels from one crop to the next
const FROM = 256; // pixels of a crop, before scaling
const BITS = 22; // of the weights, as in Pillow
/** @type {Map<string, Uint8Array>} */
const known = new Map();

/** The volume (channels, side, side): red, green, blue of a crop, then of the next. @param {number} channels @param {number} side */
export function crops(channels, side) {
  const data = new Float64Array(channels * side * side);
  for (let c = 0; c < channels; c++) data.set(plane(Math.floor(c / 3), c % 3, side), c * side * side);
  return new NDArray([channels, side, side], data);
}

/** @param {number} crop @param {number} color @param {number} side */
function plane(crop, color, side) {
  const key = `${crop}/${color}/${side}`;
  const { data, width } = baked().photograph;
  const made = known.get(key) ?? scaled((y, x) => data[(y * width + crop * STEP + x) * 3 + color], side);
  known.set(key, made);
  return made;
}

/** For each cell the first pixel under it and the weights, as whole numbers. @param {number} side */
function windows(side) {
  const scale = FROM / side;
  return Array.from({ length: side }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - scale / 2 + 0.5));
    const end = Math.min(FROM, Math.trunc(center + scale / 2 + 0.5));
    const inside = Array.from({ length: end - first }, (_, k) => {
      const at = (k + first - center + 0.5) / scale;
      return at > -0.5 && at <= 0.5 ? 1 : 0;
    });
    const sum = inside.reduce((/** @type {number} */ a, b) => a + b, 0);
    return { first, weights: inside.map((weight) => Math.trunc(0.5 + (weight / sum) * 2 ** BITS)) };
  });
}

/** @param {(y: number, x: number) => number} pixel @param {number} side */
function scaled(pixel, side) {
  const all = windows(side);
  const flat = new Uint8Array(FROM * side);
  for (let y = 0; y < FROM; y++) all.forEach((window, x) => (flat[y * side + x] = mean(window, (at) => pixel(y, at))));
  const made = new Uint8Array(side * side);
  all.forEach((window, y) => {
    for (let x = 0; x < side; x++) made[y * side + x] = mean(window, (at) => flat[at * side + x]);
  });
  return made;
}

/** @param {{first: number, weights: number[]}} window @param {(at: number) => number} value */
const mean = ({ first, weights }, value) => {
  const sum = weights.reduce((total, weight, k) => total + weight * value(first + k), 2 ** (BITS - 1));
  return Math.min(255, Math.max(0, Math.floor(sum / 2 ** BITS)));
};
