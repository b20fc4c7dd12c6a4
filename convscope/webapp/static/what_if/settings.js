/** Stride, padding, dilation and window of the open layer. */

/** @import { Scene } from "./card.js" */

import { el } from "../element.js";

const MOST = 64;
/** @type {Record<string, string>} */
const WORDS = { kernel: "window" };

/** @param {Scene} scene @param {string[]} names  of what can be set @returns {HTMLElement | null} */
export function settingsPart(scene, names) {
  const { row } = scene;
  if (!names.length) return null;
  /** @type {Record<string, number>} */
  const own = {
    kernel: row.kernel?.[0] ?? 1,
    stride: row.stride?.[0] ?? 1,
    padding: Number(row.padding?.[0]) || 0,
    dilation: 1,
  };
  const title = row.op === "conv" ? "The stride" : "The window";
  return el("div", {}, el("h4", {}, title), ...names.map((name) => field(scene, name, own[name])));
}

/** @param {Scene} scene @param {string} name @param {number} own */
function field({ row, supposed, changed }, name, own) {
  const key = `${row.name} ${name}`;
  const word = WORDS[name] ?? name;
  const input = el("input", {
    type: "number",
    class: "pill",
    min: name === "padding" ? 0 : 1,
    max: MOST,
    value: supposed.settings.get(key)?.value ?? own,
    "aria-label": word,
    oninput: () => {
      const value = input.valueAsNumber;
      if (!Number.isInteger(value)) return;
      if (value === own) supposed.settings.delete(key);
      else supposed.settings.set(key, { row: row.name, name, value });
      changed();
    },
  });
  return el("label", { class: "setting" }, el("span", {}, word), input);
}
