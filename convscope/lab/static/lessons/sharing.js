/** Lesson: a convolutional, a locally connected and a dense layer for the same volumes. */

import { peakOf } from "../color.js";
import { el, styles } from "../element.js";
import { count, fixed, several, volume } from "../numbers.js";
import { amount } from "./amount.js";
import { again, controls, figure, formula, pills, remark } from "./parts.js";
import { colored, gray, pixels } from "./pixels.js";

await styles("lesson_figures.css");

const LAYERS = {
  small: { side: 16, channels: 3, filters: 2, kernel: 3 },
  "the lecture's: 3@32×32, 10 of 3×3": { side: 32, channels: 3, filters: 10, kernel: 3 },
  "LeNet-5's first: 1@32×32, 6 of 5×5": { side: 32, channels: 1, filters: 6, kernel: 5 },
};
const IDEAS = {
  convolutional: "One set of filters for all places.",
  "locally connected": "The same windows, but filters of its own at every place.",
  dense: "Every unit reads the whole volume.",
};

/** @type {import("./screen.js").Lesson} */
export const lesson = {
  lead: "Three layers take the same volume and make equally many units of it. They differ in what a unit reads and in who shares its weights. The convolution needs the fewest numbers by far, and it alone treats a shifted picture as the same picture, shifted.",
  start: { ...LAYERS.small, run: 0 },

  draw(told, state, set) {
    const field = (name, label, low, high) =>
      amount(label, Number(state[name]), { low, high, set: (value) => set({ [name]: value, run: 0 }) });
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
      counts(told, state, set),
      shift(told, state, set),
    ];
  },
};

function counts(told, state, set) {
  const { layers, ran } = told;
  const row = (name, text) =>
    el("tr", {}, el("th", { scope: "row" }, name), ...layers.map((layer, i) => el("td", {}, text(layer, i))));
  const timed = ran?.layers.some((one) => one && one.seconds !== null);
  const time = (layer, i) => (!layer.runs ? "not run" : timed ? milliseconds(ran.layers[i].seconds) : "–");
  return el(
    "section",
    { class: "card counts", "aria-label": "What each layer costs" },
    el(
      "p",
      { class: "sentence" },
      `${volume([Number(state.channels), Number(state.side), Number(state.side)])} → ${told.output[0]}@${told.output[1]}×${told.output[2]}`,
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
          row("worked out", (one) => formula(one.formula)),
          row("against the convolution", (one) => `×${times(one.times)}`),
          row("connections", (one) => count(one.connections)),
          row("multiply-adds", (one) => count(one.multiply_adds)),
          row("memory of the parameters", (one) => memory(one.bytes)),
          row("time of one pass", time),
        ),
      ),
    ),
    el(
      "div",
      { class: "row" },
      timed ? null : el("button", { class: "pill main", onclick: run(set) }, "Run and time them"),
      el("p", { class: "caption", "data-said": true }, said(told, timed)),
    ),
    remark(
      `Convolution and local connection multiply equally often. But the local layer must fetch ${several(layers[1].weights, "weight")} from memory where the convolution uses ${count(layers[0].weights)} again and again.`,
    ),
  );
}

function said(told, timed) {
  const heavy = told.layers.filter((one) => !one.runs);
  const left = heavy.length ? ` Layers of more than ${count(told.most)} weights are counted, not run.` : "";
  if (!timed) return `One picture, float32, the median of five passes on the machine of the lab.${left}`;
  return `One picture, float32, the median of five passes on the machine of the lab, ${several(told.ran.threads, "thread")} of torch.${left}`;
}

/** It may take a second. @returns {(event: Event) => void} */
const run =
  (set) =>
  ({ target }) => {
    /** @type {HTMLElement} */ (target).textContent = "Running…";
    set({ run: 1 });
  };

/** The picture moves by one pixel: does the output move along? */
function shift(told, state, set) {
  const side = Number(state.side);
  const scale = 128 / side;
  return el(
    "section",
    { class: "card shift", "aria-label": "The picture moves by one pixel" },
    el("h3", {}, "The picture moves one pixel to the right"),
    el(
      "div",
      { class: "shift-lead" },
      figure(
        "Input",
        "its first channel",
        pixels({ canvas: gray(told.picture, side), side, scale, label: "The first channel of the input" }),
      ),
      remark(
        "Each layer sees the picture, then the moved picture. If its second output is its first one, moved, the difference is empty. The first column cannot be compared: what stands there came in from outside. The weights are drawn at random; they are whole numbers, so that nothing is rounded.",
      ),
    ),
    told.ran
      ? el(
          "div",
          { class: "three" },
          ...told.layers.map((layer, i) => compared(layer, told.ran.layers[i], told.output[1])),
        )
      : el(
          "div",
          { class: "row" },
          el(
            "p",
            {},
            `Not run yet: ${several(
              told.layers.reduce((most, one) => (one.runs ? Math.max(most, one.weights) : most), 0),
              "weight",
            )} in one layer take a moment.`,
          ),
          el("button", { class: "pill", onclick: run(set) }, "Run them"),
        ),
  );
}

function compared({ name, weights }, one, side) {
  if (!one)
    return el(
      "figure",
      {},
      el("figcaption", {}, el("b", {}, name)),
      el("p", { class: "caption" }, `${count(weights)} weights are too many to run here.`),
    );
  const peak = peakOf([...one.expected, ...one.found]);
  const scale = 84 / side;
  const board = (title, values) =>
    figure("", title, pixels({ canvas: colored(values, side, peak), side, scale, label: `${name}: ${title}` }));
  const verdict =
    one.differ === 0
      ? `0 of ${count(one.units)} units differ: the output moves along, exactly.`
      : `${count(one.differ)} of ${count(one.units)} units differ, by up to ${count(one.largest)}; the largest output is ${count(one.size)}.`;
  return el(
    "figure",
    { class: "compared" },
    el("figcaption", {}, el("b", {}, name)),
    el(
      "div",
      { class: "boards" },
      board("first, moved", one.expected),
      board("second", one.found),
      board("difference", one.difference),
    ),
    el("p", { class: "caption", "data-said": true }, verdict),
  );
}

const times = (ratio) => (ratio < 100 ? String(Number(ratio.toFixed(1))) : count(Math.round(ratio)));
const milliseconds = (seconds) => `${fixed(1000 * seconds, seconds < 1e-3 ? 3 : seconds < 1e-1 ? 2 : 0)} ms`;

function memory(bytes) {
  const [size, unit] =
    bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "kB"] : [1, "bytes"];
  return `${fixed(bytes / size, size === 1 ? 0 : 1)} ${unit}`;
}
