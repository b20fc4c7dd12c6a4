/** Lesson: AlexNet's two towers, and what groups of filters save. */

/** @import { Lesson, TowersAnswer, TowersRow } from "./types.js" */

import { el, styles, svg } from "../element.js";
import { count, percent, sides, several, volume } from "../numbers.js";
import { wholeNumber } from "./number_field.js";
import { again, controls, formula, pills, remark } from "./parts.js";
import { sideways } from "./sideways.js";

await styles("lesson_figures.css");
await styles("lesson_networks.css");
await styles("lesson_motives.css");

/** @type {Record<string, Record<string, number>>} */
const LAYERS = {
  conv2: { side: 27, channels: 96, filters: 256, kernel: 5, groups: 2 },
  conv4: { side: 13, channels: 384, filters: 384, kernel: 3, groups: 2 },
  "a filter for each map": { side: 28, channels: 32, filters: 32, kernel: 3, groups: 32 },
};

/** @type {Lesson<TowersAnswer>} */
export const lesson = {
  lead:
    "In 2012 a GPU had too little memory for AlexNet. So half of its filters were on one GPU and half on another, in two " +
    "towers, which exchange their maps in a few layers only. A filter that reads half of the maps has half of the " +
    "weights; today this is called a convolution in groups.",
  start: { ...LAYERS.conv2 },

  draw(answer, state, set) {
    const { network, layer } = answer;
    /** @param {string} name @param {string} label @param {number} high */
    const field = (name, label, high) =>
      wholeNumber(label, Number(state[name]), { low: 1, high, set: (value) => set({ [name]: value }) });
    const known =
      Object.keys(LAYERS).find((name) =>
        Object.entries(LAYERS[name]).every(([part, value]) => state[part] === value),
      ) ?? "";
    /** @param {string} name @param {{weights: number, edges: number}} of */
    const line = (name, of) =>
      el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, count(of.weights)), el("td", {}, count(of.edges)));
    return [
      el(
        "section",
        { class: "card lesson-card", "aria-label": "The two towers" },
        sideways("towers", diagram(network.rows)),
        table(network),
      ),
      totals(network),
      el(
        "section",
        { class: "card counts", "aria-label": "One layer in groups" },
        el("h3", {}, "One layer in groups"),
        controls(
          field("side", "Side of its input", 256),
          field("channels", "Maps below", 1024),
          field("filters", "Filters", 1024),
          field("kernel", "Filter size", 11),
          field("groups", "Groups", 64),
        ),
        controls(
          pills("Try", Object.keys(LAYERS), known, (name) => set({ ...LAYERS[name] })),
          again(() => set({ ...lesson.start })),
        ),
        sideways(
          "one layer",
          el(
            "table",
            { class: "figures" },
            el(
              "thead",
              {},
              el("tr", {}, el("td", {}), ...["weights", "edges"].map((head) => el("th", { scope: "col" }, head))),
            ),
            el("tbody", {}, line("one group", layer.whole), line(several(Number(state.groups), "group"), layer.apart)),
          ),
        ),
        el(
          "p",
          { "data-said": true },
          `Each filter reads ${several(layer.sees, "map")}: ${formula(layer.weights_formula)} = `,
          el("strong", {}, several(layer.apart.weights, "weight")),
          `, each at every position: ${formula(layer.edges_formula)} = ${several(layer.apart.edges, "edge")}.`,
        ),
      ),
    ];
  },
};

const [STEP, BOX, HIGH, GAP] = [92, 58, 46, 40];

