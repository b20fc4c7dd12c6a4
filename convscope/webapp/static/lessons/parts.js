/** Building blocks of the lessons: grids of cells, steppers, choices, written-out sums. */

import { el } from "../element.js";
import { fixed } from "../numbers.js";
import { decimalsOf } from "./lattice.js";

/** The first row of a table: what its columns are. @param {string[]} names */
export const columnHeads = (names) =>
  el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, name))));

/** A grid under its title. @param {string} title @param {string} size @param {Node} grid @param {...Node} more */
export const figure = (title, size, grid, ...more) =>
  el(
    "figure",
    {},
    el("figcaption", {}, el("b", {}, title), " ", el("span", { class: "caption" }, size)),
    grid,
    ...more,
  );

/** Numbers and the signs between them, in a card. @param {...(Node | string | null)} parts */
export const scene = (...parts) =>
  el(
    "div",
    { class: "card scene" },
    ...parts
      .filter((one) => one !== null)
      .map((one) => (typeof one === "string" ? el("span", { class: "op" }, one) : one)),
  );

/** A factor of a product; negative numbers are in parentheses. @param {number} value @param {number} decimals */
export const factor = (value, decimals) => (value < 0 ? `(${fixed(value, decimals)})` : fixed(value, decimals));

/**
 * A written-out sum with its result. `data-said` is announced to screen readers.
 * @param {{value: number, weight: number}[]} terms @param {number} total
 * @param {{bias?: number | null, most?: number}} [how]
 */
export function sum(terms, total, { bias = null, most = 27 } = {}) {
  const [of, by] = [decimalsOf(terms.map((t) => t.value)), decimalsOf(terms.map((t) => t.weight))];
  const shown = terms.slice(0, most);
  const rest = terms.length - shown.length;
  const result = fixed(total, decimalsOf([total, ...terms.map((t) => t.value * t.weight)]));
  return el(
    "p",
    { class: "card sentence", "data-said": `The sum is ${result}.` },
    ...shown.flatMap(({ value, weight }, k) => [
      el("span", { class: "term" }, `${k ? "+ " : ""}${factor(value, of)}×${factor(weight, by)}`),
      " ",
    ]),
    rest > 0 ? `+ ${rest} more ` : null,
    bias === null ? null : el("span", { class: "term" }, `+ ${factor(bias, decimalsOf([bias]))} `),
    el("strong", {}, `= ${result}`),
  );
}

/**
 * One of a few values.
 * @template {string | number} Option
 * @param {string} label @param {Option[]} options @param {Option} value
 * @param {(value: Option) => void} set @param {(option: Option) => string} [text]
 */
export const pills = (label, options, value, set, text = String) =>
  el(
    "div",
    { class: "row pills", role: "group", "aria-label": label },
    el("span", { class: "label" }, label),
    ...options.map((one) =>
      el(
        "button",
        {
          class: "pill",
          "aria-label": `${label} ${text(one)}`,
          "aria-pressed": String(one === value),
          onclick: () => set(one),
        },
        text(one),
      ),
    ),
  );

/**
 * A whole number with − and +; at a limit the button remains and keeps the focus.
 * @param {string} label @param {number} value
 * @param {{low: number, high: number, set: (value: number) => void}} how
 */
export function stepper(label, value, { low, high, set }) {
  /** @param {number} by @param {string} sign @param {string} word */
  const step = (by, sign, word) => {
    const over = value + by < low || value + by > high;
    return el(
      "button",
      {
        class: "pill",
        "aria-label": `${label} ${word}`,
        "aria-disabled": over ? "true" : null,
        onclick: () => over || set(value + by),
      },
      sign,
    );
  };
  return el(
    "div",
    { class: "row stepper", role: "group", "aria-label": label },
    el("span", { class: "label" }, label),
    step(-1, "−", "less"),
    el("output", { "data-said": `${label} ${fixed(value, 0)}.` }, fixed(value, 0)),
    step(1, "+", "more"),
  );
}

/** The controls, in a row below the scene. @param {...(Node | null)} parts */
export const controls = (...parts) => el("div", { class: "row controls" }, ...parts.filter((one) => one !== null));

/** Everything as at the start. @param {() => void} act */
export const again = (act) => el("button", { class: "quiet", onclick: act }, "Start again");

/** A remark below a scene, announced when it changes. @param {...(Node | string)} parts */
export const remark = (...parts) => el("p", { class: "remark", "data-said": true }, ...parts);

/** A formula from Python with the page's × and minus sign. @param {string} text */
export const formula = (text) => text.replaceAll("-", "−").replace(/(\d)x(?=\d)/g, "$1×");
