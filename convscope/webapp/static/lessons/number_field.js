/** Number inputs: fields, alone or between − and +. */

/** @import { Properties } from "../types.js" */

import { el } from "../element.js";

/** @typedef {{low: number, high: number, whole?: boolean}} Bounds */
/** @typedef {Bounds & {set: (value: number) => void}} Settable */

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Parse a number; null if it is invalid, incomplete or out of bounds. A comma is a decimal point, and in
 * whole numbers a thousands separator.
 * @param {string} text @param {Bounds} bounds
 */
export function parseNumber(text, { low, high, whole = false }) {
  const plain = text
    .trim()
    .replaceAll("−", "-")
    .replaceAll(",", whole ? "" : ".");
  if (!NUMBER.test(plain)) return null;
  const value = Number(plain) + 0; // no −0
  if (value < low || value > high || (whole && !Number.isInteger(value))) return null;
  return value;
}

/**
 * A number field. Invalid input is marked while typing and discarded on blur.
 * @param {string} label @param {number} value @param {Settable} how @param {Properties} [properties]
 */
export function numberInput(label, value, { low, high, whole, set }, properties = {}) {
  let shown = String(properties.value ?? value).replace("-", "−");
  let last = value; // that was set: the field is drawn again only once the answer has come
  return el("input", {
    value: shown,
    inputmode: whole ? "numeric" : "decimal",
    autocomplete: "off",
    spellcheck: "false",
    title: `a ${whole ? "whole " : ""}number from ${low.toLocaleString("en")} to ${high.toLocaleString("en")}`,
    "aria-label": label,
    oninput: ({ target }) => {
      const next = parseNumber(target.value, { low, high, whole });
      target.setAttribute("aria-invalid", String(next === null));
      if (next === null) return;
      shown = target.value;
      if (next === last) return;
      last = next;
      set(next);
    },
    onblur: ({ target }) => {
      target.value = shown;
      target.removeAttribute("aria-invalid");
    },
    ...properties,
  });
}

/** A field behind its label. @param {string} label @param {number} value @param {Settable} how */
export const numberField = (label, value, how) =>
  el(
    "label",
    { class: "row number-field" },
    el("span", { class: "label" }, label),
    numberInput(label, value, how, { class: "field-of-text" }),
  );

/**
 * A labeled whole number between − and +; the arrow keys change it, too.
 * @param {string} label @param {number} value @param {Omit<Settable, "whole"> & {letter?: string}} how
 *   `letter` is its name in the formula
 */
export function wholeNumber(label, value, { low, high, set, letter = "" }) {
  /** @param {number} by */
  const isOver = (by) => value + by < low || value + by > high;
  /** @param {number} by @param {string} sign @param {string} word */
  const step = (by, sign, word) =>
    el(
      "button",
      {
        class: "pill",
        "aria-label": `${label} ${word}`,
        "aria-disabled": isOver(by) ? "true" : null,
        onclick: () => isOver(by) || set(value + by),
      },
      sign,
    );
  const input = numberInput(
    label,
    value,
    { low, high, whole: true, set },
    {
      class: "pill",
      onfocus: ({ target }) => target.select(),
      onkeydown: (event) => {
        const by = /** @type {Record<string, number>} */ ({ ArrowUp: 1, ArrowDown: -1 })[event.key];
        if (!by || isOver(by)) return;
        event.preventDefault();
        input.value = String(value + by);
        set(value + by);
      },
    },
  );
  return el(
    "div",
    { class: "amount", role: "group", "aria-label": label },
    el("span", { class: "label" }, label, letter ? el("i", {}, ` ${letter}`) : null),
    el("span", { class: "together" }, step(-1, "−", "less"), input, step(1, "+", "more")),
  );
}
