/** Every two maps of a layer as a picture: pointed at, it names both and how alike they are; pressed, it opens one. */

/** @import { LayerRedundancy, Similarity } from "./types.js" */

import { picture } from "../color.js";
import { el, write } from "../element.js";
import { fixed } from "../numbers.js";

const SIDE = 420; // pixels of the picture, at most
const CELL = 22; // of a map in it, at most

/**
 * A closed picture, which is asked for when it is opened.
 * @param {LayerRedundancy} layer
 * @param {() => Promise<Similarity | null>} ask
 * @param {(map: number, pressed: EventTarget) => void} open
 */
export function similarityPicture(layer, ask, open) {
  const place = el("div", { class: "every-two" });
  const details = el(
    "details",
    { class: "card" },
    el("summary", {}, `How alike every two of the ${layer.maps} maps are`),
    place,
  );
  details.addEventListener("toggle", async () => {
    if (!details.open || place.childElementCount) return;
    const found = await ask();
    place.replaceChildren(
      ...(found ? drawn(layer, found, open) : [el("p", { class: "note" }, "Compare the maps again.")]),
    );
  });
  return details;
}

/** @param {LayerRedundancy} layer @param {Similarity} found @param {(map: number, pressed: EventTarget) => void} open */
function drawn(layer, { order, percent }, open) {
  const count = order.length;
  const values = Int8Array.from(atob(percent), (letter) => letter.charCodeAt(0));
  const canvas = picture(values, count, count, 100);
  const side = Math.min(SIDE, CELL * count);
  let [row, column] = [0, 0];
  canvas.style.width = `${side}px`;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute(
    "aria-label",
    `How alike every two maps of ${layer.layer} are; arrow keys go from pair to pair, Enter opens the map of the row`,
  );
  const text = () => {
    const value = fixed(values[count * row + column] / 100, 2);
    if (row === column) return `Map ${order[row]}. Press to open it.`;
    const measure = row > column ? "correlation" : "CKA";
    return `Maps ${order[row]} and ${order[column]}: ${measure} ${value}. Press to open map ${order[row]}.`;
  };
  const said = el("p", { class: "caption", role: "status" }, "Point at a cell to read it.");
  const choose = (/** @type {number} */ y, /** @type {number} */ x) => {
    const within = (/** @type {number} */ n) => Math.max(0, Math.min(count - 1, n));
    [row, column] = [within(y), within(x)];
    write(said, text());
  };
  /** @param {PointerEvent | MouseEvent} event */
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const cell = (/** @type {number} */ n, /** @type {number} */ all) => Math.floor((count * n) / all);
    choose(cell(event.clientY - box.top, box.height), cell(event.clientX - box.left, box.width));
  };
  canvas.addEventListener("pointermove", at);
  canvas.addEventListener("click", (event) => {
    at(event);
    open(order[row], canvas);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Enter") return open(order[row], canvas);
    if (!step) return;
    event.preventDefault();
    choose(row + step[0], column + step[1]);
  });
  const about =
    "Below the diagonal the correlation of the two maps over all units, above it their CKA, which also counts a " +
    "pattern as the same that lies elsewhere. Orange is −1, blue 1. Twins are side by side, dead maps last.";
  return [canvas, said, el("p", { class: "caption" }, about)];
}
