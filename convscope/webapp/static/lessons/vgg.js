/** Lesson: AlexNet and VGG, layer by layer, and small filters, stacked. */

/** @import { Lesson, SetState, ShownNetwork, VggAnswer } from "./types.js" */

import { el, styles } from "../element.js";
import { count, percent, sides, volume } from "../numbers.js";
import { fromAbove, fromTheSide } from "./nested_fields.js";
import { numberField } from "./number_field.js";
import { again, controls, figure, pills, remark, stepper } from "./parts.js";
import { bars } from "./share_bars.js";
import { sideways } from "./sideways.js";

styles("lesson_networks.css");

/** @type {Record<string, string>} */
const NAMES = {
  alexnet: "AlexNet",
  towers: "AlexNet, two towers",
  A: "VGG A",
  B: "VGG B",
  C: "VGG C",
  D: "VGG D",
  E: "VGG E",
};
const SMALL = ["no", "one", "two", "three", "four", "five"];

/** @type {Lesson<VggAnswer>} */
export const lesson = {
  lead:
    "AlexNet won the ImageNet challenge in 2012; its first filters are 11×11. In 2014 VGG asked what depth " +
    "achieves: 3×3 filters only, in 11 to 19 layers with weights. Look at where the weights are and where the " +
    "computation is: not in the same layers.",
  start: { left: "alexnet", right: "D", deep: 2, channels: 64 },

  draw(answer, state, set) {
    /** @param {"left" | "right"} side @param {string} word */
    const choose = (side, word) =>
      pills(
        word,
        Object.keys(NAMES),
        String(state[side]),
        (name) => set({ [side]: name }),
        (name) => NAMES[name],
      );
    return [
      controls(
        choose("left", "Left"),
        choose("right", "Right"),
        again(() => set({ ...lesson.start })),
      ),
      el("div", { class: "halves" }, ...answer.networks.map((network, i) => one(network, answer.most, i))),
      remark(first(answer.first)),
      stack(answer.stack, set),
    ];
  },
};

/** 37,752,832 -> "37.8 M" @param {number} n */
function short(n) {
  const [size, unit] = n >= 1e9 ? [1e9, " G"] : n >= 1e6 ? [1e6, " M"] : n >= 1e3 ? [1e3, " k"] : [1, ""];
  return size === 1 ? String(n) : `${(n / size).toPrecision(3)}${unit}`;
}
/** @param {number} n */
const bytes = (n) => `${short(n)}B`;

/**
 * One network: its totals, a sentence, and bars on a common scale.
 * @param {ShownNetwork} network @param {VggAnswer["most"]} most @param {number} place
 */
function one(network, most, place) {
  const { rows, peaks } = network;
  /**
   * @param {ShownNetwork["rows"][number]} row
   * @param {"parameters" | "multiply_adds" | "bytes"} what
   * @param {string} unit
   */
  const bar = (row, what, unit) => ({
    share: row[what] / most[what],
    text: row[what] ? `${short(row[what])}${unit}` : "",
    title: `${count(row[what])} ${what.replaceAll("_", "-")}`,
  });
  /** @param {{layers: string[], share: number}} peak */
  const named = ({ layers, share }) =>
    `${layers[0]}${layers.length > 1 ? ` and ${SMALL[layers.length - 1] ?? layers.length - 1} like it` : ""}, ` +
    `${percent(share)}${layers.length > 1 ? " each" : ""}`;
  return el(
    "div",
    { class: "card network-card" },
    el(
      "h3",
      {},
      NAMES[network.name],
      " ",
      el("span", { class: "caption" }, `${network.weight_layers} layers with weights, image ${volume(network.image)}`),
    ),
    el(
      "dl",
      { class: "formulas totals" },
      ...[
        [
          "parameters",
          count(network.parameters),
          `most in ${named(peaks.parameters)}; ${percent(network.dense_parameters)} in dense layers`,
        ],
        [
          "multiply-adds",
          count(network.multiply_adds),
          `most in ${named(peaks.multiply_adds)}; ${percent(1 - network.dense_work)} in convolutions`,
        ],
        ["memory of maps", bytes(network.bytes), `for one image as float32; most in ${named(peaks.bytes)}`],
      ].map(([name, value, more]) =>
        el(
          "div",
          {},
          el("dt", {}, name),
          el("dd", {}, el("strong", {}, value), el("br"), el("span", { class: "caption" }, more)),
        ),
      ),
    ),
    sideways(
      `network ${place}`,
      bars(
        `${NAMES[network.name]}, layer by layer`,
        ["layer", "parameters", "multiply-adds", "maps"],
        rows.map((row) => ({
          name: row.kernel && row.filters ? `${row.layer} ${row.kernel[0]}×${row.kernel[1]}` : row.layer,
          bars: [
            bar(row, "parameters", ""),
            bar(row, "multiply_adds", ""),
            { ...bar(row, "bytes", "B"), title: `${volume(row.map)}, ${count(row.bytes)} bytes` },
          ],
        })),
      ),
    ),
  );
}

