/** Lesson: the filter takes larger steps. */

/** @import { Lesson, LessonState, StrideAnswer, WindowOver } from "./types.js" */

import { peakOf } from "../color.js";
import { el } from "../element.js";
import { count } from "../numbers.js";
import { again, controls, figure, formula, pills, remark, scene, stepper, sum } from "./parts.js";
import { lattice, put, windowed } from "./lattice.js";
import { filled, slide } from "./slide.js";

const LARGEST = 12; // rows and columns of the image, of which the first are taken
const IMAGE = [
  5, 1, 7, 7, 8, 1, 3, 2, 6, 4, 1, 5, 7, 2, 5, 7, 8, 1, 4, 2, 0, 7, 3, 6, 5, 3, 5, 4, 4, 2, 8, 6, 1, 2, 5, 3, 4, 4, 3,
  3, 2, 1, 7, 5, 2, 4, 8, 1, 3, 3, 4, 7, 8, 1, 6, 0, 3, 5, 2, 7, 5, 7, 8, 2, 3, 1, 1, 4, 6, 8, 0, 2, 2, 6, 1, 5, 7, 3,
  8, 2, 4, 1, 6, 5, 8, 0, 4, 6, 1, 7, 3, 5, 2, 6, 4, 8, 1, 5, 3, 2, 8, 4, 6, 1, 7, 3, 5, 0, 6, 4, 7, 1, 3, 5, 2, 8, 0,
  4, 7, 3, 3, 8, 2, 4, 6, 0, 5, 7, 1, 2, 3, 6, 7, 1, 5, 8, 2, 6, 4, 3, 5, 7, 1, 4,
];
/** @type {Record<string, string>} */
const WORDS = { edges: "vertical edges", sum: "sum" };

/** @type {Lesson<StrideAnswer>} */
export const lesson = {
  lead:
    "With stride 2 the filter moves by two cells at a time, and the map has about half the rows and columns. It is " +
    "a cheap way to a smaller map, with a price: cells where the filter no longer fits are not read. Choose a " +
    "stride larger than the filter and look for the gaps.",
  start: { image: IMAGE, side: 6, kernel: 3, stride: 2, filter: "edges", at: 0 },

  fit: (state) => ({ ...state, kernel: Math.min(Number(state.kernel), Number(state.side)) }),

  draw(answer, state, set) {
    const [side, kernel, stride] = [Number(state.side), Number(state.kernel), Number(state.stride)];
    const image = /** @type {number[]} */ (state.image);
    const size = side > 7 ? "small" : undefined;
    /** @param {number} place @param {number} value */
    const edit = (place, value) =>
      set({ image: put(image, Math.floor(place / side) * LARGEST + (place % side), value) });
    const play = slide("stride", { at: answer.at, count: answer.sums.length, set: (at) => set({ at }) });
    /** @param {LessonState} what */
    const change = (what) => set({ ...what, at: 0 });
    const grid = lattice({
      columns: side,
      values: answer.image,
      label: "image",
      marked: answer.patch,
      missed: answer.unread,
      edit,
      size,
    });
    return [
      scene(
        figure("Image", `${side}×${side}`, windowed(grid, side, windows(answer, kernel))),
        "∗",
        figure(
          "Filter",
          `${kernel}×${kernel}`,
          lattice({
            columns: kernel,
            values: answer.filter,
            label: "filter",
            paint: 1.3 * peakOf(answer.filter),
            size: kernel > 3 ? "small" : size,
          }),
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
            size: answer.map > 5 ? "small" : undefined,
          }),
        ),
      ),
      sum(answer.terms, answer.total, { most: 18 }),
      controls(
        stepper("Stride", stride, { low: 1, high: 8, set: (value) => change({ stride: value }) }),
        stepper("Filter size", kernel, { low: 1, high: side, set: (value) => change({ kernel: value }) }),
        stepper("Image side", side, { low: 5, high: LARGEST, set: (value) => change({ side: value }) }),
      ),
      controls(
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
      remark(el("b", {}, formula(answer.formula)), " rows and columns."),
      unread(answer, side, kernel, stride),
      answer.next === side
        ? null
        : remark(
            `The next image that is read up to its edge has ${answer.next}×${answer.next} cells.`,
            answer.next > LARGEST
              ? ""
              : el(
                  "button",
                  { class: "pill", onclick: () => change({ side: answer.next }) },
                  `Take ${answer.next}×${answer.next}`,
                ),
          ),
    ];
  },
};

/**
 * The chosen window, the next ones to the right and below, and a mark where each one starts.
 * @param {StrideAnswer} answer @param {number} kernel @returns {WindowOver[]}
 */
function windows({ starts, at, map }, kernel) {
  const [row, column] = [starts[Math.floor(at / map)], starts[at % map]];
  /** @param {number} y @param {number} x @param {WindowOver["kind"]} kind @returns {WindowOver} */
  const over = (y, x, kind) => ({ row: y, column: x, size: kernel, kind });
  const [below, right] = [starts[Math.floor(at / map) + 1], starts[(at % map) + 1]];
  return [
    ...starts.flatMap((y) => starts.map((x) => over(y, x, "start"))),
    ...(right === undefined ? [] : [over(row, right, "next")]),
    ...(below === undefined ? [] : [over(below, column, "next")]),
    over(row, column, "now"),
  ];
}

/**
 * Which cells no window reads, and why.
 * @param {StrideAnswer} answer @param {number} side @param {number} kernel @param {number} stride
 */
function unread(answer, side, kernel, stride) {
  if (!answer.unread.length)
    return remark(
      `Every cell is read${stride === kernel && kernel > 1 ? ", each exactly once: the windows do not overlap" : ""}.`,
    );
  const sentence = answer.sentence[0].toUpperCase() + answer.sentence.slice(1);
  const why =
    stride > kernel && answer.map > 1
      ? " The stride is larger than the filter, so there are gaps between the windows."
      : " One more step would move the filter over the edge.";
  return remark(
    `${sentence}: ${count(answer.unread.length)} of ${count(side * side)} cells, hatched. Change one of them: the ` +
      `map stays the same.${why}`,
  );
}
