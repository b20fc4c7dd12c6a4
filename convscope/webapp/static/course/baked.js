/** What Python has computed when this page was written, once it is read. */

/** @import { Baked } from "./types.js" */

/** @type {{now: Baked | null}} */
const held = { now: null };

/** @param {Baked} data */
export const setBaked = (data) => {
  held.now = data;
};

/** @returns {Baked} */
export function baked() {
  if (!held.now) throw new Error("The numbers of this page are not read yet.");
  return held.now;
}
