/** All channels at once, in their own order, so that what is folded is still seen. */

import { cell } from "./color.js";
import { el } from "./element.js";
import { count, signed, whole } from "./numbers.js";
import { scan } from "./maps.js";

const HALF = 28;

/**
 * One bar for each sum, up for positive, down for negative.
 * @param {number[]} sums
 * @param {{noun: string, together?: number, marks: number[], read: (sentence: string) => void}} about
 *   noun: what one bar is of; together: of how many neighbors; marks: the places that are written out below
 */
export function barcode(sums, { noun, together = 1, marks, read }) {
  const step = Math.max(2, Math.floor(1024 / sums.length));
  const said = together > 1 ? `each bar the sum of ${together} neighbors` : "in order";
  const total = together > 1 ? `${count(sums.length)} bars for all ${noun}s` : `All ${count(sums.length)} ${noun}s`;
  const canvas = /** @type {HTMLCanvasElement} */ (
    el("canvas", {
      class: "bars",
      width: sums.length * step,
      height: HALF * 2,
      role: "img",
      "aria-label": `Sums of ${total}`,
    })
  );
  paint(canvas, sums, step);
  canvas.addEventListener("pointermove", (event) => {
    const place = Math.floor((event.offsetX / canvas.clientWidth) * sums.length);
    if (sums[place] !== undefined)
      read(
        `${noun} ${together > 1 ? `${place * together} to ${(place + 1) * together - 1}` : place}: ${whole(sums[place])}`,
      );
  });
  const at = (place) => `${(100 * (Math.floor(place / together) + 0.5)) / sums.length}%`;
  return el(
    "figure",
    { class: "barcode" },
    canvas,
    el("div", { class: "marks" }, ...marks.map((place) => el("i", { style: { left: at(place) } }))),
    el(
      "figcaption",
      { class: "caption" },
      `${total}, ${said}, up for positive, down for negative; the tallest is ${signed(tallest(sums), 3)}.${marks.length ? " The marked ones are written out below." : ""}`,
    ),
  );
}

const tallest = (sums) => sums.reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best), 0);

function paint(canvas, sums, step) {
  const pen = canvas.getContext("2d");
  const { peak } = scan(sums);
  const [up, down] = [cell(0.62, 1).background, cell(-0.62, 1).background];
  for (const [place, sum] of sums.entries()) {
    if (!sum || !Number.isFinite(sum)) continue;
    const high = Math.max((Math.abs(sum) / peak) * HALF, 0.5);
    pen.fillStyle = sum > 0 ? up : down;
    pen.fillRect(place * step, sum > 0 ? HALF - high : HALF, step > 2 ? step - 2 : 2, high);
  }
}