/** The towers, one above the other, and what each layer reads. @param {TowersRow[]} rows */
function diagram(rows) {
  const x = (/** @type {number} */ i) => 8 + (i + 1) * STEP;
  const tops = [20, 20 + HIGH + GAP];
  const middle = (/** @type {number} */ tower) => tops[tower] + HIGH / 2;
  const image = (tops[0] + tops[1] + HIGH) / 2;
  const last = rows.length - 1; // the classes: no tower
  const lines = rows.flatMap(({ both }, i) =>
    (i === last ? [0] : [0, 1]).flatMap((to) =>
      (i ? [0, 1] : [0])
        .filter((from) => both || from === to)
        .map((from) =>
          svg("line", {
            class: i && i < last && from !== to ? "link crossing" : "link",
            x1: x(i - 1) + BOX,
            y1: i ? middle(from) : image,
            x2: x(i),
            y2: i === last ? image : middle(to),
          }),
        ),
    ),
  );
  const boxes = rows.flatMap((row, i) =>
    (i === last ? [image - HIGH / 2] : tops).map((top) =>
      svg(
        "g",
        {},
        svg("rect", { class: "tower-box", x: x(i), y: top, width: BOX, height: HIGH, rx: 4 }),
        svg("text", { class: "name", x: x(i) + BOX / 2, y: top + 19, "text-anchor": "middle" }, row.layer),
        svg(
          "text",
          { x: x(i) + BOX / 2, y: top + 35, "text-anchor": "middle" },
          i === last ? count(row.filters) : half(row),
        ),
      ),
    ),
  );
  const wide = x(rows.length) - STEP + BOX + 8;
  return svg(
    "svg",
    {
      class: "towers",
      viewBox: `0 0 ${wide} ${tops[1] + HIGH + 8}`,
      width: wide,
      height: tops[1] + HIGH + 8,
      role: "img",
      "aria-label": `Two towers; ${rows
        .filter(({ both }, i) => both && i)
        .map(({ layer }) => layer)
        .join(", ")} read both`,
    },
    svg("text", { x: 8, y: tops[0] + 8 }, "GPU 1"),
    svg("text", { x: 8, y: tops[1] + HIGH }, "GPU 2"),
    ...lines,
    svg("rect", { class: "tower-box", x: x(-1), y: image - HIGH / 2, width: BOX, height: HIGH, rx: 4 }),
    svg("text", { class: "name", x: x(-1) + BOX / 2, y: image + 4, "text-anchor": "middle" }, "image"),
    ...boxes,
  );
}

/** What one tower has of a layer. @param {TowersRow} row */
const half = ({ each, map }) => (map.length === 1 ? count(each) : `${each}@${map[1]}`);

/** @param {TowersAnswer["network"]} network */
const table = (network) =>
  sideways(
    "layers",
    el(
      "table",
      { class: "layer-table", "aria-label": "AlexNet, in two towers and in one" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...["layer", "output", "filters", "reads", "parameters", "in one tower", "edges", "in one tower"].map(
            (head, i) => el("th", { scope: "col", class: i ? null : "word" }, head),
          ),
        ),
      ),
      el(
        "tbody",
        {},
        ...network.rows.map((row) =>
          el(
            "tr",
            { class: row.both ? null : "chosen" },
            el("th", { scope: "row" }, row.layer),
            el("td", {}, row.map.length > 1 ? volume(row.map) : count(row.map[0])),
            el("td", {}, row.kernel.length ? `${row.filters} of ${sides(row.kernel)}` : count(row.filters)),
            el("td", {}, row.both ? `all ${count(row.below)}` : `${count(row.sees)} of ${count(row.below)}`),
            el("td", {}, count(row.parameters)),
            el("td", {}, count(row.alone_parameters)),
            el("td", {}, count(row.edges)),
            el("td", {}, count(row.alone_edges)),
          ),
        ),
      ),
      el(
        "tfoot",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "row" }, "total"),
          el("td", {}),
          el("td", {}),
          el("td", {}),
          el("td", { class: "parameters" }, count(network.parameters)),
          el("td", {}, count(network.alone_parameters)),
          el("td", {}, count(network.edges)),
          el("td", {}, count(network.alone_edges)),
        ),
      ),
    ),
  );

/** @param {TowersAnswer["network"]} network */
const totals = ({ rows, parameters, saved, edges_left, neurons, paper }) => {
  const apart = rows.filter(({ both }) => !both).map(({ layer }) => layer);
  return remark(
    `Filters of ${apart.slice(0, -1).join(", ")} and ${apart.at(-1)} read the maps of their own tower only; all other ` +
      `layers read both. That saves ${count(saved)} parameters, few beside the dense layers, but leaves only ` +
      `${percent(edges_left)} of the edges. The paper states ${count(paper.parameters)} parameters and ` +
      `${count(paper.neurons)} neurons; its layers have ${count(parameters)} and ${count(neurons)}. Lectures often print ` +
      "the network in one tower, which the paper did not train.",
  );
};
