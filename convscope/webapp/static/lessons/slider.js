/** A slider that can be dragged while the scene around it is redrawn. */

import { el } from "../element.js";

/**
 * @param {string} label @param {number} value
 * @param {{low: number, high: number, step: number, text: string, set: (value: number) => void}} how
 *   `text` is the displayed value
 */
export function slider(label, value, { low, high, step, text, set }) {
  /** @type {HTMLInputElement} */
  const input = el("input", {
    type: "range",
    min: low,
    max: high,
    step,
    value,
    "aria-label": label,
    "aria-valuetext": text,
    oninput: () => set(Number(input.value)),
    onpointerdown: (event) => drag(event, input, { low, high, step, set }),
  });
  return el(
    "label",
    { class: "row slider" },
    el("span", { class: "label" }, label),
    input,
    el("output", { "data-said": `${label} ${text}.` }, text),
  );
}

/**
 * The window follows the pointer, since the element under it is replaced.
 * @param {PointerEvent} event
 * @param {HTMLInputElement} input
 * @param {{low: number, high: number, step: number, set: (value: number) => void}} it
 */
function drag(event, input, { low, high, step, set }) {
  if (event.button) return;
  event.preventDefault();
  input.focus();
  const box = input.getBoundingClientRect();
  const thumb = 16; // its middle stops half of this before either end
  let last = Number(input.value);
  const move = (/** @type {PointerEvent} */ { clientX }) => {
    const share = Math.max(0, Math.min(1, (clientX - box.left - thumb / 2) / (box.width - thumb)));
    const next = low + Math.round((share * (high - low)) / step) * step;
    if (next === last) return;
    last = next;
    set(Number(next.toFixed(6)));
  };
  const ended = new AbortController();
  const end = () => ended.abort();
  addEventListener("pointermove", move, { signal: ended.signal });
  for (const name of ["pointerup", "pointercancel", "blur"]) addEventListener(name, end, { signal: ended.signal });
  move(event);
}
