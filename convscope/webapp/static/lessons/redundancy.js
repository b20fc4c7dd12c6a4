/** Lesson: neighboring pixels are alike, and what becomes of that when they are shuffled. */

/** @import { Lesson, PixelOrder, RedundancyAnswer } from "./types.js" */

import { el, styles } from "../element.js";
import { count, fixed, percent, several } from "../numbers.js";
import { again, controls, figure, pills, remark } from "./parts.js";
import { gray, pixels } from "./pixels.js";
import { cloud, distances } from "./shift_chart.js";
import { slider } from "./slider.js";
import { sideways } from "./sideways.js";

await styles("lesson_figures.css");
await styles("lesson_networks.css");
await styles("lesson_learning.css");
await styles("lesson_motives.css");

/** @type {Record<string, string>} */
const NAMES = { plain: "The photograph", shuffled: "Its pixels, shuffled" };
const SHOWN = 200; // screen pixels of a picture's side

/** @type {Lesson<RedundancyAnswer>} */
export const lesson = {
  lead:
    "Neighboring pixels of a photograph have almost the same value: who knows one of them can nearly guess the next. " +
    "Shuffle the pixels, and that is gone. A dense layer would not notice, since it does not know which pixels are " +
    "neighbors. A filter lives on it.",
  start: { picture: "palace", shift: 1, direction: "right" },

  draw(answer, state, set) {
    const [shift, side] = [Number(state.shift), answer.side];
    const [plain, mixed] = answer.orders;
    const further = `${several(shift, "pixel")} further ${state.direction === "right" ? "to the right" : "down"}`;
    return [
      controls(
        pills("Picture", ["palace", "flower"], String(state.picture), (picture) => set({ picture })),
        slider("Distance", shift, {
          low: 1,
          high: 32,
          step: 1,
          text: several(shift, "pixel"),
          set: (value) => set({ shift: value }),
        }),
        pills("Direction", ["right", "down"], String(state.direction), (direction) => set({ direction })),
        again(() => set({ ...lesson.start })),
      ),
      el("div", { class: "halves" }, ...answer.orders.map((one) => shown(one, side, further))),
      el(
        "div",
        { class: "card lesson-card" },
        figure(
          "Correlation of two pixels",
          `over their distance, ${state.direction === "right" ? "in a row" : "in a column"}`,
          distances(
            answer.orders.map((one) => ({
              name: one.order === "plain" ? "photograph" : "shuffled",
              values: one.correlations,
            })),
            shift,
            `Correlation ${fixed(plain.correlation, 3)} in the photograph, ${fixed(mixed.correlation, 3)} shuffled`,
          ),
        ),
        remark(
          `${further[0].toUpperCase()}${further.slice(1)}, r is ${fixed(plain.correlation, 3)}: a straight line ` +
            `through the points leaves ${percent(plain.left)} of the variance. Of the shuffled pixels it leaves ` +
            `${percent(mixed.left)}: nothing can be guessed.`,
        ),
      ),
      effects(answer.effects),
    ];
  },
};

/** A picture and its pairs. @param {PixelOrder} one @param {number} side @param {string} further */
function shown(one, side, further) {
  const name = NAMES[one.order];
  return el(
    "div",
    { class: "card lesson-card" },
    el(
      "div",
      { class: "picture-and-cloud" },
      figure(
        name,
        `${side}×${side}`,
        pixels({ canvas: gray(one.levels, side), side, scale: SHOWN / side, label: name }),
      ),
      figure("Pixel and neighbor", further, cloud(one.pairs, `${name}: a pixel against the one ${further}`)),
    ),
    el(
      "p",
      { "data-said": true },
      "r = ",
      el("strong", {}, fixed(one.correlation, 3)),
      `; two pixels differ by ${fixed(one.difference, 1)} of 255 gray levels on average.`,
    ),
  );
}

/** What the shuffle does to a dense unit and to a filter. @param {RedundancyAnswer["effects"]} effects */
function effects({ plain, shuffled, moved, edges, times }) {
  /** @param {string} name @param {string} now @param {string} then @param {string} [note] */
  const row = (name, now, then, note = "") =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      el("td", {}, now),
      el("td", {}, then),
      el("td", { class: "text" }, note),
    );
  return el(
    "section",
    { class: "card counts", "aria-label": "What the shuffle does to a unit" },
    el("h3", {}, "Who notices the shuffle?"),
    sideways(
      "shuffle",
      el(
        "table",
        { class: "figures wrapping" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("td", {}),
            el("th", { scope: "col" }, "photograph"),
            el("th", { scope: "col" }, "shuffled"),
            el("td", {}),
          ),
        ),
        el(
          "tbody",
          {},
          row("dense unit, its weights as they are", count(plain), count(shuffled)),
          row("dense unit, its weights shuffled alike", count(plain), count(moved), "the same sum"),
          row(
            "filter for vertical edges, mean magnitude of its map",
            fixed(edges[0], 1),
            fixed(edges[1], 1),
            `×${fixed(times, 1)}: edges everywhere`,
          ),
        ),
      ),
    ),
    remark(
      "If all images are shuffled in the same way, a dense layer learns the same as before: its weights only stand in " +
        "another order. For nine weights that all positions share, no order helps: in shuffled images no small window " +
        "holds anything that belongs together.",
    ),
  );
}
