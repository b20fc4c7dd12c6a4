/** Lesson: a convolutional, a locally connected and a dense layer for the same volumes. */

/** @import { Lesson, LessonState, SetState, SharedLayer, SharedRun, SharingAnswer } from "./types.js" */

import { peakOf } from "../color.js";
import { el, styles, write } from "../element.js";
import { count, fixed, several, volume } from "../numbers.js";
import { wholeNumber } from "./number_field.js";
import { again, controls, figure, formula, pills, remark } from "./parts.js";
import { colored, gray, pixels } from "./pixels.js";
import { hasClock } from "./student.js";

await styles("lesson_figures.css");

/** @type {Record<string, Record<string, number>>} */
const LAYERS = {
  small: { side: 16, channels: 3, filters: 2, kernel: 3 },
  "the lecture's: 3@32×32, 10 of 3×3": { side: 32, channels: 3, filters: 10, kernel: 3 },
  "LeNet-5's first: 1@32×32, 6 of 5×5": { side: 32, channels: 1, filters: 6, kernel: 5 },
};
/** @type {Record<string, string>} */
const IDEAS = {
  convolutional: "One set of filters for all positions.",
  "locally connected": "The same windows, but separate filters at every position.",
  dense: "Every unit reads the whole volume.",
};

/** @type {Lesson<SharingAnswer>} */
export const lesson = {
  lead:
    "Three layers take the same volume and produce the same number of units. They differ in what a unit reads and " +
    "in which units share weights. The convolution needs by far the fewest parameters, and it alone treats a " +
    "shifted image as the same image, shifted.",
  start: { ...LAYERS.small, run: 0 },

  draw(answer, state, set) {
    /** @param {string} name @param {string} label @param {number} low @param {number} high */
    const field = (name, label, low, high) =>
      wholeNumber(label, Number(state[name]), { low, high, set: (value) => set({ [name]: value, run: 0 }) });
    const known =
      Object.keys(LAYERS).find((name) =>
        Object.entries(LAYERS[name]).every(([part, value]) => state[part] === value),
      ) ?? "";
    return [
      controls(
        field("side", "Side of the input", 8, 64),
        field("channels", "Channels", 1, 16),
        field("filters", "Filters", 1, 16),
        field("kernel", "Filter size", 1, 7),
        again(() => set({ ...lesson.start })),
      ),
      controls(pills("Try", Object.keys(LAYERS), known, (name) => set({ ...LAYERS[name], run: 0 }))),
      counts(answer, state, set),
      shift(answer, state, set),
    ];
  },
};

/** @param {SharingAnswer} answer @param {LessonState} state @param {SetState} set */
function counts(answer, state, set) {
  const { layers, ran } = answer;
  /** @param {string} name @param {(layer: SharedLayer, index: number) => string | Node} text */
  const row = (name, text) =>
    el("tr", {}, el("th", { scope: "row" }, name), ...layers.map((layer, i) => el("td", {}, text(layer, i))));
  const timed = ran !== null && ran.layers.some((run) => run && run.seconds !== null);
  /** @param {SharedLayer} layer @param {number} i */
  const time = (layer, i) => {
    if (!layer.runs) return "not run";
    const seconds = ran?.layers[i]?.seconds;
    return seconds === null || seconds === undefined ? "–" : milliseconds(seconds);
  };
  return el(
    "section",
    { class: "card counts", "aria-label": "What each layer costs" },
    el(
      "p",
      { class: "sentence" },
      `${volume([Number(state.channels), Number(state.side), Number(state.side)])} → ` +
        `${answer.output[0]}@${answer.output[1]}×${answer.output[2]}`,
    ),
    el(
      "div",
      { class: "scroll" },
      el(
        "table",
        { class: "figures three-layers" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("td", {}),
            ...layers.map(({ name }) =>
              el("th", { scope: "col" }, el("b", {}, name), el("span", { class: "caption" }, IDEAS[name])),
            ),
          ),
        ),
        el(
          "tbody",
          {},
          row("weights", (one) => count(one.weights)),
          row("biases", (one) => count(one.biases)),
          row("parameters", (one) => el("strong", {}, count(one.parameters))),
          row("calculation", (one) => formula(one.formula)),
          row("relative to the convolution", (one) => `×${times(one.times)}`),
          row("connections", (one) => count(one.connections)),
          row("multiply-adds", (one) => count(one.multiply_adds)),
          row("memory of the parameters", (one) => memory(one.bytes)),
          hasClock ? row("time of one pass", time) : null,
        ),
      ),
    ),
    el(
      "div",
      { class: "row" },
      timed || !hasClock ? null : el("button", { class: "pill main", onclick: run(set) }, "Run and time the layers"),
      el("p", { class: "caption", "data-said": true }, said(answer, timed)),
    ),
    remark(
      "The convolutional and the locally connected layer do the same number of multiplications. But the latter must " +
        `fetch ${several(layers[1].weights, "weight")} from memory, where the convolution reuses ` +
        `${count(layers[0].weights)}.`,
    ),
  );
}

