/** All channels at once, in their own order, so that what is folded is still seen. */

import { cell } from "./color.js";
import { contextOf, el } from "./element.js";
import { count, signed, whole } from "./numbers.js";
import { scan } from "./planes.js";

const HALF = 28;

/**
 * One bar for each sum, up for positive, down for negative.
 * @param {number[]} sums
 * @param {{noun: string, together?: number, marks: number[], read: (sentence: string) => void}} about
 *   noun: what one bar is of; together: of how many neighbors; marks: the places that are written out below
 */
export function barcode(sums, { noun, together = 1, marks, read }) {
  const step = Math.max(2, Math.floor(1024 / sums.length));
  const order = together > 1 ? `each bar the sum of ${together} neighbors` : "in order";
  const total = together > 1 ? `${count(sums.length)} bars for all ${noun}s` : `All ${count(sums.length)} ${noun}s`;
  const canvas = el("canvas", {
    class: "bars",
    width: sums.length * step,
    height: HALF * 2,
    role: "img",
    "aria-label": `Sums of ${total}`,
  });
  paint(canvas, sums, step);
  canvas.addEventListener("pointermove", (event) => {
    const index = Math.floor((event.offsetX / canvas.clientWidth) * sums.length);
    if (sums[index] === undefined) return;
    const which = together > 1 ? `${index * together} to ${(index + 1) * together - 1}` : index;
    read(`${noun} ${which}: ${whole(sums[index])}`);
  });
  /** @param {number} index */
  const at = (index) => `${(100 * (Math.floor(index / together) + 0.5)) / sums.length}%`;
  const scale = `up for positive, down for negative; the tallest is ${signed(tallest(sums), 3)}.`;
  const marked = marks.length ? " The marked ones are written out below." : "";
  return el(
    "figure",
    { class: "barcode" },
    canvas,
    el("div", { class: "marks" }, ...marks.map((index) => el("i", { style: { left: at(index) } }))),
    el("figcaption", { class: "caption" }, `${total}, ${order}, ${scale}${marked}`),
  );
}

/** @param {number[]} sums */
const tallest = (sums) => sums.reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best), 0);

/** @param {HTMLCanvasElement} canvas @param {number[]} sums @param {number} step */
function paint(canvas, sums, step) {
  const pen = contextOf(canvas);
  const { peak } = scan(sums);
  const [up, down] = [cell(0.62, 1).background, cell(-0.62, 1).background];
  for (const [index, sum] of sums.entries()) {
    if (!sum || !Number.isFinite(sum)) continue;
    const high = Math.max((Math.abs(sum) / peak) * HALF, 0.5);
    pen.fillStyle = sum > 0 ? up : down;
    pen.fillRect(index * step, sum > 0 ? HALF - high : HALF, step > 2 ? step - 2 : 2, high);
  }
}
