/** Lesson: a filter has a slice for each channel, and produces one map. */

/** @import { Lesson, LessonState, SetState, VolumesAnswer } from "./types.js" */

import { peakOf } from "../color.js";
import { el } from "../element.js";
import { fixed, several, volume } from "../numbers.js";
import { again, controls, figure, formula, pills, remark, stepper } from "./parts.js";
import { decimalsOf, lattice, put, windowed } from "./lattice.js";
import { layerBoxes } from "./boxes.js";
import { filled, slide } from "./slide.js";
import { walk } from "./walk.js";

const SIDE = 5;
const KERNEL = 3;
const IMAGE = [
  9, 9, 8, 1, 0, 9, 8, 2, 1, 0, 8, 9, 1, 0, 1, 9, 2, 0, 1, 0, 8, 1, 0, 0, 1, 1, 2, 2, 7, 8, 0, 1, 6, 8, 7, 2, 1, 7, 8,
  8, 1, 6, 8, 7, 8, 2, 8, 7, 8, 6, 0, 1, 0, 2, 3, 1, 0, 2, 3, 2, 0, 1, 3, 2, 3, 1, 2, 3, 2, 9, 0, 3, 2, 9, 9,
];
const FILTER = [1, 0, -1, 1, 0, -1, 1, 0, -1, -1, 0, 1, -1, 0, 1, -1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0];

/** @type {Lesson<VolumesAnswer>} */
export const lesson = {
  lead:
    "A color image has three channels: how much red, green and blue there is at each pixel. The filter has a slice " +
    "for each channel, with its own weights. Each slice is multiplied with its channel; the three sums and the " +
    "bias add up to one number. So a filter makes one map, however many channels it reads.",
  start: {
    image: IMAGE,
    filter: FILTER,
    bias: 1,
    at: 0,
    channels: "3",
    side: "32",
    filters: 10,
    kernel: 5,
    padding: 2,
  },

  draw(answer, state, set) {
    const play = slide("volumes", { at: answer.at, count: answer.sums.length, set: (at) => set({ at }) });
    return [
      el(
        "div",
        { class: "card scene" },
        ledger(answer, state, set),
        el(
          "div",
          { class: "beside" },
          figure("In color", `3@${SIDE}×${SIDE}`, pixels(answer)),
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
          controls(
            play.button,
            again(() => set({ ...lesson.start })),
          ),
        ),
      ),
      walk(),
      ...layer(answer.layer, state, set),
    ];
  },
};

/**
 * One row for each color; the column on the right adds up.
 * @param {VolumesAnswer} answer @param {LessonState} state @param {SetState} set
 */
function ledger(answer, state, set) {
  const [image, filter] = [/** @type {number[]} */ (state.image), /** @type {number[]} */ (state.filter)];
  const decimals = decimalsOf([answer.total, answer.bias, ...answer.parts.map((part) => part.sum)]);
  const [high, peak] = [SIDE * SIDE, peakOf(filter)];
  const rows = answer.parts.flatMap(({ color, sum }, c) => {
    const values = image.slice(c * high, (c + 1) * high);
    const weights = filter.slice(c * KERNEL ** 2, (c + 1) * KERNEL ** 2);
    return [
      figure(
        color[0].toUpperCase() + color.slice(1),
        "",
        lattice({
          columns: SIDE,
          values,
          label: color,
          marked: answer.patch,
          size: "small",
          edit: (i, v) => set({ image: put(image, c * high + i, v) }),
        }),
      ),
      el("span", { class: "op" }, "∗"),
      figure(
        c ? "" : "Filter",
        c ? "" : "3@3×3",
        lattice({
          columns: KERNEL,
          values: weights,
          label: `filter for ${color}`,
          paint: 1.3 * peak,
          size: "small",
          edit: (i, v) => set({ filter: put(filter, c * KERNEL ** 2 + i, v) }),
        }),
      ),
      el("span", { class: "op" }, "="),
      el("data", { class: "sum", value: sum }, fixed(sum, decimals)),
    ];
  });
  return el(
    "div",
    { class: "slices" },
    ...rows,
    el("span", { class: "add" }, "bias"),
    el("span", { class: "op" }, "+"),
    lattice({ columns: 1, values: [answer.bias], label: "bias", size: "small", edit: (_, bias) => set({ bias }) }),
    el("span", { class: "rule" }),
    el(
      "span",
      { class: "add" },
      `row ${Math.floor(answer.at / answer.side)}, column ${answer.at % answer.side} of the map`,
    ),
    el("span", { class: "op" }, "="),
    el(
      "data",
      { class: "all", "data-said": `The sum is ${fixed(answer.total, decimals)}.`, value: answer.total },
      fixed(answer.total, decimals),
    ),
  );
}

/** The pixels in their colors, the patch outlined. @param {VolumesAnswer} answer */
function pixels(answer) {
  const cells = answer.pixels.map((rgb) =>
    el(
      "span",
      { class: "slot" },
      el("span", {
        class: "cell",
        style: { background: `rgb(${rgb.join(" ")})` },
        title: `red ${rgb[0]}, green ${rgb[1]}, blue ${rgb[2]} of 255`,
      }),
    ),
  );
  const grid = el(
    "div",
    {
      class: "lattice small pixels",
      role: "img",
      "aria-label": "The image in color",
      style: { "--n": String(SIDE) },
    },
    ...cells,
  );
  return windowed(grid, SIDE, [
    { row: Math.floor(answer.at / answer.side), column: answer.at % answer.side, size: KERNEL, kind: "now" },
  ]);
}

/**
 * A layer of such filters: boxes to scale, and the formula with its numbers.
 * @param {VolumesAnswer["layer"]} answer @param {LessonState} state @param {SetState} set
 */
function layer(answer, state, set) {
  const [channels, kernel] = answer.filter;
  return [
    el(
      "div",
      { class: "card" },
      el("b", {}, "A layer of these filters"),
      el("div", { class: "boxes", tabindex: 0, role: "group", "aria-label": "The layer" }, layerBoxes(answer)),
    ),
    controls(
      stepper("Filters", answer.filters, { low: 1, high: 16, set: (filters) => set({ filters }) }),
      pills("Channels", ["1", "3", "16"], String(state.channels), (to) => set({ channels: to })),
      stepper("Filter size", kernel, { low: 1, high: 7, set: (to) => set({ kernel: to }) }),
      stepper("Padding", Number(state.padding), { low: 0, high: 3, set: (padding) => set({ padding }) }),
      pills("Image side", ["32", "64", "256"], String(state.side), (side) => set({ side })),
    ),
    remark(
      `A filter has ${kernel}·${kernel}·${channels} = ${several(answer.each.weights, "weight")} and 1 bias, ` +
        `together ${answer.each.all}. ${answer.filters === 1 ? "One filter makes" : `${answer.filters} filters make`} `,
      el(
        "b",
        {},
        `(${kernel}·${kernel}·${channels} + 1)·${answer.filters} = ${several(answer.parameters, "parameter")}`,
      ),
      ". The image size is not in the formula: a larger image needs no more parameters.",
    ),
    remark(`Each filter makes one map, with ${formula(answer.size)} rows and columns: ${volume(answer.output)}.`),
  ];
}
