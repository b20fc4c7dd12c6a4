/** The lesson on learned filters: everything is measured by Python on a network that was trained for this page. */

/** @typedef {any} Value */

import { readTable } from "./data.js";

/** @param {Value} state @returns {Promise<Value>} */
export async function filtersAnswer(state) {
  const layers = await readTable("filters");
  const layer = layers[state.layer];
  if (!layer) return `There is no layer ${state.layer}.`;
  const count = layer.answer.filters.length;
  const chosen = Math.min(state.filter, count - 1);
  const removed = [...new Set(/** @type {number[]} */ (state.removed))]
    .filter((place) => place < count)
    .sort((a, b) => a - b);
  const left = layer.left[removed.join()];
  if (left === undefined)
    return (
      `This page knows how many digits are read without up to ${layers.most} filters of ${state.layer}. ` +
      "Restore one; `convscope lab` counts any number."
    );
  const maps = layer.maps[state.digit];
  return {
    ...layer.answer,
    removed,
    left,
    digit: layer.digits[state.digit],
    filters: layer.answer.filters.map((/** @type {Value} */ filter, /** @type {number} */ i) => ({
      ...filter,
      map: maps[i],
    })),
    chosen,
    patches: layer.patches[chosen],
    pair: layer.pairs[chosen],
  };
}
