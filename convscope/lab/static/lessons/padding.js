/** Lesson: a frame of zeros around an image of 6×6. */

import { peakOf } from "../color.js";
import { el } from "../element.js";
import { count, fixed, several } from "../numbers.js";
import {
  again,
  controls,
  decimalsOf,
  figure,
  formula,
  lattice,
  pills,
  put,
  remark,
  scene,
  stepper,
  sum,
  windowed,
} from "./parts.js";
import { filled, slide } from "./slide.js";

const SIDE = 6;
const IMAGE = [
  5, 1, 7, 7, 8, 1, 7, 2, 5, 7, 8, 1, 5, 3, 5, 4, 4, 2, 4, 4, 3, 3, 2, 1, 3, 3, 4, 7, 8, 1, 5, 7, 8, 2, 3, 1,
];
const WORDS = { edges: "vertical edges", sum: "sum" };
const PADDINGS = ["0", "1", "2", "3", "4", "5", "6", "valid", "same"];
const FRAME = { valid: 0, same: 8 }; // "same" makes room for any filter

/** The largest filter that finds a place. @param {string | number | number[]} padding */
const largest = (padding) => Math.min(8, SIDE + 2 * (FRAME[String(padding)] ?? Number(padding)));

/** @type {import("./screen.js").Lesson} */
export const lesson = {
  lead: "Without padding a map is smaller than its image, and the pixels at the edge are read less often than those within: the corner once, the center nine times. A frame of zeros gives the filter room to stand on the edge. “Valid” is no frame; “same” is the frame that keeps the size.",
  start: { image: IMAGE, kernel: 3, padding: "1", filter: "edges", bias: 0, at: 0, layers: 6 },

  fit: (state) => ({ ...state, kernel: Math.min(Number(state.kernel), largest(state.padding)) }),

  draw(told, state, set) {
    const kernel = Number(state.kernel);
    const image = /** @type {number[]} */ (state.image);
    const place = (i) => (Math.floor(i / told.wide) - told.before) * SIDE + (i % told.wide) - told.before;
    const size = told.wide > 12 ? "tiny" : told.wide > 8 ? "small" : undefined;
    const play = slide("padding", { at: told.at, count: told.sums.length, set: (at) => set({ at }) });
    const change = (what) => set({ ...what, at: 0 });
    const grid = lattice({
      columns: told.wide,
      values: told.framed,
      label: "image",
      first: -told.before,
      outside: told.outside,
      marked: told.patch,
      edit: (i, v) => set({ image: put(image, place(i), v) }),
      size,
    });
    const [row, column] = [Math.floor(told.at / told.map), told.at % told.map];
    return [
      scene(
        figure("Image", frameName(told), windowed(grid, told.wide, [{ row, column, size: kernel, kind: "now" }])),
        "∗",
        figure(
          "Filter",
          `${kernel}×${kernel}`,
          lattice({
            columns: kernel,
            values: told.filter,
            label: "filter",
            paint: 1.3 * peakOf(told.filter),
            size: kernel > 5 || told.wide > 14 ? "tiny" : "small",
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
          `${told.map}×${told.map}`,
          lattice({
            columns: told.map,
            values: filled(told.sums, play.reached),
            label: "map",
            paint: peakOf(told.sums),
            marked: [told.at],
            choose: (at) => set({ at }),
            size: told.map > 12 ? "tiny" : told.map > 6 ? "small" : undefined,
          }),
        ),
      ),
      sum(told.terms, told.total, { bias: told.bias || null, most: 18 }),
      controls(pills("Padding", PADDINGS, state.padding, (padding) => change({ padding }))),
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
          state.filter,
          (filter) => set({ filter }),
          (name) => WORDS[name],
        ),
        again(() => set({ ...lesson.start })),
      ),
      remark(el("b", {}, formula(told.formula)), " rows, and as many columns.", told.reason ? same(told) : ""),
      told.blind
        ? remark(
            `${several(told.blind, "window")} of ${count(told.map ** 2)} ${told.blind === 1 ? "sees" : "see"} nothing but zeros. Whatever the image shows, the number there is the bias: ${fixed(told.bias, decimalsOf([told.bias]))}.`,
          )
        : null,
      el("div", { class: "pair" }, reading(told, kernel), deep(told, state, set)),
    ];
  },
};

const frameName = ({ before, after, wide }) =>
  wide === SIDE
    ? "6×6, no frame"
    : before === after
      ? `6×6 in a frame of ${before}: ${wide}×${wide}`
      : `6×6 with ${before} before, ${after} after: ${wide}×${wide}`;

/** How "same" comes to its frame. */
const same = ({ reason, before, after }) =>
  before === after
    ? ` “Same” puts ${formula(reason)} on each side.`
    : ` “Same” would put ${formula(reason)} on each side; a filter of an even size has no middle, so ${before} go before the image and ${after} after it.`;

/** How often each pixel is read. */
function reading({ counts, reads, blind, before }, kernel) {
  const times = (n) => (n === 0 ? "never" : n === 1 ? "once" : `${n} times`);
  const corner =
    reads.first === reads.last
      ? `A corner is read ${times(reads.first)}`
      : `The first corner is read ${times(reads.first)}, the last one ${times(reads.last)}`;
  const alike =
    kernel === 1
      ? "A filter of one cell reads every pixel once."
      : `Every pixel is read ${times(reads.most)}: each cell of the filter comes to stand on each of them.${blind ? " A wider frame than that adds nothing but zeros." : ""}`;
  const said = reads.alike
    ? alike
    : `${corner}, the pixel in the best place ${times(reads.most)}. What is read less often has less say in the map.${before ? "" : " Give it a frame and compare."}`;
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

/** The same layer again and again, from an image of 32×32. */
function deep(told, state, set) {
  const layers = Number(state.layers);
  const sides = told.deep;
  const scale = Math.min(2.5, 72 / Math.max(...sides));
  const done = sides.length - 1;
  const kernel = Number(state.kernel);
  const last = sides.at(-1);
  const how =
    last === sides[0]
      ? "The size stays."
      : last > sides[0]
        ? "The maps grow: the frame is wider than the filter needs."
        : `${several(done, "layer")} of ${kernel}×${kernel} ${done === 1 ? "takes" : "take"} ${sides[0] - last} rows and columns away.`;
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
      el("b", {}, "The same layer again and again"),
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
