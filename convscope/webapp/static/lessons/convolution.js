/** Lesson: a filter slides over an image of 6×6. */

/** @import { ConvolutionAnswer, Lesson } from "./types.js" */

import { peakOf } from "../color.js";
import { fixed } from "../numbers.js";
import { again, controls, figure, formula, pills, remark, scene, stepper, sum } from "./parts.js";
import { decimalsOf, lattice, put } from "./lattice.js";
import { filled, slide } from "./slide.js";

const IMAGE = [
  5, 1, 7, 7, 8, 1, 7, 2, 5, 7, 8, 1, 5, 3, 5, 4, 4, 2, 4, 4, 3, 3, 2, 1, 3, 3, 4, 7, 8, 1, 5, 7, 8, 2, 3, 1,
];
/** @type {Record<string, number[]>} */
const FILTERS = {
  "vertical edges": [1, 0, -1, 2, 0, -2, 1, 0, -1],
  "horizontal edges": [1, 2, 1, 0, 0, 0, -1, -2, -1],
  sum: [1, 1, 1, 1, 1, 1, 1, 1, 1],
  "one pixel": [0, 0, 0, 0, 1, 0, 0, 0, 0],
};

/** A filter for edges of any size: its first column less its last. @param {number} kernel */
function edges(kernel) {
  if (kernel === 3) return FILTERS["vertical edges"];
  return Array.from({ length: kernel * kernel }, (_, i) => (i % kernel === 0 ? 1 : i % kernel === kernel - 1 ? -1 : 0));
}

/** @type {Lesson<ConvolutionAnswer>} */
export const lesson = {
  lead:
    "Lay the filter on a patch of the image, multiply cell by cell, and add up: that gives one number of the " +
    "feature map. Change any cell, of the image or of the filter. The first filter detects vertical edges, the " +
    "second one horizontal edges.",
  start: { image: IMAGE, kernel: 3, filter: FILTERS["vertical edges"], at: 0 },

  fit(state) {
    const kernel = Number(state.kernel);
    const fits = /** @type {number[]} */ (state.filter).length === kernel * kernel;
    return fits ? state : { ...state, filter: edges(kernel) };
  },

  draw(answer, state, set) {
    const image = /** @type {number[]} */ (state.image);
    const filter = /** @type {number[]} */ (state.filter);
    const kernel = Number(state.kernel);
    const known = Object.keys(FILTERS).find((name) => FILTERS[name].join() === filter.join()) ?? "";
    const decimals = decimalsOf(filter);
    /** @param {number} i */
    const times = (i) => (answer.patch.includes(i) ? `×${fixed(filter[answer.patch.indexOf(i)], decimals)}` : null);
    const play = slide("convolution", { at: answer.at, count: answer.sums.length, set: (at) => set({ at }) });
    return [
      scene(
        figure(
          "Image",
          "6×6",
          lattice({
            columns: 6,
            values: image,
            label: "image",
            marked: answer.patch,
            corner: times,
            edit: (i, v) => set({ image: put(image, i, v) }),
          }),
        ),
        "∗",
        figure(
          "Filter",
          `${kernel}×${kernel}`,
          lattice({
            columns: kernel,
            values: filter,
            label: "filter",
            paint: 1.3 * peakOf(filter),
            edit: (i, v) => set({ filter: put(filter, i, v) }),
          }),
        ),
        "=",
        figure(
          "Feature map",
          `${answer.side}×${answer.side}`,
          lattice({
            columns: answer.side,
            values: filled(answer.sums, play.reached),
            label: "map",
            paint: peakOf(answer.sums),
            marked: [answer.at],
            choose: (at) => set({ at }),
          }),
        ),
      ),
      sum(answer.terms, answer.total, { most: 36 }),
      controls(
        play.button,
        stepper("Filter size", kernel, { low: 1, high: 6, set: (value) => set({ kernel: value, at: 0 }) }),
        kernel === 3
          ? pills("Filter for", Object.keys(FILTERS), known, (name) => set({ filter: FILTERS[name] }))
          : null,
        again(() => set({ ...lesson.start })),
      ),
      remark(
        `Along each side of the image the filter has ${formula(answer.formula)} positions: that is the side of ` +
          "the map.",
      ),
      remark(
        "Networks apply the filter as it is, which strictly speaking is a cross-correlation. The convolution of " +
          "mathematics rotates the filter by 180° first, and would give " +
          `${fixed(answer.flipped, decimalsOf([answer.flipped]))} here.`,
      ),
    ];
  },
};
