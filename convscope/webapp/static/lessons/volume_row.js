/** Volumes side by side, drawn to scale: a box for maps, an upright bar for a vector. */

import { svg } from "../element.js";
import { volume } from "../numbers.js";

/** @typedef {{name: string, shape: number[], chosen: boolean, choose: (() => void) | null}} VolumeBox */

const SLANT = { x: 0.6, y: 0.42 }; // how far the box goes back, for each point of depth
const FRONT = 124; // points of the largest side
const BACK = 1.4,
  DEEP = 90; // points of depth for each map, and at most
const LONG = 140; // points of the longest vector
const GAP = 18,
  WORDS = 40,
  SLOT = 76;

/**
 * Sides, depths and vectors each have their own scale; nothing is drawn smaller than 4 points.
 * @param {string} label @param {VolumeBox[]} boxes
 */
export function volumes(label, boxes) {
  /** @param {number[]} shape */
  const flat = (shape) => (shape[1] ?? 1) === 1 && (shape[2] ?? 1) === 1;
  const side = FRONT / Math.max(...boxes.map(({ shape }) => Math.max(shape[1] ?? 1, shape[2] ?? 1)));
  const long = LONG / Math.max(LONG, ...boxes.map(({ shape }) => (flat(shape) ? shape[0] : 0)));
  const back = Math.min(BACK, DEEP / Math.max(...boxes.map(({ shape }) => (flat(shape) ? 1 : shape[0]))));
  const sized = boxes.map((box) => {
    const [c, h = 1, w = 1] = box.shape;
    if (flat(box.shape)) return { box, wide: 8, high: Math.max(4, c * long), deep: 0 };
    return { box, wide: Math.max(4, w * side), high: Math.max(4, h * side), deep: Math.max(3, c * back) };
  });
  const top = Math.max(...sized.map(({ high, deep }) => high + deep * SLANT.y)) + 6;
  let x = 4;
  const groups = sized.map((one) => {
    const taken = Math.max(SLOT, one.wide + one.deep * SLANT.x);
    const at = x;
    x += taken + GAP;
    return drawn(one, at, at + (taken - one.wide - one.deep * SLANT.x) / 2, top, taken);
  });
  return svg(
    "svg",
    {
      class: "volume-row",
      viewBox: `0 0 ${x} ${top + WORDS}`,
      width: x,
      height: top + WORDS,
      role: "group",
      "aria-label": label,
    },
    ...groups,
  );
}

/**
 * @param {{box: VolumeBox, wide: number, high: number, deep: number}} sized
 * @param {number} at
 * @param {number} left
 * @param {number} bottom
 * @param {number} taken
 */
function drawn({ box, wide, high, deep }, at, left, bottom, taken) {
  const [dx, dy] = [deep * SLANT.x, -deep * SLANT.y];
  const [x, y] = [left, bottom - high];
  /** @param {...([number, number])} pairs */
  const points = (...pairs) => pairs.map((pair) => pair.join(",")).join(" ");
  const act = box.choose;
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (!act || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    act();
  };
  return svg(
    "g",
    {
      class: `box${box.chosen ? " chosen" : ""}${act ? " clickable" : ""}`,
      role: act ? "button" : "img",
      tabindex: act ? 0 : null,
      "aria-pressed": act ? String(box.chosen) : null,
      "aria-label": act ? null : `volume ${box.name}, ${volume(box.shape)}`, // a button has its words
      onclick: act,
      onkeydown: press,
    },
    svg("rect", { class: "reach", x: at - GAP / 2, y: 0, width: taken + GAP, height: bottom + WORDS }),
    deep
      ? svg("polygon", {
          class: "top",
          points: points([x, y], [x + dx, y + dy], [x + wide + dx, y + dy], [x + wide, y]),
        })
      : null,
    deep
      ? svg("polygon", {
          class: "end",
          points: points([x + wide, y], [x + wide + dx, y + dy], [x + wide + dx, y + high + dy], [x + wide, y + high]),
        })
      : null,
    svg("rect", { class: "front", x, y, width: wide, height: high }),
    svg("text", { x: at + taken / 2, y: bottom + 17, "text-anchor": "middle", class: "name" }, `${box.name} `),
    svg("text", { x: at + taken / 2, y: bottom + 33, "text-anchor": "middle" }, volume(box.shape)),
  );
}
