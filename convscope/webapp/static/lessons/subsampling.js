/** Lesson: a photograph with fewer pixels still shows the same. */

/** @import { Lesson, LessonState, SubsamplingAnswer } from "./types.js" */

import { el, styles } from "../element.js";
import { count, fixed, percent } from "../numbers.js";
import { numberField } from "./number_field.js";
import { again, columnHeads, controls, figure, pills, remark } from "./parts.js";
import { gray, pixels } from "./pixels.js";
import { sideways } from "./sideways.js";

await styles("lesson_figures.css");
await styles("lesson_motives.css");

const SHOWN = 208; // screen pixels of a picture's side, however many it has
/** @type {Record<string, string>} */
const NAMES = { stride: "First pixels", mean: "Means", max: "Maxima" };

/** @type {Lesson<SubsamplingAnswer>} */
export const lesson = {
  lead:
    "Take one pixel of every four: the palace stays a palace. What a network must recognize rarely depends on the last " +
    "pixel, and a smaller image needs fewer weights. What is lost are details as fine as the pixels that were left out.",
  start: { picture: "palace", factor: "2", hidden: 1000 },

  draw(answer, state, set) {
    const { side, small, levels, brightness, kinds } = answer;
    const factor = Number(state.factor);
    return [
      controls(
        pills("Picture", ["palace", "flower"], String(state.picture), (picture) => set({ picture })),
        pills(
          "Blocks of",
          ["2", "4", "8"],
          String(state.factor),
          (value) => set({ factor: value }),
          (f) => `${f}×${f}`,
        ),
        again(() => set({ ...lesson.start })),
      ),
      el(
        "div",
        { class: "card reduced" },
        picture("The photograph", `${side}×${side}`, levels, side, `mean gray level ${fixed(brightness, 1)}`),
        ...kinds.map((one) =>
          picture(
            NAMES[one.kind],
            `${small}×${small}`,
            one.levels,
            small,
            `mean gray level ${fixed(one.brightness, 1)}; off by ${fixed(one.error, 1)} per pixel`,
          ),
        ),
      ),
      remark(
        `Of each block of ${factor}×${factor} one value is left; all pictures are drawn at the same size. ${count(side * side)} pixels became ${count(small * small)}, ` +
          `1 of ${factor * factor}. The mean comes closest to the photograph; the maximum brightens it; of a line that ` +
          "is one pixel wide, the first pixel of each block may show nothing. In a network, max pooling is applied to " +
          "maps, where a large value says that something was found.",
      ),
      sizes(answer, state, (hidden) => set({ hidden })),
    ];
  },
};

/** @param {string} name @param {string} size @param {number[]} levels @param {number} side @param {string} text */
const picture = (name, size, levels, side, text) =>
  figure(
    name,
    size,
    pixels({ canvas: gray(levels, side), side, scale: SHOWN / side, label: `${name}, ${size}` }),
    el("p", { class: "caption" }, text),
  );

/** @param {SubsamplingAnswer} answer @param {LessonState} state @param {(hidden: number) => void} set */
function sizes({ sizes: rows }, state, set) {
  return el(
    "section",
    { class: "card counts", "aria-label": "Weights of a dense layer" },
    el("h3", {}, "Weights of a dense layer behind it"),
    controls(numberField("Units of the layer", Number(state.hidden), { low: 1, high: 10_000, whole: true, set })),
    sideways(
      "sizes",
      el(
        "table",
        { class: "figures" },
        columnHeads(["image", "pixels", "of all", "weights", "saved"]),
        el(
          "tbody",
          {},
          ...rows.map((one) =>
            el(
              "tr",
              { class: String(one.factor) === state.factor ? "now" : null },
              el("th", { scope: "row" }, `${one.side}×${one.side}`),
              el("td", {}, count(one.pixels)),
              el("td", {}, one.share === 1 ? "all" : percent(one.share)),
              el("td", {}, count(one.weights)),
              el("td", {}, one.factor === 1 ? "–" : count(one.saved)),
            ),
          ),
        ),
      ),
    ),
    remark(
      "A filter has as many weights as before, since they do not depend on the size of the image; but it has fewer " +
        "positions, and its window covers more of the picture.",
    ),
  );
}
