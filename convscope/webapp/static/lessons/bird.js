/** Lesson: the picture of a bird, read by a dense layer and by a convolution: edges and weights, counted. */

/** @import { BirdAnswer, BirdLayer, Lesson, LessonState } from "./types.js" */

import { el, styles, svg } from "../element.js";
import { count, percent, several, volume } from "../numbers.js";
import { wholeNumber } from "./number_field.js";
import { again, controls, figure, formula, pills, remark } from "./parts.js";
import { sideways } from "./sideways.js";

await styles("lesson_figures.css");
await styles("lesson_networks.css");
await styles("lesson_motives.css");

/** @type {Record<string, LessonState>} */
const LAYERS = {
  "a filter as large as the beak": { side: 256, channels: 3, hidden: 1000, filters: 8, kernel: 40 },
  "3@256×256, 8 of 5×5": { side: 256, channels: 3, hidden: 1000, filters: 8, kernel: 5 },
  "a gray digit": { side: 28, channels: 1, hidden: 100, filters: 6, kernel: 5 },
};
const LOOKS = ["the beak", "the eye", "the tail", "the sky"];
const GRID = 16; // rows and columns of the pixels whose edges are drawn
const [WIDE, UNIT] = [1.42, 1.3]; // of the drawing, and where the unit stands, in sides of the picture

/** @type {Lesson<BirdAnswer>} */
export const lesson = {
  lead:
    "Is there a bird? A unit of a dense layer reads every pixel, with a weight for each. But the beak that would tell " +
    "it is a small part of the picture. A filter reads only a window of that size, and the same few weights look " +
    "everywhere. Count the edges of both layers.",
  start: { ...LAYERS["a filter as large as the beak"], look: "the beak" },

  fit: (state) => ({ ...state, kernel: Math.min(Number(state.kernel), Number(state.side)) }),

  draw(answer, state, set) {
    /** @param {string} name @param {string} label @param {number} high @param {number} [low] */
    const field = (name, label, high, low = 1) =>
      wholeNumber(label, Number(state[name]), { low, high, set: (value) => set({ [name]: value }) });
    const known =
      Object.keys(LAYERS).find((name) =>
        Object.entries(LAYERS[name]).every(([part, value]) => state[part] === value),
      ) ?? "";
    const [full, small] = answer.layers;
    return [
      controls(
        field("side", "Side of the image", 1024, 8),
        field("channels", "Channels", 16),
        field("hidden", "Dense units", 10_000),
        field("filters", "Filters", 512),
        field("kernel", "Filter size", 64),
      ),
      controls(
        pills("Try", Object.keys(LAYERS), known, (name) => set({ ...LAYERS[name] })),
        again(() => set({ ...lesson.start })),
      ),
      el(
        "div",
        { class: "halves" },
        el(
          "div",
          { class: "card lesson-card" },
          figure(
            "A unit of the dense layer",
            `${several(full.reads, "edge")}; ${count(GRID * GRID)} are drawn`,
            drawn(answer, state, true),
          ),
        ),
        el(
          "div",
          { class: "card lesson-card" },
          figure(
            "A unit of the convolution",
            `${several(small.reads, "edge")}, from ${state.kernel}×${state.kernel} pixels`,
            drawn(answer, state, false),
          ),
          pills("Its window is on", LOOKS, String(state.look), (look) => set({ look })),
        ),
      ),
      counts(answer, state),
      remark(
        `A unit of the convolution reads ${percent(answer.share)} of the pixels. Each of its weights serves ` +
          `${several(answer.each, "edge")}, one at every position: a beak is found wherever it is. In a larger image ` +
          "the dense layer needs more weights; the filters stay as they are.",
      ),
    ];
  },
};

/**
 * The bird, and the edges of one unit: of every pixel, or of a window.
 * @param {BirdAnswer} answer @param {LessonState} state @param {boolean} dense
 */
