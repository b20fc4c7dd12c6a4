/** Stride, padding, dilation and window of the open layer. */

/** @import { Scene } from "./card.js" */

import { el } from "../element.js";

const MOST = 64;
/** @type {Record<string, string>} */
const WORDS = { kernel: "window" };

/** @param {Scene} scene @param {Record<string, number>} settings  what can be set, as it is @returns {HTMLElement | null} */
export function settingsPart(scene, settings) {
  const names = Object.keys(settings);
  if (!names.length) return null;
  const title = scene.row.op === "conv" ? "A stride" : "A window";
  return el("div", {}, el("h4", {}, title), ...names.map((name) => field(scene, name, settings[name])));
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
