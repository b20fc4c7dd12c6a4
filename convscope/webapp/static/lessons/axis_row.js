/** One axis of an input as a row of cells, with its windows below. */

/** @import { AxisDrawing } from "./types.js" */

import { el, svg } from "../element.js";
import { count } from "../numbers.js";

const ROOM = 940; // screen pixels that the row may take before it scrolls
const HIGH = 28;
const LANE = 17;
const GAP = 48; // where cells are left out

/** @typedef {AxisDrawing["cells"][number]} AxisCell @typedef {AxisDrawing["windows"][number]} AxisWindow */

/** @param {AxisDrawing} drawing */
export function axisRow({ cells, gap, hidden, windows }) {
  const digits = Math.max(
    ...cells.map(({ at, kind }) => (kind === "padding" ? 1 : String(at).length)),
    ...windows.map(({ unit }) => String(unit).length),
  );
  const wide = Math.max(
    digits < 4 ? 23 : digits < 5 ? 32 : 40,
    Math.min(44, Math.floor((ROOM - (gap === null ? 0 : GAP)) / cells.length)),
  );
  /** @param {number} place */
  const left = (place) => place * wide + (gap !== null && place >= gap ? GAP : 0);
  const total = left(cells.length - 1) + wide;
  const middle = gap === null ? 0 : gap * wide + GAP / 2;
  /** @type {[start: number, end: number][]} */
  const spans = windows.map(({ taps, before, after }) => [
    before ? middle : left(taps[0]),
    after ? middle : left(taps[taps.length - 1]) + wide,
  ]);
  const lanes = stacked(spans);
  const high = HIGH + 8 + LANE * (Math.max(0, ...lanes) + 1);
  return svg(
    "svg",
    {
      class: "axis-row",
      viewBox: `-1 -1 ${total + 2} ${high + 2}`,
      width: total + 2,
      height: high + 2,
      role: "img",
      "aria-label": `${count(cells.length + hidden)} cells and their windows`,
    },
    svg(
      "defs",
      {},
      svg(
        "pattern",
        { id: "axis-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        svg("path", { class: "hatch", d: "M0 0V6" }),
      ),
    ),
    ...cells.map((one, place) => cellOf(one, left(place), wide)),
    gap === null
      ? null
      : svg(
          "text",
          { class: "left-out", x: middle, y: HIGH / 2 },
          "…",
          svg("title", {}, `${count(hidden)} cells are not drawn`),
        ),
    ...windows.map((one, i) => windowOf(one, spans[i], HIGH + 8 + LANE * lanes[i], left, wide)),
  );
}

/** In which lane each window lies, so that no two touch. @param {number[][]} spans */
function stacked(spans) {
  /** @type {number[]} */
  const ends = [];
  return spans.map(([from, to]) => {
    const free = ends.findIndex((end) => end <= from);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = to;
    return lane;
  });
}

/** @param {AxisCell} cell @param {number} x @param {number} wide */
function cellOf({ at, kind }, x, wide) {
  const text = kind === "padding" ? "0" : String(at);
  return svg(
    "g",
    { class: `axis-cell ${kind}` },
    svg(
      "title",
      {},
      kind === "padding" ? "padding: a zero" : `cell ${count(at)}${kind === "unread" ? ", never read" : ""}`,
    ),
    svg("rect", { x, y: 0, width: wide, height: HIGH }),
    kind === "unread" ? svg("rect", { class: "over", x, y: 0, width: wide, height: HIGH }) : null,
    svg("text", { x: x + wide / 2, y: HIGH / 2 }, text),
  );
}

/**
 * @param {AxisWindow} window
 * @param {[start: number, end: number]} span
 * @param {number} y
 * @param {(place: number) => number} left
 * @param {number} wide
 */
function windowOf({ unit, from, to, taps }, [start, end], y, left, wide) {
  const mid = y + (LANE - 4) / 2;
  return svg(
    "g",
    { class: "axis-window" },
    svg("title", {}, `unit ${count(unit)}: cells ${count(from).replace("-", "−")} to ${count(to)}`),
    svg("path", { d: `M${start + 2} ${mid}H${end - 2}` }),
    ...taps.map((place) => svg("rect", { x: left(place) + 2, y, width: wide - 4, height: LANE - 4, rx: 2 })),
    svg("text", { x: (taps.length ? left(taps[0]) : start) + wide / 2, y: mid }, String(unit)),
  );
}

/** What the kinds of cells look like. @param {boolean} unread @param {boolean} padding */
export const key = (unread, padding) =>
  el(
    "p",
    { class: "caption axis-key" },
    "Below the cells: each window, with the index of its unit.",
    unread ? el("span", {}, el("b", { class: "sample unread" }), " never read") : null,
    padding ? el("span", {}, el("b", { class: "sample padding" }, "0"), " padding") : null,
  );
