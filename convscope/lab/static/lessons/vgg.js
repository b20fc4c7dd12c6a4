/** Lesson: AlexNet and VGG, layer by layer, and small filters on one another. */

import { el, styles } from "../element.js";
import { count, percent, sides, volume } from "../numbers.js";
import { fromAbove, fromTheSide } from "./nested_fields.js";
import { numberField } from "./number_field.js";
import { again, controls, figure, pills, remark, stepper } from "./parts.js";
import { bars } from "./share_bars.js";
import { sideways } from "./sideways.js";

styles("lesson_networks.css");

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

/** @type {import("./screen.js").Lesson} */
export const lesson = {
  lead: "AlexNet won the ImageNet contest of 2012; its first filters are 11×11. VGG asked in 2014 what depth does: 3×3 on 3×3, in 11 to 19 layers with weights. Look where the weights are, and where the work is: they are not in the same place.",
  start: { left: "alexnet", right: "D", deep: 2, channels: 64 },

  draw(told, state, set) {
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
      el("div", { class: "halves" }, ...told.networks.map((network, i) => one(network, told.most, i))),
      remark(first(told.first)),
      stack(told.stack, set),
    ];
  },
};

/** 37,752,832 -> "37.8 M" */
function short(n) {
  const [size, unit] = n >= 1e9 ? [1e9, " G"] : n >= 1e6 ? [1e6, " M"] : n >= 1e3 ? [1e3, " k"] : [1, ""];
  return size === 1 ? String(n) : `${(n / size).toPrecision(3)}${unit}`;
}
const bytes = (n) => `${short(n)}B`;

/** One network: its totals, a sentence, and bars on the scale that both share. */
function one(network, most, place) {
  const { rows, peaks } = network;
  const bar = (row, what, unit) => ({
    share: row[what] / most[what],
    text: row[what] ? `${short(row[what])}${unit}` : "",
    title: `${count(row[what])} ${what.replaceAll("_", "-")}`,
  });
  const named = ({ layers, share }) =>
    `${layers[0]}${layers.length > 1 ? ` and ${SMALL[layers.length - 1] ?? layers.length - 1} like it` : ""}, ${percent(share)}${layers.length > 1 ? " each" : ""}`;
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

const first = ({ filters, kernel, stride, formula, side, alone, towers, apart }) =>
  `AlexNet begins with ${filters} filters of ${kernel}×${kernel} at stride ${stride}: ${formula}, so that after one layer only ${side}×${side} places are left, and all later layers are cheap. It was trained in two towers, one on each of two graphics cards: the filters of ${apart.slice(0, -1).join(", ")} and ${apart.at(-1)} see only the maps on their own card, which makes ${count(alone)} parameters ${count(towers)}. Lectures print the first number, the paper has the second network.`;

/** Filters of 3×3 on one another, against the one that sees as much. */
function stack(told, set) {
  const { deep, channels, side, sides: seen, small, large, small_factor, large_factor, ratio } = told;
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
        ? "One 3×3 is where it begins"
        : `${SMALL[deep][0].toUpperCase()}${SMALL[deep].slice(1)} 3×3 on one another see ${sides([side, side])}`,
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
          figure("From the side", "", fromTheSide(seen, told.seen)),
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
            ? "One filter of 3×3 sees 3×3, and costs what it costs. Put a second one on top."
            : `The small ones see the same ${side}×${side} cells with ${percent(ratio)} of the weights, and ${SMALL[deep]} activations stand where the large one has one: more can be said with less. Every further layer sees two rows and columns more.`,
        ),
      ),
    ),
  );
}
