/** Stacked bars: the size of each part. */

import { el } from "../element.js";
import { columnHeads } from "./parts.js";

/**
 * @typedef {{share: number, text: string, title?: string}} Bar  share: of the longest bar that fits, 0 to 1
 * @param {string} label
 * @param {string[]} heads  over the columns of bars; the first over the names
 * @param {{name: string, bars: Bar[], chosen?: boolean, choose?: () => void}[]} rows
 */
export function bars(label, heads, rows) {
  return el(
    "table",
    { class: "share-bars", "aria-label": label },
    columnHeads(heads),
    el(
      "tbody",
      {},
      ...rows.map(({ name, bars: own, chosen, choose }) =>
        el(
          "tr",
          { class: chosen ? "chosen" : "" },
          el(
            "th",
            { scope: "row" },
            choose
              ? el(
                  "button",
                  {
                    class: "quiet",
                    "aria-label": `${label}: ${name}`,
                    "aria-pressed": String(Boolean(chosen)),
                    onclick: choose,
                  },
                  name,
                )
              : name,
          ),
          ...own.map(bar),
        ),
      ),
    ),
  );
}

/** @param {Bar} bar */
const bar = ({ share, text, title }) =>
  el(
    "td",
    { title: title ?? null },
    ...(share > 0
      ? [
          el("span", { class: "bar-track" }, el("i", { style: { width: `max(1px, ${100 * share}%)` } })),
          el("data", {}, text),
        ]
      : []),
  );
