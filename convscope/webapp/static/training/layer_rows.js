/** What layers hold, drawn: maps, weights and the gradients of both, one row for each layer. */

/** @import { LayerView, ViewedLayer, ViewedPart } from "../types.js" */

import { hue, rgbOf } from "../color.js";
import { contextOf, el, write } from "../element.js";
import { count, volume } from "../numbers.js";
import { short } from "./words.js";

const LEVELS = 127; // what the peak is in an answer; -128 is no number
const ACROSS = 290; // pixels of a picture, about
const UNITS = 32; // of a vector in a row
const MOST = 8; // times that a value is enlarged

/** @type {[part: string, name: string][]} */
const PARTS = [
  ["activation", "Activations"],
  ["activation_gradient", "Gradient of the activations"],
  ["weight", "Weights"],
  ["weight_gradient", "Gradient of the weights"],
];

/**
 * A view as it comes: a header in JSON behind its length, then the values.
 * @param {ArrayBuffer} buffer @returns {LayerView}
 */
export function readView(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const view = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  /** @type {Map<string, {shape: number[], data: Int8Array}>} */
  const tensors = new Map();
  for (const { name, shape, offset } of view.tensors) {
    const size = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    tensors.set(name, { shape, data: new Int8Array(buffer, 4 + length + offset, size) });
  }
  return { ...view, tensors };
}

/** The rows, which are drawn again and again: the elements stay. */
export function layerRows() {
  const element = el("div", { class: "viewed" });
  let drawn = "";
  /** @type {((view: LayerView) => void)[]} */
  let draws = [];
  return {
    element,
    /** @param {LayerView} view */
    draw(view) {
      const wanted = JSON.stringify(view.layers.map(({ name, shape, parts }) => [name, shape, Object.keys(parts)]));
      if (wanted !== drawn) {
        const rows = view.layers.map(row);
        element.replaceChildren(...rows.map((one) => one.element));
        draws = rows.flatMap((one) => one.draws);
      }
      drawn = wanted;
      for (const draw of draws) draw(view);
    },
  };
}

/** @param {ViewedLayer} layer @param {number} index */
function row(layer, index) {
  const pictures = PARTS.filter(([part]) => layer.parts[part]).map(([part, name]) => picture(layer, index, part, name));
  const element = el(
    "section",
    { class: "layer", "aria-label": layer.name },
    el(
      "div",
      { class: "named" },
      el("b", {}, layer.name),
      el("span", { class: "caption" }, `${layer.kind}, ${volume(layer.shape)}`),
    ),
    ...pictures.map((one) => one.element),
  );
  return { element, draws: pictures.map((one) => one.draw) };
}

/** @param {ViewedLayer} layer @param {number} index @param {string} part @param {string} name */
function picture(layer, index, part, name) {
  const canvas = el("canvas", { role: "img", "aria-label": `${name} of ${layer.name}` });
  const range = el("span", {});
  const element = el(
    "figure",
    { class: part.replace("_", "-") },
    canvas,
    el("figcaption", { class: "caption" }, `${name} `, range),
  );
  /** @param {LayerView} view */
  function draw(view) {
    const tensor = view.tensors.get(`${index}/${part}`);
    const figures = view.layers[index].parts[part];
    if (!tensor) return;
    sheet(canvas, tensor.data, tensor.shape);
    write(range, said(figures, tensor.shape));
  }
  return { element, draw };
}

/** @param {ViewedPart} figures @param {number[]} shown */
function said({ shape, low, high }, shown) {
  const [tiles, all] = [shown[0], shape[0]];
  const part = shape.length > 1 && tiles > 1 && tiles < all ? `, ${count(tiles)} of ${count(all)}` : "";
  return `${short(low, 3)} to ${short(high, 3)}${part}`;
}

/**
 * All tiles on one canvas, a pixel for a value; those of several channels beside each other in a row.
 * @param {HTMLCanvasElement} canvas @param {Int8Array} data @param {number[]} shape
 */
function sheet(canvas, data, [tiles, channels, height, width]) {
  const isVector = channels * height * width === 1;
  const gap = isVector || tiles * channels === 1 ? 0 : 1;
  const columns = isVector ? Math.min(UNITS, tiles) : columnsOf(tiles, channels, height, width);
  const rows = Math.ceil(tiles / columns);
  const [wide, high] = [channels * width + gap, height + gap];
  const [across, down] = [columns * wide - gap, rows * high - gap];
  if (canvas.width !== across || canvas.height !== down) {
    Object.assign(canvas, { width: across, height: down });
    canvas.style.width = `${across * Math.max(1, Math.min(MOST, Math.floor(ACROSS / across)))}px`;
  }
  const pen = contextOf(canvas);
  const image = pen.createImageData(across, down);
  const strange = hue("ink-2");
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(strange.slice(i, i + 2), 16));
  for (let i = 0; i < tiles * channels * height * width; i++) {
    const x = i % width;
    const y = Math.floor(i / width) % height;
    const channel = Math.floor(i / (width * height)) % channels;
    const tile = Math.floor(i / (width * height * channels));
    const at = (Math.floor(tile / columns) * high + y) * across + (tile % columns) * wide + channel * width + x;
    const color = data[i] === -128 ? [r, g, b] : rgbOf(data[i], LEVELS);
    image.data.set(color, 4 * at);
    image.data[4 * at + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
}

/** So many columns that the sheet is about twice as wide as high. @param {number} tiles @param {number} channels @param {number} height @param {number} width */
function columnsOf(tiles, channels, height, width) {
  const even = Math.sqrt((2 * tiles * (height + 1)) / (channels * width + 1));
  return Math.max(1, Math.min(tiles, Math.round(even)));
}
