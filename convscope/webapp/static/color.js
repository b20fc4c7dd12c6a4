/** Values to colors. One scale everywhere: orange below zero, paper at zero, blue above. */

import { contextOf } from "./element.js";

const STOPS = ["neg-4", "neg-3", "neg-2", "neg-1", "zero", "pos-1", "pos-2", "pos-3", "pos-4"];
/** @type {Uint8ClampedArray} */
let table = new Uint8ClampedArray(0);
/** @type {number[]} */
let accent = [0, 0, 0];

/** Read the palette of the current theme; call again when the theme changes. */
export function readPalette() {
  const style = getComputedStyle(document.documentElement);
  const stops = STOPS.map((name) => rgb(style.getPropertyValue(`--${name}`).trim()));
  accent = rgb(style.getPropertyValue("--accent").trim());
  table = new Uint8ClampedArray(3 * 513);
  for (let i = 0; i <= 512; i++) {
    const at = (i / 512) * (stops.length - 1);
    const k = Math.min(Math.floor(at), stops.length - 2);
    for (let j = 0; j < 3; j++) table[3 * i + j] = stops[k][j] + (at - k) * (stops[k + 1][j] - stops[k][j]);
  }
}

/** @param {string} hex */
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
/** @param {number} value @param {number} peak */
const slot = (value, peak) => 3 * Math.round(256 + 256 * (Math.max(-1, Math.min(1, peak ? value / peak : 0)) || 0));

/**
 * The color of a cell and the ink that is readable on it.
 * @param {number} value
 * @param {number} peak  the magnitude that gets the darkest color
 */
export function cell(value, peak) {
  const [r, g, b] = table.subarray(slot(value, peak));
  const linear = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return { background: `rgb(${r} ${g} ${b})`, color: light > 0.179 ? "#000000" : "#ffffff" };
}

/** Red, green and blue of a value. @param {number} value @param {number} peak */
export const rgbOf = (value, peak) => table.subarray(slot(value, peak), slot(value, peak) + 3);

/**
 * Draw a map, one pixel for each unit; CSS scales it up without smoothing. What is not finite is no color of the
 * scale: it is chequered in the accent.
 * @param {ArrayLike<number>} values
 * @param {number} height
 * @param {number} width
 * @param {number} peak
 * @param {number} [shown]  only the first so many units (while the filter slides); the rest stay clear
 * @returns {HTMLCanvasElement}
 */
export function picture(values, height, width, peak, shown = Infinity) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width && i < shown; i++) {
    const strange = !Number.isFinite(values[i]) && (i + Math.floor(i / width)) % 2 === 0;
    image.data.set(strange ? accent : table.subarray(slot(values[i], peak), slot(values[i], peak) + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}

/** The largest magnitude of many values; what is no number does not count. @param {ArrayLike<number>} values */
export function peakOf(values) {
  let peak = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > peak && size < Infinity) peak = size;
  }
  return peak;
}

/** A color of the theme. @param {string} name @param {number} [alpha] */
export function hue(name, alpha = 1) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  return alpha === 1 ? hex : `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},${alpha})`;
}
