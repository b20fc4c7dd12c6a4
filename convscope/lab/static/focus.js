/** The focus stays where it was when a part of the page is drawn again. */

import { part } from "./element.js";

const PARTS = ["bar", "strip", "trail", "picture", "stage"];

/** Remember what has the focus by its name; the answer gives the focus to what has that name afterwards. */
export function keepFocus() {
  const kept = document.activeElement?.getAttribute("aria-label");
  const within = PARTS.find((id) => part(id).contains(document.activeElement));
  return () => {
    if (!kept || !within || document.activeElement?.getAttribute("aria-label")) return;
    /** @type {HTMLElement | null} */ (part(within).querySelector(`[aria-label="${CSS.escape(kept)}"]`))?.focus({
      preventScroll: true,
    });
  };
}