/** @param {VggAnswer["first"]} answer */
const first = ({ filters, kernel, stride, formula, side, alone, towers, apart }) =>
  `AlexNet begins with ${filters} filters of ${kernel}×${kernel} at stride ${stride}: ${formula}, so after one ` +
  `layer only ${side}×${side} positions are left, and all later layers are cheap. It was trained in two towers, ` +
  `one on each of two GPUs: the filters of ${apart.slice(0, -1).join(", ")} and ${apart.at(-1)} see only the ` +
  `maps on their own GPU, which reduces ${count(alone)} parameters to ${count(towers)}. Lectures quote the first ` +
  "number; the paper describes the second network.";

/**
 * Stacked 3×3 filters, compared with one filter of the same receptive field.
 * @param {VggAnswer["stack"]} answer @param {SetState} set
 */
function stack(answer, set) {
  const { deep, channels, side, sides: seen, small, large, small_factor, large_factor, ratio } = answer;
  /** @param {string} name @param {string} formula @param {number} value @param {number} share */
  const line = (name, formula, value, share) =>
    el(
      "div",
      {},
      el("dt", {}, name),
      el(
        "dd",
        {},
        formula,
        " = ",
        el("strong", {}, count(value)),
        el("span", { class: "bar-track wide" }, el("i", { style: { width: `${100 * share}%` } })),
      ),
    );
  const c = `${count(channels)}²`;
  return el(
    "div",
    { class: "card lesson-card" },
    el(
      "h3",
      {},
      deep === 1
        ? "A single 3×3 filter"
        : `${SMALL[deep][0].toUpperCase()}${SMALL[deep].slice(1)} 3×3 filters stacked see ${sides([side, side])}`,
    ),
    controls(
      stepper("Layers of 3×3", deep, { low: 1, high: 5, set: (value) => set({ deep: value }) }),
      numberField("Channels C", channels, {
        low: 1,
        high: 1024,
        whole: true,
        set: (value) => set({ channels: value }),
      }),
    ),
    el(
      "div",
      { class: "side-by-side" },
      sideways(
        "fields",
        el(
          "div",
          { class: "row nested-row" },
          figure("From the side", "", fromTheSide(seen, answer.seen)),
          figure("From above", "", fromAbove(seen)),
        ),
      ),
      el(
        "div",
        { class: "beside-text" },
        el(
          "dl",
          { class: "formulas" },
          line(`${deep} of 3×3`, `${deep}·9·C² = ${small_factor}·${c}`, small, small / Math.max(small, large)),
          line(
            `1 of ${side}×${side}`,
            `${side}·${side}·C² = ${large_factor}·${c}`,
            large,
            large / Math.max(small, large),
          ),
        ),
        remark(
          deep === 1
            ? "A single 3×3 filter sees 3×3 cells. Stack a second one on top."
            : `The small filters see the same ${side}×${side} cells with ${percent(ratio)} of the weights, and ` +
                `have ${SMALL[deep]} activations where the large one has one: more expressive, with fewer weights. ` +
                "Every further layer sees two more rows and columns.",
        ),
      ),
    ),
  );
}
