/** Lesson: a border of zeros around an image of 6×6. */

/** @import { Lesson, LessonState, PaddingAnswer, SetState } from "./types.js" */

import { peakOf } from "../color.js";
import { el } from "../element.js";
import { count, fixed, several } from "../numbers.js";
import { again, controls, figure, formula, pills, remark, scene, stepper, sum } from "./parts.js";
import { decimalsOf, lattice, put, windowed } from "./lattice.js";
import { filled, slide } from "./slide.js";

const SIDE = 6;
const IMAGE = [
  5, 1, 7, 7, 8, 1, 7, 2, 5, 7, 8, 1, 5, 3, 5, 4, 4, 2, 4, 4, 3, 3, 2, 1, 3, 3, 4, 7, 8, 1, 5, 7, 8, 2, 3, 1,
];
/** @type {Record<string, string>} */
const WORDS = { edges: "vertical edges", sum: "sum" };
const PADDINGS = ["0", "1", "2", "3", "4", "5", "6", "valid", "same"];
/** @type {Record<string, number>} */
const FRAME = { valid: 0, same: 8 }; // large enough for "same" with any filter

/** How large cells are drawn. @param {number} side @param {number} many @param {number} most */
function sizeFor(side, many, most) {
  if (side > most) return "tiny";
  return side > many ? "small" : undefined;
}

/** The largest filter that fits. @param {string | number | number[]} padding */
const largest = (padding) => Math.min(8, SIDE + 2 * (FRAME[String(padding)] ?? Number(padding)));

/** @type {Lesson<PaddingAnswer>} */
export const lesson = {
  lead:
    "Without padding a map is smaller than its image, and the pixels at the edge are read less often than those in " +
    "the middle: the corner once, the center nine times. A border of zeros lets the filter sit on the edge. " +
    "“Valid” means no padding; “same” is the padding that keeps the size.",
  start: { image: IMAGE, kernel: 3, padding: "1", filter: "edges", bias: 0, at: 0, layers: 6 },

  fit: (state) => ({ ...state, kernel: Math.min(Number(state.kernel), largest(state.padding)) }),

  draw(answer, state, set) {
    const kernel = Number(state.kernel);
    const image = /** @type {number[]} */ (state.image);
    /** @param {number} i */
    const place = (i) => (Math.floor(i / answer.wide) - answer.before) * SIDE + (i % answer.wide) - answer.before;
    const size = sizeFor(answer.wide, 8, 12);
    const play = slide("padding", { at: answer.at, count: answer.sums.length, set: (at) => set({ at }) });
    /** @param {LessonState} what */
    const change = (what) => set({ ...what, at: 0 });
    const grid = lattice({
      columns: answer.wide,
      values: answer.framed,
      label: "image",
      first: -answer.before,
      outside: answer.outside,
      marked: answer.patch,
      edit: (i, v) => set({ image: put(image, place(i), v) }),
      size,
    });
    const [row, column] = [Math.floor(answer.at / answer.map), answer.at % answer.map];
    return [
      scene(
        figure("Image", frameName(answer), windowed(grid, answer.wide, [{ row, column, size: kernel, kind: "now" }])),
        "∗",
        figure(
          "Filter",
          `${kernel}×${kernel}`,
          lattice({
            columns: kernel,
            values: answer.filter,
            label: "filter",
            paint: 1.3 * peakOf(answer.filter),
            size: kernel > 5 || answer.wide > 14 ? "tiny" : "small",
          }),
          el(
            "p",
            { class: "row bias-of" },
            el("span", { class: "caption" }, "bias"),
            lattice({
              columns: 1,
              values: [Number(state.bias)],
              label: "bias",
              size: "small",
              edit: (_, bias) => set({ bias }),
            }),
          ),
        ),
        "=",
        figure(
          "Feature map",
          `${answer.map}×${answer.map}`,
          lattice({
            columns: answer.map,
            values: filled(answer.sums, play.reached),
            label: "map",
            paint: peakOf(answer.sums),
            marked: [answer.at],
            choose: (at) => set({ at }),
            size: sizeFor(answer.map, 6, 12),
          }),
        ),
      ),
      sum(answer.terms, answer.total, { bias: answer.bias || null, most: 18 }),
      controls(pills("Padding", PADDINGS, String(state.padding), (padding) => change({ padding }))),
      controls(
        stepper("Filter size", kernel, {
          low: 1,
          high: largest(state.padding),
          set: (value) => change({ kernel: value }),
        }),
        play.button,
        pills(
          "Filter for",
          Object.keys(WORDS),
          String(state.filter),
          (filter) => set({ filter }),
          (name) => WORDS[name],
        ),
        again(() => set({ ...lesson.start })),
      ),
      remark(el("b", {}, formula(answer.formula)), " rows and columns.", answer.reason ? same(answer) : ""),
      answer.blind
        ? remark(
            `${several(answer.blind, "window")} of ${count(answer.map ** 2)} ${answer.blind === 1 ? "sees" : "see"} ` +
              "only zeros. Whatever the image shows, the value there is the bias: " +
              `${fixed(answer.bias, decimalsOf([answer.bias]))}.`,
          )
        : null,
      el("div", { class: "pair" }, reading(answer, kernel), deep(answer, state, set)),
    ];
  },
};

