/** A layer as boxes in oblique projection: its input, filters and output; sides and channels to scale. */

import { svg } from "../element.js";
import { SLANT } from "../layout.js";
import { several } from "../numbers.js";

const LEAST = 5; // nothing is drawn smaller than this
/** Points for the largest side and for 16 channels, between the volumes, and for the labels below them. */
const WIDE = { tall: 150, deep: 90, gap: 56, words: [90, 110, 110] };
const NARROW = { tall: 78, deep: 34, gap: 18, words: [64, 84, 66] };

/** In the notation of the LeNet paper, also where a side is 1. @param {number[]} shape */
const volume = ([channels, height, width]) => `${channels}@${height}×${width}`;

/**
 * @param {{input: number[], filter: number[], filters: number, output: number[]}} layer
 *   volumes as (channels, height, width)
 * @returns {SVGElement}
 */
export function layerBoxes({ input, filter, filters, output }) {
  const { tall: most, deep, gap, words: least } = innerWidth > 760 ? WIDE : NARROW;
  const pixel = most / Math.max(input[1], output[1]);
  /** @param {number[]} shape */
  const size = (shape) => ({
    side: Math.max(LEAST, shape[1] * pixel),
    deep: (shape[0] * deep) / 16,
    channels: shape[0],
  });
  const [from, one, to] = [input, filter, output].map(size);
  const columns = Math.ceil(Math.sqrt(filters));
  const pitch = { x: one.side + one.deep * SLANT.x + 9, y: one.side - one.deep * SLANT.y + 9 };
  const rows = Math.ceil(filters / columns);
  const tall = Math.max(...[from, to].map((box) => box.side - box.deep * SLANT.y), rows * pitch.y) + 8;
  const at = { from: 6, filters: 6 + Math.max(least[0], from.side + from.deep * SLANT.x) + gap, to: 0 };
  at.to = at.filters + Math.max(least[1], columns * pitch.x) + gap;
  const width = at.to + Math.max(least[2], to.side + to.deep * SLANT.x) + 10;
  const foot = tall - 2;
  const block = { left: at.filters, right: at.filters + columns * pitch.x - 9, top: foot - rows * pitch.y + 9, foot };
  const window = { right: at.from + (from.side + one.side) / 2, top: foot - (from.side + one.side) / 2 };
  const unit = { x: at.to + to.side / 2, y: foot - to.side / 2 };
  /** @param {number} x @param {string} title @param {string} text */
  const words = (x, title, text) => [
    svg("text", { class: "title", x, y: tall + 18 }, title),
    svg("text", { class: "size", x, y: tall + 35 }, text),
  ];
  const said = `${volume(input)} and ${several(filters, "filter")} of ${volume(filter)} give ${volume(output)}`;
  return svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${tall + 42}`,
      width,
      height: tall + 42,
      class: "network",
      role: "img",
      "aria-label": said,
    },
    ...box(at.from, foot, from),
    svg("rect", { class: "reads", x: window.right - one.side, y: window.top, width: one.side, height: one.side }),
    ...Array.from({ length: filters }, (_, k) =>
      box(block.left + (k % columns) * pitch.x, foot - (rows - 1 - Math.floor(k / columns)) * pitch.y, one),
    ).flat(),
    ...box(at.to, foot, to),
    svg("path", {
      class: "ray",
      d:
        `M${window.right} ${window.top} L${block.left - 4} ${block.top} M${window.right} ${window.top + one.side} ` +
        `L${block.left - 4} ${block.foot} M${block.right + 4} ${block.top} L${unit.x} ${unit.y} ` +
        `L${block.right + 4} ${block.foot}`,
    }),
    svg("circle", { class: "reads", cx: unit.x, cy: unit.y, r: 3 }),
    ...words(at.from, "Image", volume(input)),
    ...words(at.filters, several(filters, "filter"), filters > 1 ? `each ${volume(filter)}` : volume(filter)),
    ...words(at.to, several(filters, "map"), volume(output)),
  );
}

/**
 * One volume standing on `foot`, its channels drawn as slices.
 * @param {number} x @param {number} foot @param {{side: number, deep: number, channels: number}} volume
 */
function box(x, foot, { side, deep, channels }) {
  const [dx, dy, y] = [deep * SLANT.x, deep * SLANT.y, foot - side];
  const cuts =
    channels > 1 && deep / channels > 3 ? Array.from({ length: channels - 1 }, (_, c) => (c + 1) / channels) : [];
  return [
    svg("path", { class: "top", d: `M${x} ${y} l${dx} ${dy} h${side} l${-dx} ${-dy} z` }),
    svg("path", { class: "right", d: `M${x + side} ${y} l${dx} ${dy} v${side} l${-dx} ${-dy} z` }),
    svg("rect", { class: "front", x, y, width: side, height: side }),
    svg("path", {
      class: "channels",
      d: cuts.map((part) => `M${x + part * dx} ${y + part * dy} h${side} v${side}`).join(" "),
    }),
    svg("path", {
      class: "edge",
      d:
        `M${x} ${y} l${dx} ${dy} h${side} v${side} l${-dx} ${-dy} h${-side} z M${x} ${y} h${side} v${side} ` +
        `M${x + side} ${y} l${dx} ${dy}`,
    }),
  ];
}
