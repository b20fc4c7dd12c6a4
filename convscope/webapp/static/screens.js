/** The screens: the first part of the address, the name on its tab, and its module. */

/** @import { Screen } from "./types.js" */

import * as inside from "./inside.js";

/** @type {Record<string, [string, () => Screen | Promise<Screen>]>} */
export const SCREENS = {
  look: ["Look inside", () => inside],
  learned: ["What it learned", () => import("./learned/screen.js")],
  results: ["Results", () => import("./results/screen.js")],
  train: ["Train", () => import("./training/screen.js")],
  compare: ["Compare", () => import("./compare/screen.js")],
  learn: ["Learn", () => import("./lessons/screen.js")],
};
