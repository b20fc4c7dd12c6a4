/** Lesson: LeNet-5, volume by volume. */

/** @import { LayerLine, Lenet5Answer, Lesson, SetState } from "./types.js" */

import { el, styles } from "../element.js";
import { count, one, percent, sides, volume } from "../numbers.js";
import { linked } from "./link_grid.js";
import { again, controls, pills, remark, stepper } from "./parts.js";
import { bars } from "./share_bars.js";
import { sideways } from "./sideways.js";
import { volumes } from "./volume_row.js";

styles("lesson_networks.css");

const WAYS = new Map([
  ["lecture", "the lecture's"],
  ["1998", "of 1998"],
]);

const HEADS = [
  "layer",
  "type",
  "filters",
  "kernel",
  "stride",
  "padding",
  "feature map",
  "activation",
  "parameters",
  "multiply-adds",
];

/** @type {Lesson<Lenet5Answer>} */
export const lesson = {
  lead:
    "Two convolutions, each followed by pooling, a third that reads everything that is left, and two dense layers: " +
    "a network that reads digits. Choose a volume or a row, and count its parameters yourself before you read the " +
    "formula.",
  start: { network: "lecture", classes: 10, side: 32, row: 2, column: 0 },

  draw(answer, state, set) {
    return [
      controls(
        pills(
          "Network",
          [...WAYS.keys()],
          String(state.network),
          (network) => set({ network }),
          (way) => WAYS.get(way) ?? way,
        ),
        pills("Image side", [28, 32, 36, 48, 64], Number(state.side), (side) => set({ side })),
        stepper("Classes", Number(state.classes), { low: 2, high: 100, set: (classes) => set({ classes }) }),
        again(() => set({ ...lesson.start })),
      ),
      el(
        "div",
        { class: "card" },
        sideways(
          "volumes",
          volumes("Volumes of LeNet-5, sides to scale", [
            { name: "image", shape: answer.image, chosen: false, choose: null },
            ...answer.rows.map((row, i) => ({
              name: row.layer,
              shape: row.map,
              chosen: i === answer.row,
              choose: () => set({ row: i }),
            })),
          ]),
        ),
      ),
      changed(answer),
      el("div", { class: "card" }, sideways("table", layers(answer, set))),
      el("div", { class: "halves" }, worked(answer), shares(answer, set)),
      linked(answer, state, set),
    ].filter((part) => part !== null);
  },
};

/** What another image or another number of classes has changed. @param {Lenet5Answer} answer */
function changed({ broken, changes, rows }) {
  if (broken) return el("p", { class: "note", role: "status" }, broken);
  if (!changes.length) return null;
  const moved = changes.filter(({ parameters: [before, now] }) => before !== now);
  const same = rows
    .filter((row) => row.parameters && !moved.some(({ layer }) => layer === row.layer))
    .map((row) => row.layer);
  const sentences = moved.map(
    ({ layer, parameters: [before, now] }) => `${layer} has ${count(now)} parameters instead of ${count(before)}`,
  );
  const maps = changes.filter(({ map: [before, now] }) => before.join() !== now.join()).length;
  return remark(
    `Compared with 32×32 and ten classes, ${maps} of the ${rows.length} volumes differ. `,
    sentences.length
      ? `${sentences.join(", and ")}; ${same.join(", ")} have as many as before.`
      : "No layer has more or fewer parameters.",
  );
}

/** @param {LayerLine} row */
const cells = (row) => [
  row.type,
  row.filters ?? "",
  row.kernel ? sides(row.kernel) : "",
  row.stride ? one(row.stride) : "",
  row.padding ? one(row.padding) : "",
  volume(row.map),
  row.activation ?? "",
  count(row.parameters),
  count(row.multiply_adds),
];