/** @param {PaddingAnswer} answer */
function frameName({ before, after, wide }) {
  if (wide === SIDE) return "6×6, no padding";
  const padding = before === after ? `padding ${before}` : `padding ${before} before and ${after} after`;
  return `6×6, ${padding}: ${wide}×${wide}`;
}

/** How the padding of "same" is computed. @param {PaddingAnswer} answer */
const same = ({ reason, before, after }) =>
  before === after
    ? ` “Same” pads each side by ${formula(reason)}.`
    : ` “Same” would pad each side by ${formula(reason)}; a filter of even size has no middle, so ${before} go ` +
      `before the image and ${after} after it.`;

/** How often each pixel is read. @param {PaddingAnswer} answer @param {number} kernel */
function reading({ counts, reads, blind, before }, kernel) {
  /** @param {number} n */
  const times = (n) => ["never", "once"][n] ?? `${n} times`;
  const corner =
    reads.first === reads.last
      ? `A corner is read ${times(reads.first)}`
      : `The first corner is read ${times(reads.first)}, the last one ${times(reads.last)}`;
  const alike =
    kernel === 1
      ? "A filter of one cell reads every pixel once."
      : `Every pixel is read ${times(reads.most)}: each cell of the filter covers each of them ` +
        `once.${blind ? " More padding adds nothing but zeros." : ""}`;
  const said = reads.alike
    ? alike
    : `${corner}, a pixel in the middle ${times(reads.most)}. What is read less often has less influence on the ` +
      `map.${before ? "" : " Add padding and compare."}`;
  return el(
    "div",
    { class: "card" },
    figure(
      "How often each pixel is read",
      "",
      lattice({ columns: SIDE, values: counts, label: "times read", paint: 1.2 * reads.most, size: "small" }),
    ),
    el("p", { class: "remark", "data-said": true }, said),
  );
}

/**
 * The same layer, repeated, from an image of 32×32.
 * @param {PaddingAnswer} answer @param {LessonState} state @param {SetState} set
 */
function deep(answer, state, set) {
  const layers = Number(state.layers);
  const sides = answer.deep;
  const scale = Math.min(2.5, 72 / Math.max(...sides));
  const done = sides.length - 1;
  const kernel = Number(state.kernel);
  const last = sides[done];
  let how = "The size stays the same.";
  if (last > sides[0]) how = "The maps grow: there is more padding than the filter needs.";
  else if (last < sides[0])
    how =
      `${several(done, "layer")} of ${kernel}×${kernel} ${done === 1 ? "removes" : "remove"} ${sides[0] - last} ` +
      "rows and columns.";
  const end =
    done < layers
      ? ` Layer ${done + 1} does not fit: ${last}×${last} is too small for a filter of ${kernel}×${kernel}.`
      : "";
  return el(
    "div",
    { class: "card deep" },
    el(
      "div",
      { class: "row spread" },
      el("b", {}, "The same layer, repeated"),
      stepper("Layers", layers, { low: 1, high: 16, set: (value) => set({ layers: value }) }),
    ),
    el(
      "ol",
      { class: "shrinking" },
      ...sides.map((side, i) =>
        el(
          "li",
          {},
          el("span", {
            class: "square",
            style: { width: `${Math.max(3, side * scale)}px`, height: `${Math.max(3, side * scale)}px` },
          }),
          el("b", {}, String(side)),
          el("span", {}, i ? `layer ${i}` : "image"),
        ),
      ),
    ),
    el("p", { class: "remark", "data-said": true }, how + end),
  );
}
