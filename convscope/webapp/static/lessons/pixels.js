/** Images and maps as pixels, with one position outlined. */

import { picture } from "../color.js";
import { el } from "../element.js";

/** A gray picture, one canvas pixel for each byte. @param {number[]} levels @param {number} side */
export function gray(levels, side) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [side, side];
  const image = new ImageData(side, side);
  levels.forEach((level, i) => image.data.set([level, level, level, 255], 4 * i));
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/** A map in the colors of its values. @param {number[]} values @param {number} side @param {number} peak */
export const colored = (values, side, peak) => picture(values, side, side, peak);

/**
 * A square of pixels. With `choose`, clicking, dragging or the arrow keys choose a position.
 * @typedef {{canvas: HTMLCanvasElement, side: number, scale: number, label: string,
 *   mark?: {row: number, column: number, size: number} | null,
 *   choose?: ((row: number, column: number) => void) | null}} Board   `scale`: screen pixels for each of its own
 * @param {Board} board
 */
export function pixels({ canvas, side, scale, label, mark = null, choose = null }) {
  /** @param {number} n */
  const share = (n) => `${(100 * n) / side}%`;
  const outline =
    mark &&
    el("span", {
      class: "outline",
      style: { top: share(mark.row), left: share(mark.column), width: share(mark.size), height: share(mark.size) },
    });
  const node = el(
    "div",
    {
      class: `pixels ${choose ? "open" : ""}`,
      style: { width: `${side * scale + 2}px` },
      role: choose ? "application" : "img",
      tabindex: choose ? 0 : null,
      "aria-label": label,
    },
    canvas,
    outline,
  );
  if (choose && mark) listen(node, side, mark, choose);
  return node;
}

/**
 * @param {HTMLElement} node
 * @param {number} side
 * @param {{row: number, column: number, size: number}} mark
 * @param {(row: number, column: number) => void} choose
 */
function listen(node, side, mark, choose) {
  const last = side - mark.size;
  /** @param {number} n */
  const bound = (n) => Math.max(0, Math.min(last, n));
  let [row, column] = [mark.row, mark.column];
  /** @param {number} y @param {number} x */
  const to = (y, x) => {
    if (bound(y) === row && bound(x) === column) return;
    [row, column] = [bound(y), bound(x)];
    choose(row, column);
  };
  const middle = (mark.size - 1) / 2;
  node.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button) return;
    event.preventDefault();
    node.focus();
    const box = node.getBoundingClientRect(); // the square stays where it is while its element is replaced
    /** @param {PointerEvent} pointer */
    const point = ({ clientX, clientY }) =>
      to(
        Math.floor(((clientY - box.top) / box.height) * side - middle),
        Math.floor(((clientX - box.left) / box.width) * side - middle),
      );
    const ended = new AbortController();
    addEventListener("pointermove", point, { signal: ended.signal });
    for (const name of ["pointerup", "pointercancel", "blur"])
      addEventListener(name, () => ended.abort(), { signal: ended.signal });
    point(event);
  });
  node.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const by = /** @type {Record<string, number[]>} */ ({
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    })[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    to(row + by[0], column + by[1]);
  });
}
