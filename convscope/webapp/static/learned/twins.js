/** For the screen of a layer's maps: which of them are twins over the data set, where that is known. */

/** @import { Network, Row } from "../types.js" */
/** @import { LayerRedundancy, Redundancy } from "./types.js" */

import { Refused } from "../api.js";
import { redundancy } from "./api.js";
import { imagesOf, sureText } from "./words.js";

/**
 * Groups of twins and the images that they rest on; nothing where the maps were not compared over the data set.
 * @param {Network} net @param {Row} row @returns {Promise<{groups: number[][], over: string, note: string} | null>}
 */
export async function twinsOf(net, row) {
  try {
    return found(await redundancy(net.id, ""), row.name);
  } catch (error) {
    if (error instanceof Refused && error.status) return null;
    throw error;
  }
}

/** @param {Redundancy | null} all @param {string} row */
export function found(all, row) {
  const layer = all?.layers.find((one) => one.row === row);
  if (!all || !layer) return null;
  return { groups: layer.groups, note: "", over: overText(all, layer) };
}

/** @param {Redundancy} all @param {LayerRedundancy} layer */
function overText(all, layer) {
  const sure = sureText(layer);
  return `Over ${imagesOf(all)}, not this one image: twins correlate by ${all.correlated} or more, or by −${all.correlated} or less.${sure ? ` ${sure}` : ""}`;
}
