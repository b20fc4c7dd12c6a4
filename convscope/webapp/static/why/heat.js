/** A map of the image in colors over the image in gray, and which place of it a pointer or a key means. */

import { rgbOf } from "../color.js";

const PALE = 0.3; // of the contrast of the image below the colors
const FAINT = 0.35; // of the scale: the color of the smallest values, which cover least

/**
 * Colors over a gray image: zero shows the image alone, the peak the color alone.
 * @param {ArrayLike<number>} gray  0 to 255, one number for each pixel
 * @param {ArrayLike<number>} values  of the same pixels; what is not finite is not colored
 * @param {number} peak
 * @param {(value: number, peak: number) => ArrayLike<number>} [color]
 * @returns {Uint8ClampedArray<ArrayBuffer>} red, green, blue, alpha
 */
export function blend(gray, values, peak, color = rgbOf) {
  const paper = color(0, 1);
  const pixels = new Uint8ClampedArray(4 * values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number.isFinite(values[i]) ? values[i] : 0;
    const share = peak ? Math.min(1, Math.abs(value) / peak) : 0;
    const cover = share ** 0.8;
    const shown = color(Math.sign(value) * (FAINT + (1 - FAINT) * share), 1);
    for (let k = 0; k < 3; k++) {
      const below = paper[k] + PALE * (gray[i] - paper[k]);
      pixels[4 * i + k] = below + cover * (shown[k] - below);
    }
    pixels[4 * i + 3] = 255;
  }
  return pixels;
}

/**
 * The cell that a pixel lies in: the last that begins at or before it.
 * @param {number[]} edges  where cells meet, one more than there are cells @param {number} at
 */
export function cellOf(edges, at) {
  let cell = 0;
  while (cell < edges.length - 2 && edges[cell + 1] <= at) cell += 1;
  return cell;
}

/** Every pixel by itself: the cells of a map behind which there is no layer. @param {number} count */
export const everyPixel = (count) => Array.from({ length: count + 1 }, (_, at) => at);

/** The brightness of an image's pixels. @param {ArrayLike<number>} rgba */
export function grayOf(rgba) {
  const gray = new Uint8ClampedArray(rgba.length / 4);
  for (let i = 0; i < gray.length; i++)
    gray[i] = 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2];
  return gray;
}
