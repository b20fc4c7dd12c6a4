/** Lesson: from an image to its feature map, and through bias and activation function to its activation map. */

/** @import { Lesson, LessonState, MapsAnswer, SetState } from "./types.js" */

import { peakOf } from "../color.js";
import { el, styles } from "../element.js";
import { fixed, percent, signed } from "../numbers.js";
import { curveOf, histogram } from "./curves.js";
import { again, controls, figure, pills, remark, scene, sum } from "./parts.js";
import { lattice, put } from "./lattice.js";
import { colored, gray, pixels } from "./pixels.js";
import { slider } from "./slider.js";

await styles("lesson_figures.css");

/** @type {Record<string, number[]>} */
const FILTERS = {
  "vertical edges": [1, 0, -1, 2, 0, -2, 1, 0, -1],
  "horizontal edges": [1, 2, 1, 0, 0, 0, -1, -2, -1],
  Laplace: [0, 1, 0, 1, -4, 1, 0, 1, 0],
  mean: Array(9).fill(1 / 9),
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
};
/** @type {Record<string, number>} */
const WIDTHS = { digit: 7, photograph: 3 }; // screen pixels for each of the image's
/** @type {Record<string, string>} */
const ACTIVATIONS = {
  ReLU: "Negative values become 0; the others are unchanged.",
  "leaky ReLU": "Negative values shrink to a tenth; the others are unchanged. No unit dies.",
  tanh: "Large sums saturate at −1 and 1.",
  "scaled tanh": "LeNet-5's 1.7159 · tanh(2/3 · sum): 1 stays 1, and large sums saturate at −1.7 and 1.7.",
  sigmoid: "All values lie between 0 and 1; a sum of 0 becomes 0.5, and no unit is exactly 0.",
};

/** @type {Lesson<MapsAnswer>} */
export const lesson = {
  lead:
    "Slide one filter over a whole image: its sums are the feature map. Then add the bias, the same number " +
    "everywhere, and apply the activation function to each sum: that is the activation map, which the next layer " +
    "reads. Choose a unit in any of the images, or move with the arrow keys.",
  start: { picture: "photograph", filter: FILTERS["vertical edges"], bias: 0, activation: "ReLU", at: 1680 },

  draw(answer, state, set) {
    const { unit } = answer;
    const filter = /** @type {number[]} */ (state.filter);
    const known = Object.keys(FILTERS).find((name) => FILTERS[name].join() === filter.join()) ?? "own";
    return [
      controls(
        pills("Image", Object.keys(WIDTHS), String(state.picture), (picture) =>
          set({ picture, at: picture === "digit" ? 198 : 1680 }),
        ),
        pills("Filter", Object.keys(FILTERS), known, (name) => set({ filter: FILTERS[name] })),
        again(() => set({ ...lesson.start })),
      ),
      images(answer, state, set),
      controls(
        slider("Bias", Number(state.bias), {
          low: -4,
          high: 4,
          step: 0.05,
          text: signed(Number(state.bias), 2),
          set: (bias) => set({ bias }),
        }),
        pills("Activation", Object.keys(ACTIVATIONS), String(state.activation), (activation) => set({ activation })),
      ),
      sum(unit.terms, unit.before, { bias: unit.bias }),
      figures(answer, state),
    ];
  },
};

/** @param {MapsAnswer} answer @param {LessonState} state @param {SetState} set */
function images(answer, state, set) {
  const { unit, side, map, peak } = answer;
  const filter = /** @type {number[]} */ (state.filter);
  const scale = WIDTHS[String(state.picture)] ?? 3;
  /** @param {number} row @param {number} column */
  const choose = (row, column) => set({ at: row * map + column });
  const place = `row ${unit.row}, column ${unit.column}`;
  const one = { row: unit.row, column: unit.column, size: 1 };
  /** @param {number[]} values @param {string} label @param {number} value @returns {[HTMLElement, HTMLElement]} */
  const board = (values, label, value) => [
    pixels({
      canvas: colored(values, map, peak),
      side: map,
      scale,
      mark: one,
      choose,
      label: `${label}. Arrow keys move the unit.`,
    }),
    el(
      "p",
      { class: "caption reading", "data-said": `${label} ${place}: ${fixed(value, 3)}.` },
      `${place}: `,
      el("b", {}, fixed(value, 3)),
    ),
  ];
  return scene(
    figure(
      "Image",
      `${side}×${side}`,
      pixels({
        canvas: gray(answer.levels, side),
        side,
        scale,
        mark: { ...one, size: 3 },
        choose,
        label: "Image. Arrow keys move the patch.",
      }),
      el("p", { class: "caption reading" }, "black is 0, white is 1"),
    ),
    "∗",
    figure(
      "Filter",
      "3×3",
      lattice({
        columns: 3,
        values: filter,
        label: "filter",
        paint: 1.3 * peakOf(filter),
        edit: (i, v) => set({ filter: put(filter, i, v) }),
      }),
    ),
    "=",
    figure("Feature map", `${map}×${map}`, ...board(answer.sums, "Feature map", unit.sum)),
    "→",
    figure("Activation map", `${map}×${map}`, ...board(answer.after, "Activation map", unit.after)),
    el(
      "p",
      { class: "caption scale-of" },
      peak
        ? `One scale for both maps, from ${fixed(-peak, 2)} (orange) to ${fixed(peak, 2)} (blue).`
        : "Both maps are 0 everywhere.",
    ),
  );
}

/** @param {MapsAnswer} answer @param {LessonState} state */
function figures(answer, state) {
  const {
    unit,
    histograms: { peak, before, after },
  } = answer;
  const name = String(state.activation);
  const equation = `${name} of ${fixed(unit.before, 3)} is ${fixed(unit.after, 3)}`;
  return el(
    "div",
    { class: "card three" },
    el(
      "figure",
      {},
      el("figcaption", {}, el("b", {}, name), " ", el("span", { class: "caption" }, "sum + bias → unit")),
      curveOf(answer.curve, unit, equation),
      el("p", { class: "caption", "data-said": true }, `${equation}.`),
    ),
    el(
      "figure",
      {},
      el(
        "figcaption",
        {},
        el("b", {}, "Sum + bias"),
        " ",
        el("span", { class: "caption" }, "number of units by value"),
      ),
      histogram(before, peak, "Histogram of the sums with bias"),
      el("p", { class: "caption" }, `${share(answer.below)} of the units are below 0.`),
    ),
    el(
      "figure",
      {},
      el("figcaption", {}, el("b", {}, "Activation map"), " ", el("span", { class: "caption" }, "the same scale")),
      histogram(after, peak, "Histogram of the activation map"),
      el("p", { class: "caption", "data-said": true }, `${share(answer.zero)} of the units are exactly 0.`),
    ),
    remark(
      ACTIVATIONS[name],
      " ",
      "Try a bias of −1: only strong edges remain. The bias shifts the whole histogram, the activation changes " +
        "its shape.",
    ),
  );
}

/** A share that may be none or all. @param {number} p */
const share = (p) => (p === 0 ? "None" : p === 1 ? "All" : percent(p));
