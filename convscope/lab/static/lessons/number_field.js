/** A number that is typed under its name. */

import { el } from "../element.js";

/**
 * What is no number within the bounds yet is waited for.
 * @param {string} label @param {number} value
 * @param {{low: number, high: number, whole?: boolean, set: (value: number) => void}} how
 */
export function numberField(label, value, { low, high, whole = false, set }) {
  const changed = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const next = Number(input.value.replaceAll("−", "-").replace(",", "."));
    const sound =
      input.value.trim() !== "" &&
      Number.isFinite(next) &&
      next >= low &&
      next <= high &&
      (!whole || Number.isInteger(next));
    input.setAttribute("aria-invalid", String(!sound));
    if (sound) set(next);
  };
  return el(
    "label",
    { class: "row number-field" },
    el("span", { class: "label" }, label),
    el("input", {
      class: "field-of-text",
      value: String(value),
      inputmode: "decimal",
      autocomplete: "off",
      "aria-label": label,
      title: `${low} to ${high.toLocaleString("en")}`,
      oninput: changed,
    }),
  );
}
