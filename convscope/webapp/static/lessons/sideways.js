/** Content wider than the page scrolls horizontally and keeps its position when it is redrawn. */

import { el } from "../element.js";

/** @type {Map<string, number>} */
const places = new Map();

/** @param {string} label @param {...Node} children */
export function sideways(label, ...children) {
  /** @type {HTMLElement} */
  const box = el(
    "div",
    {
      class: "scroll sideways",
      tabindex: 0,
      role: "group",
      "aria-label": `${label}, scrolls sideways`,
      onscroll: () => places.set(label, box.scrollLeft),
    },
    ...children,
  );
  requestAnimationFrame(() => (box.scrollLeft = places.get(label) ?? 0));
  return box;
}
