/** The one screen of a course. */

/** @import { Screen } from "../types.js" */

/** @type {Record<string, [string, () => Screen | Promise<Screen>]>} */
export const SCREENS = { learn: ["Learn", () => import("../lessons/screen.js")] };
