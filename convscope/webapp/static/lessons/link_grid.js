/** Which maps of the first pooling each filter of the second convolution reads. */

/** @import { Lenet5Answer, LessonState, SetState } from "./types.js" */

import { el } from "../element.js";
import { count } from "../numbers.js";
import { remark } from "./parts.js";
import { sideways } from "./sideways.js";

/**
 * Which maps of the first pooling each filter of the second convolution reads.
 * @param {Lenet5Answer} answer @param {LessonState} state @param {SetState} set
 */
export function linked({ table, rows }, state, set) {
  const pool = rows[1].layer;
  const { links, column, used } = table;
  /** @param {number} map @param {number} k */
  const on = (map, k) => links[k].includes(map);
  const grid = el(
    "table",
    { class: "link-grid", "aria-label": `Which maps of ${pool} each filter of ${table.layer} reads` },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", {}, ""),
        ...links.map((_, k) =>
          el(
            "th",
            { scope: "col" },
            el(
              "button",
              {
                "aria-label": `${table.layer} map ${k}`,
                "aria-pressed": String(k === column),
                onclick: () => set({ column: k }),
              },
              String(k),
            ),
          ),
        ),
      ),
    ),
    el(
      "tbody",
      {},
      ...used.map((times, map) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, `${pool} map ${map}`),
          ...links.map((_, k) =>
            el(
              "td",
              {
                class: [on(map, k) && "on", k === column && "chosen"].filter(Boolean).join(" "),
                "aria-label": on(map, k) ? "linked" : "not linked",
              },
              on(map, k) ? "×" : "",
            ),
          ),
          el("td", { class: "count" }, `used ${times} times`),
        ),
      ),
    ),
  );
  const saved =
    state.network === "1998"
      ? `${table.count} of ${table.pairs} pairs are linked: ${count(table.parameters)} parameters instead of ` +
        `${count(table.full)} for all pairs. No two maps have the same inputs, so they must learn different ` +
        "features."
      : `All ${table.pairs} pairs are linked: ${count(table.parameters)} parameters. In 1998 a table linked 60 of ` +
        `them, with ${count(table.chosen)} parameters; choose “of 1998” to see it.`;
  return el(
    "div",
    { class: "card" },
    el("h3", {}, `Which maps does ${table.layer} read?`),
    el(
      "div",
      { class: "side-by-side" },
      sideways("links", grid),
      remark(
        `Filter ${column} of ${table.layer} reads the maps ${links[column].join(", ")} of ${pool}: ${table.formula} ` +
          `= ${count(table.own)} parameters. `,
        saved,
      ),
    ),
  );
}
