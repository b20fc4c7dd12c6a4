/** What is asked of the server about what a network learned; what was not computed yet is null. */

/** @import { Computed } from "../types.js" */
/** @import { Results } from "../results/types.js" */
/** @import { FilterOfLayer, ImageMap, LayerFilters, Levels, Probes, Redundancy, Similarity, Status, Study } from "./types.js" */

import { ask, post } from "../api.js";

const STRIPS = 256; // pictures of patches that are kept
const PAUSE = 400; // milliseconds between two looks at a pass

const code = encodeURIComponent;
/** @type {Map<string, Promise<string>>} */
const strips = new Map();

/** @param {string} net @param {string} path @param {Record<string, string>} [query] */
const at = (net, path, query = {}) => {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  return `/networks/${code(net)}/learned${path}${asked.size ? `?${asked}` : ""}`;
};

/** @template T @param {string} path @returns {Promise<T>} */
const get = async (path) => (await ask(path)).json();

/** @param {string} net @param {string} [data] @returns {Promise<Status>} */
export const status = (net, data = "") => get(at(net, "", { data }));

/** @param {string} net @param {string} row @param {string} data @returns {Promise<LayerFilters | null>} */
export const layer = (net, row, data) => get(at(net, `/patches/${code(row)}`, { data }));

/** @param {string} net @param {string} row @param {number} index @param {string} data @returns {Promise<FilterOfLayer | null>} */
export const filter = (net, row, index, data) => get(at(net, `/patches/${code(row)}/${index}`, { data }));

/** @param {string} net @param {string} data @returns {Promise<Levels | null>} */
export const levels = (net, data) => get(at(net, "/levels", { data }));

/** @param {string} net @param {string} data @returns {Promise<Redundancy | null>} */
export const redundancy = (net, data) => get(at(net, "/redundancy", { data }));

/** Every two maps of a layer. @param {string} net @param {string} layer @param {string} data @returns {Promise<Similarity | null>} */
export const similarity = (net, layer, data) => get(at(net, `/similarity/${code(layer)}`, { data }));

/** What can be read from each level. @param {string} net @param {string} data @returns {Promise<Probes | null>} */
export const probes = (net, data) => get(at(net, "/probes", { data }));

/** @param {string} net @param {string} row @param {string} method @param {string} data @returns {Promise<ImageMap | null>} */
export const imageMap = (net, row, method, data) => get(at(net, `/map/${code(row)}`, { method, data }));

/** How good the network is. @param {string} net @param {string} data @returns {Promise<Results | null>} */
export const results = (net, data) => get(at(net, "/results", { data }));

/** A small copy of an image. @param {string} net @param {string} key @param {string} data */
export const thumbnail = (net, key, data) => pictureAt(at(net, "/image.png", { key, data }));

/** The thumbnails of a map, as an address. @param {string} net @param {string} row @param {string} method @param {string} data */
export const sheet = (net, row, method, data) => pictureAt(at(net, `/map/${code(row)}/sheet.png`, { method, data }));

/**
 * The patches of a filter side by side, as an address; kept, the oldest goes first.
 * @param {string} net @param {string} row @param {number} index @param {string} data
 */
export function strip(net, row, index, data) {
  const path = at(net, `/patches/${code(row)}/${index}/strip.png`, { data });
  const held = strips.get(path) ?? pictureAt(path);
  strips.delete(path);
  strips.set(path, held);
  held.catch(() => strips.delete(path));
  for (const [oldest, picture] of strips) {
    if (strips.size <= STRIPS) break;
    strips.delete(oldest);
    picture.then(URL.revokeObjectURL, () => {});
  }
  return held;
}

/** @param {string} path */
const pictureAt = async (path) => URL.createObjectURL(await (await ask(path)).blob());

/** Forget pictures of patches: others may come. */
export function forgetStrips() {
  for (const picture of strips.values()) picture.then(URL.revokeObjectURL, () => {});
  strips.clear();
}

/**
 * Show the network an image of the data set; the id of the image.
 * @param {string} net @param {string} key @param {string} data @returns {Promise<string>}
 */
export async function showImage(net, key, data) {
  const { image } = await post(at(net, "/images"), { key, data });
  return image;
}

/** Start to find something out. @param {string} net @param {Study} study @returns {Promise<Computed>} */
export const start = (net, study) => post(at(net, "/studies"), study);

/** @param {string} id */
export const cancel = (id) => ask(`/computations/${code(id)}`, { method: "DELETE" });

/**
 * Follow a pass until it has ended or the page has gone on.
 * @param {string} id @param {(computation: Computed) => void} onChange @param {() => boolean} late
 */
export async function follow(id, onChange, late) {
  for (;;) {
    /** @type {Computed} */
    const computation = await get(`/computations/${code(id)}`);
    if (late()) return;
    onChange(computation);
    if (!["waiting", "running"].includes(computation.state)) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
