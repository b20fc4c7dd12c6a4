/** Bytes and weights drawn to canvases. */

import { hue, picture } from "../color.js";
import { contextOf, el } from "../element.js";

/**
 * An image of bytes as it is: gray for one channel, color for three.
 * @param {Uint8Array} bytes  rows of pixels, each with its channels
 * @param {number} height @param {number} width @param {number} channels
 */
export function photo(bytes, height, width, channels) {
  const canvas = el("canvas", { width, height });
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let j = 0; j < 3; j++) image.data[4 * i + j] = bytes[channels * i + (channels >= 3 ? j : 0)];
    image.data[4 * i + 3] = 255;
  }
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}

/**
 * All filters of a layer in one canvas, each as many screen pixels as fit. Filters over red, green and blue are drawn
 * in
 * color, zero as gray; others channel beside channel, on the scale of values.
 * @param {Float32Array} weights @param {number[]} shape  filters, channels, height, width
 * @param {number} peak @param {number} most  pixels of the canvas's width
 */
export function filterSheet(weights, [count, channels, height, width], peak, most) {
  const across = channels === 3 ? 1 : channels; // pictures side by side for one filter
  const columns = Math.max(1, Math.round(1.25 * Math.sqrt(count / across)));
  const unit = Math.max(1, Math.floor((most / columns - 5) / (across * width)));
  const [wide, high] = [across * width * unit + 5, height * unit + 5];
  const canvas = el("canvas", { width: columns * wide, height: Math.ceil(count / columns) * high });
  const pen = contextOf(canvas);
  pen.imageSmoothingEnabled = false;
  pen.strokeStyle = hue("line");
  for (let k = 0; k < count; k++) {
    const at = k * channels * height * width;
    for (let c = 0; c < across; c++) {
      const drawn =
        channels === 3
          ? colored(weights.subarray(at), height, width, peak)
          : picture(weights.subarray(at + c * height * width), height, width, peak);
      pen.drawImage(
        drawn,
        (k % columns) * wide + 1 + c * width * unit,
        Math.floor(k / columns) * high + 1,
        width * unit,
        height * unit,
      );
    }
    pen.strokeRect((k % columns) * wide + 0.5, Math.floor(k / columns) * high + 0.5, wide - 4, high - 4);
  }
  return canvas;
}

/** @param {Float32Array} weights @param {number} height @param {number} width @param {number} peak */
function colored(weights, height, width, peak) {
  const canvas = el("canvas", { width, height });
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++)
      image.data[4 * i + c] = 127.5 + (peak ? (127.5 * weights[c * height * width + i]) / peak : 0);
    image.data[4 * i + 3] = 255;
  }
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}