/** The lecture's table; click a row's name to choose it. @param {Lenet5Answer} answer @param {SetState} set */
function layers(answer, set) {
  /** @param {number} i */
  const word = (i) => (i === 0 || i === 6 ? "word" : "");
  return el(
    "table",
    { class: "layer-table" },
    el(
      "thead",
      {},
      el("tr", {}, ...HEADS.map((head, i) => el("th", { scope: "col", class: i ? word(i - 1) : "word" }, head))),
    ),
    el(
      "tbody",
      {},
      ...answer.rows.map((row, i) =>
        el(
          "tr",
          { class: i === answer.row ? "chosen" : "" },
          el(
            "th",
            { scope: "row" },
            el(
              "button",
              {
                class: "quiet",
                "aria-label": `layer ${row.layer}`,
                "aria-pressed": String(i === answer.row),
                onclick: () => set({ row: i }),
              },
              row.layer,
            ),
          ),
          ...cells(row).map((text, k) => el("td", { class: word(k) }, String(text))),
        ),
      ),
    ),
    answer.broken
      ? null
      : el(
          "tfoot",
          {},
          el(
            "tr",
            {},
            el("th", { scope: "row", colspan: 8 }, "together"),
            el("td", { class: "parameters" }, count(answer.parameters)),
            el("td", {}, count(answer.multiply_adds)),
          ),
        ),
  );
}

/** The chosen row by its formulas. @param {Lenet5Answer} answer */
function worked({ rows, row, worked: lines, connections, parameters, broken }) {
  return el(
    "div",
    { class: "card", "aria-live": "polite" },
    el("h3", {}, `${rows[row].layer}, worked out`),
    el(
      "dl",
      { class: "formulas" },
      ...lines.map(([name, value, formula]) =>
        el(
          "div",
          {},
          el("dt", {}, name),
          el(
            "dd",
            {},
            formula.endsWith(`= ${value}`)
              ? formula.slice(0, -String(value).length)
              : /^nothing/.test(formula)
                ? ""
                : `${formula.split(": ")[0]} = `,
            el("strong", {}, count(value)),
            /^nothing/.test(formula) ? `, ${formula}` : formula.includes(": ") ? `: ${formula.split(": ")[1]}` : "",
          ),
        ),
      ),
    ),
    el("p", { class: "caption" }, reading(rows[row])),
    broken
      ? null
      : el(
          "p",
          { class: "caption" },
          `The network has ${count(connections)} connections and shares ${count(parameters)} parameters among them.`,
        ),
  );
}

/** What the formula of a kind of layer says. @param {LayerLine} line */
const reading = ({ type }) =>
  /** @type {Record<string, string>} */ ({
    Conv:
      "A filter has one weight for each cell of its window in each input map, and one bias. The same filter is " +
      "used at all positions, so the size of the map does not matter.",
    SparseConnectionConv: "Each filter has slices only for the maps that the table links to it.",
    AvgPool: "Averaging has no weights. It reduces the map to a quarter of its units.",
    Subsampling: "The four cells are added up, multiplied by a factor, and a bias is added; both are learned.",
    Linear: "Every unit has a weight for each input, and one bias.",
    RadialBasis:
      "Each class has a code of +1s and −1s; the output is the distance to that code. In 1998 the codes were drawn " +
      "by hand, as small images of the digits.",
  })[type] ?? "";

/** Where the parameters are. @param {Lenet5Answer} answer @param {SetState} set */
function shares(answer, set) {
  if (answer.broken) return null;
  const rows = answer.rows.map((row, i) => ({ row, i })).filter(({ row }) => row.parameters);
  return el(
    "div",
    { class: "card" },
    el("h3", {}, "Where are the parameters?"),
    bars(
      "Share of the parameters",
      ["layer", "share of the parameters"],
      rows.map(({ row, i }) => ({
        name: row.layer,
        chosen: i === answer.row,
        choose: () => set({ row: i }),
        bars: [{ share: row.share, text: percent(row.share), title: count(row.parameters) }],
      })),
    ),
    el(
      "p",
      { class: "caption" },
      `All ${count(answer.parameters)} of them fit into ${count(Math.round(answer.bytes / 1000))} kB as float32.`,
    ),
  );
}
