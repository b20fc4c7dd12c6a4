/** A number that is set by typing, or by − and +. */

import { el } from "../element.js";

/**
 * @param {string} label @param {number} value
 * @param {{low: number, high: number, set: (value: number) => void, letter?: string}} how
 *   `letter` is its name in the formula
 */
export function amount(label, value, { low, high, set, letter = "" }) {
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
  const typed = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const text = input.value.replaceAll(",", "").trim();
    const sound = /^\d{1,9}$/.test(text) && Number(text) >= low && Number(text) <= high;
    input.setAttribute("aria-invalid", String(!sound));
    if (sound && Number(text) !== value) set(Number(text));
  };
  const left = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    input.value = String(value);
    input.removeAttribute("aria-invalid");
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    const by = /** @type {Record<string, number>} */ ({ ArrowUp: 1, ArrowDown: -1 })[event.key];
    if (!by || value + by < low || value + by > high) return;
    event.preventDefault();
    /** @type {HTMLInputElement} */ (event.target).value = String(value + by);
    set(value + by);
  };
  return el(
    "div",
    { class: "amount", role: "group", "aria-label": label },
    el("span", { class: "label" }, label, letter ? el("i", {}, ` ${letter}`) : null),
    el(
      "span",
      { class: "together" },
      step(-1, "−", "less"),
      el("input", {
        class: "pill",
        value: String(value),
        inputmode: "numeric",
        autocomplete: "off",
        spellcheck: "false",
        title: `a whole number from ${low} to ${high.toLocaleString("en")}`,
        "aria-label": label,
        oninput: typed,
        onblur: left,
        onkeydown: key,
        onfocus: (event) => event.target.select(),
      }),
      step(1, "+", "more"),
    ),
  );
}
