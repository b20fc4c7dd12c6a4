/** The figures of the screen Results: tables, the confusion matrix, reliability. */

/** @import { Figure, Reliability, Results } from "./types.js" */
/** @import { Scene } from "./screen.js" */

import { el } from "../element.js";
import { count, fixed } from "../numbers.js";
import { travel } from "../state.js";
import { address } from "./address.js";

const MATRIX = 20; // classes of a matrix, at most
const LISTED = 40; // classes of a list, unless more are asked for
const MORE = 320;

/** @param {string} label @param {string[]} heads @param {Node[]} lines */
const table = (label, heads, lines) =>
  el(
    "div",
    { class: "card scroll", tabindex: 0, role: "region", "aria-label": label },
    el(
      "table",
      { class: "rows" },
      el("thead", {}, el("tr", {}, ...heads.map((text, i) => el("th", { scope: "col", class: i ? "n" : null }, text)))),
      el("tbody", {}, ...lines),
    ),
  );

/** @param {string} name @param {(string | Node)[]} cells */
const line = (name, cells) =>
  el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((cell) => el("td", { class: "n" }, cell)));

/** @param {Figure} figure */
const value = ({ value }) => (typeof value === "number" ? fixed(value, 4) : "not defined");

/** @param {Figure} figure */
const interval = ({ interval, reason }) =>
  interval ? `${fixed(interval[0], 4)} to ${fixed(interval[1], 4)}` : (reason ?? "–");

/** @param {Results} found */
export const figures = (found) =>
  table(
    "Figures",
    ["", "Value", "95% interval"],
    found.figures.map((figure) => line(figure.name, [value(figure), interval(figure)])),
  );

/** @param {Figure} figure */
const brief = (figure) =>
  typeof figure.value === "number"
    ? `${fixed(figure.value, 3)}${figure.interval ? ` (${fixed(figure.interval[0], 3)} to ${fixed(figure.interval[1], 3)})` : ""}`
    : "–";

/** Every class; of very many the worst first, and the others when they are asked for. @param {Results} found */
export function classes(found) {
  const all = found.per_class;
  const known = all.length > LISTED ? all.filter((row) => row.images).sort((a, b) => recallOf(a) - recallOf(b)) : all;
  const holder = el("div", { class: "results-classes" });
  const without = all.length - known.length;
  /** @param {number} most */
  const draw = (most) => {
    const hidden = known.length - most;
    holder.replaceChildren(
      table(
        "Classes",
        ["Class", "Images", "Precision", "Recall", "F1", "Area under ROC"],
        known
          .slice(0, most)
          .map((row) =>
            line(row.name, [count(row.images), brief(row.precision), brief(row.recall), brief(row.f1), brief(row.auc)]),
          ),
      ),
      ...(all.length > LISTED
        ? [
            el(
              "p",
              { class: "caption" },
              `The classes with the lowest recall come first.${without ? ` ${count(without)} have no images.` : ""}`,
            ),
          ]
        : []),
      ...(hidden > 0
        ? [
            el(
              "button",
              { class: "pill", onclick: () => draw(most + MORE) },
              hidden > MORE ? `Show ${MORE} more of ${count(hidden)} others` : `Show the other ${count(hidden)}`,
            ),
          ]
        : []),
    );
  };
  draw(all.length > LISTED ? LISTED : all.length);
  return holder;
}

/** @param {Results["per_class"][number]} row */
const recallOf = ({ recall }) => (typeof recall.value === "number" ? recall.value : 2);

/** The matrix, each cell opening its images; of many classes the pairs that are confused most. @param {Scene} scene */
export function confusion(scene) {
  const { found } = scene;
  const counts = found.confusion ?? [];
  const names = found.classes;
  if (names.length > MATRIX) {
    const cells = counts
      .flatMap((row, i) => row.map((number, j) => ({ i, j, number: i === j ? 0 : number })))
      .filter((cell) => cell.number)
      .sort((a, b) => b.number - a.number)
      .slice(0, 30);
    return table(
      "Pairs of classes that are confused most",
      ["True class", "Predicted", "Images"],
      cells.map(({ i, j }) => line(names[i], [names[j], cell(scene, i, j)])),
    );
  }
  return el(
    "div",
    { class: "card scroll", tabindex: 0, role: "region", "aria-label": "Confusion matrix" },
    el("p", { class: "caption" }, "Rows are true classes, columns predicted ones. Press a number to list its images."),
    el(
      "table",
      { class: "rows confusion" },
      el("thead", {}, el("tr", {}, el("td", {}), ...names.map((name) => el("th", { scope: "col" }, name)))),
      el(
        "tbody",
        {},
        ...counts.map((row, i) => {
          const total = row.reduce((sum, number) => sum + number, 0) || 1;
          const cells = row.map((number, j) =>
            el(
              "td",
              { class: i === j ? "hit" : "miss", style: { "--share": fixed(number / total, 3) } },
              cell(scene, i, j),
            ),
          );
          return el("tr", {}, el("th", { scope: "row" }, names[i]), ...cells);
        }),
      ),
    ),
  );
}

/** A number that opens its images. @param {Scene} scene @param {number} i @param {number} j */
function cell({ state, found }, i, j) {
  const number = (found.confusion ?? [])[i][j];
  if (!number) return "·";
  const [truth, predicted] = [found.classes[i], found.classes[j]];
  return el(
    "button",
    {
      class: "as-link",
      "aria-label": `${number} of ${truth} predicted as ${predicted}`,
      onclick: () => {
        travel(address({ ...state, list: "cell", truth, predicted }));
        setTimeout(() => document.getElementById("images")?.scrollIntoView({ block: "start" }), 200);
      },
    },
    count(number),
  );
}

/** @type {Record<string, string>} */
const KINDS = {
  confidence: "Of the predicted class",
  positive: "Of the second class",
  labels: "Of all labels",
};

/** @param {Results} found */
export const reliability = (found) =>
  el("div", {}, ...Object.entries(found.calibration).map(([kind, one]) => bins(KINDS[kind] ?? kind, one)));

/** @param {string} title @param {Reliability} found */
const bins = (title, { ece, ece_if_calibrated, reliability }) =>
  el(
    "div",
    {},
    el(
      "p",
      { class: "caption" },
      `${title}: the expected calibration error is ${fixed(ece, 3)}, by chance up to ${fixed(ece_if_calibrated, 3)}.`,
    ),
    table(
      title,
      ["Probability", "Answers", "Mean", "Right"],
      reliability.map((row) =>
        line(`${fixed(row.above, 2)} to ${fixed(row.to, 2)}`, [
          count(row.count),
          fixed(row.confidence, 3),
          fixed(row.accuracy, 3),
        ]),
      ),
    ),
  );

/** @param {Scene} scene */
export function slices({ state, found }) {
  if (!found.slices.found.length) return null;
  return table(
    "Slices that are worse",
    ["Slice", "Images", "Accuracy", "95% interval", "Others alike"],
    found.slices.found.map((slice, number) =>
      line(slice.title, [
        el(
          "button",
          {
            class: "as-link",
            "aria-label": `${slice.images} images with ${slice.title}`,
            onclick: () => travel(address({ ...state, list: `slice-${number}` })),
          },
          count(slice.images),
        ),
        value(slice.accuracy),
        interval(slice.accuracy),
        fixed(slice.expected, 4),
      ]),
    ),
  );
}
