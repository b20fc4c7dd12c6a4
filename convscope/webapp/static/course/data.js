/** What is in this page beside its code. */

/** @typedef {any} Value */
/** @import { CourseIndex } from "./types.js" */

import { index as found, inflated } from "../page_file/blobs.js";
import { setBaked } from "./baked.js";
import { setModules } from "./by_hand.js";
import { modules } from "./translated.js";

export const index = /** @type {CourseIndex} */ (/** @type {unknown} */ (found));

/** @type {Map<string, Promise<Value>>} */
const tables = new Map();

/** What Python has written as JSON. @param {string} key @returns {Promise<Value>} */
export function readTable(key) {
  const table = tables.get(key) ?? inflated(key).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
  tables.set(key, table);
  return table;
}

/** @type {Promise<void> | null} */
let reading = null;

/** Have ready what the translated lessons read. */
export function prepare() {
  reading ??= Promise.all([readTable("tables"), inflated("region")]).then(([read, data]) => {
    setBaked({ ...read, photograph: { ...read.photograph, data } });
    setModules(modules);
  });
  return reading;
}
