/** Other settings would have to be computed, and a file computes nothing. */

/** @param {import("../ledger.js").Scene} _scene @returns {HTMLElement | null} */
export const whatIf = (_scene) => null;
