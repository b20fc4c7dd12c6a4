/** The one screen of a page that is a file. */

/** @import { Screen } from "../types.js" */

import * as inside from "../inside.js";

/** @type {Record<string, [string, () => Screen | Promise<Screen>]>} */
export const SCREENS = { look: ["Look inside", () => inside] };