/** @param {SharingAnswer} answer @param {boolean} timed */
function said(answer, timed) {
  const heavy = answer.layers.filter((one) => !one.runs);
  const left = heavy.length ? `Layers of more than ${count(answer.most)} weights are counted, not run.` : "";
  const threads = timed && answer.ran ? `, ${several(answer.ran.threads, "thread")} of torch` : "";
  const times = `One image, float32, the median of five runs on the lab's machine${threads}.`;
  return [hasClock ? times : "", left].filter(Boolean).join(" ");
}

/**
 * It may take a second.
 * @param {SetState} set @returns {(event: MouseEvent & {target: HTMLElement}) => void}
 */
const run =
  (set) =>
  ({ target }) => {
    write(target, "Running…");
    set({ run: 1 });
  };

/**
 * The image shifts by one pixel: does the output shift, too?
 * @param {SharingAnswer} answer @param {LessonState} state @param {SetState} set
 */
function shift(answer, state, set) {
  const side = Number(state.side);
  const scale = 128 / side;
  const { ran } = answer;
  return el(
    "section",
    { class: "card shift", "aria-label": "The image shifts by one pixel" },
    el("h3", {}, "The image shifts one pixel to the right"),
    el(
      "div",
      { class: "shift-lead" },
      figure(
        "Input",
        "its first channel",
        pixels({ canvas: gray(answer.picture, side), side, scale, label: "The first channel of the input" }),
      ),
      remark(
        "Each layer reads the image, then the shifted image. If its second output is the first one, shifted, the " +
          "difference is zero. The first column cannot be compared: its values come from outside. The weights " +
          "are random integers, so that nothing is rounded.",
      ),
    ),
    ran
      ? el(
          "div",
          { class: "three" },
          ...answer.layers.map((layer, i) => compared(layer, ran.layers[i], answer.output[1])),
        )
      : el(
          "div",
          { class: "row" },
          el(
            "p",
            {},
            `Not run yet: ${several(
              answer.layers.reduce((most, one) => (one.runs ? Math.max(most, one.weights) : most), 0),
              "weight",
            )} in one layer take a moment.`,
          ),
          el("button", { class: "pill", onclick: run(set) }, "Run them"),
        ),
  );
}

/** @param {SharedLayer} layer @param {SharedRun | null} one @param {number} side */
function compared({ name, weights }, one, side) {
  if (!one)
    return el(
      "figure",
      {},
      el("figcaption", {}, el("b", {}, name)),
      el("p", { class: "caption" }, `${count(weights)} weights: too many to run here.`),
    );
  const peak = peakOf([...one.expected, ...one.found]);
  const scale = 84 / side;
  /** @param {string} title @param {number[]} values */
  const board = (title, values) =>
    figure("", title, pixels({ canvas: colored(values, side, peak), side, scale, label: `${name}: ${title}` }));
  const verdict =
    one.differ === 0
      ? `0 of ${count(one.units)} units differ: the output shifts exactly like the input.`
      : `${count(one.differ)} of ${count(one.units)} units differ, by up to ${count(one.largest)}; the largest ` +
        `output is ${count(one.size)}.`;
  return el(
    "figure",
    { class: "compared" },
    el("figcaption", {}, el("b", {}, name)),
    el(
      "div",
      { class: "boards" },
      board("first, shifted", one.expected),
      board("second", one.found),
      board("difference", one.difference),
    ),
    el("p", { class: "caption", "data-said": true }, verdict),
  );
}

/** @param {number} ratio */
const times = (ratio) => (ratio < 100 ? String(Number(ratio.toFixed(1))) : count(Math.round(ratio)));

/** @param {number} seconds */
function milliseconds(seconds) {
  let decimals = 0;
  if (seconds < 1e-3) decimals = 3;
  else if (seconds < 1e-1) decimals = 2;
  return `${fixed(1000 * seconds, decimals)} ms`;
}

/** @param {number} bytes */
function memory(bytes) {
  if (bytes < 1e3) return `${bytes} bytes`;
  if (bytes < 1e6) return `${fixed(bytes / 1e3, 1)} kB`;
  return bytes < 1e9 ? `${fixed(bytes / 1e6, 1)} MB` : `${fixed(bytes / 1e9, 1)} GB`;
}