function drawn({ drawing, window }, state, dense) {
  const [side, kernel] = [Number(state.side), Number(state.kernel)];
  const [top, left] = window.map((cell) => cell / side);
  const size = kernel / side;
  const middle = (/** @type {number} */ i) => (i + 0.5) / GRID;
  const ends = dense
    ? Array.from({ length: GRID * GRID }, (_, i) => [middle(i % GRID), middle(Math.floor(i / GRID))])
    : [0, 1, 2, 3, 4].flatMap((y) => [0, 1, 2, 3, 4].map((x) => [left + (x / 4) * size, top + (y / 4) * size]));
  return svg(
    "svg",
    {
      class: "bird",
      viewBox: `-0.01 -0.01 ${WIDE} 1.02`,
      role: "img",
      "aria-label": dense
        ? "A bird; lines lead from all over the picture to one unit"
        : `A bird; lines lead from a window on ${state.look} to one unit`,
    },
    svg("rect", { class: "sky", x: 0, y: 0, width: 1, height: 1 }),
    ...drawing.map(([part, d]) => svg("path", { class: part, d })),
    ...ends.map(([x, y]) => svg("line", { class: dense ? "edge many" : "edge", x1: x, y1: y, x2: UNIT, y2: 0.5 })),
    dense ? null : svg("rect", { class: "window halo", x: left, y: top, width: size, height: size }),
    dense ? null : svg("rect", { class: "window", x: left, y: top, width: size, height: size }),
    svg("circle", { class: "unit", cx: UNIT, cy: 0.5, r: 0.055 }),
  );
}

/** @param {BirdAnswer} answer @param {LessonState} state */
function counts(answer, state) {
  const { layers } = answer;
  /** @param {string} name @param {(layer: BirdLayer) => string | Node} text */
  const row = (name, text) =>
    el(
      "tr",
      { class: name === "calculation" ? name : null },
      el("th", { scope: "row" }, name),
      ...layers.map((layer) => el("td", {}, text(layer))),
    );
  const image = volume([Number(state.channels), Number(state.side), Number(state.side)]);
  return el(
    "section",
    { class: "card counts", "aria-label": "Edges and weights of both layers" },
    el("p", { class: "sentence" }, `${image}: ${count(answer.inputs)} inputs`),
    sideways(
      "edges and weights",
      el(
        "table",
        { class: "figures three-layers wrapping" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("td", {}),
            el("th", { scope: "col" }, el("b", {}, "dense"), el("span", { class: "caption" }, "every pixel")),
            el(
              "th",
              { scope: "col" },
              el("b", {}, "convolution"),
              el("span", { class: "caption" }, `${state.filters} filters of ${state.kernel}×${state.kernel}`),
            ),
          ),
        ),
        el(
          "tbody",
          {},
          row("units", (one) =>
            one.name === "dense" ? count(one.units) : `${volume(answer.output)} = ${count(one.units)}`,
          ),
          row("edges of a unit", (one) => count(one.reads)),
          row("edges", (one) => el("strong", {}, count(one.edges))),
          row("calculation", (one) => formula(one.edges_formula)),
          row("weights", (one) => el("strong", {}, count(one.weights))),
          row("calculation", (one) => formula(one.weights_formula)),
          row("biases", (one) => count(one.biases)),
          row("memory of the parameters", (one) => memory(one.bytes)),
        ),
      ),
    ),
    el(
      "p",
      { "data-said": true },
      answer.times >= 1
        ? `The dense layer has ${times(answer.times)} times as many weights as the convolution.`
        : `Here the convolution has more weights: the dense layer has ${percent(answer.times)} of them.`,
    ),
  );
}

/** @param {number} ratio */
const times = (ratio) => (ratio < 100 ? String(Number(ratio.toFixed(1))) : count(Math.round(ratio)));

/** @param {number} bytes */
function memory(bytes) {
  const [size, unit] =
    bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "kB"] : [1, "bytes"];
  return size === 1 ? `${bytes} ${unit}` : `${(bytes / size).toFixed(1)} ${unit}`;
}
