/** Which classes are taken for which, after each validation of a training. */

/** @import { LiveConfusion } from "../types.js" */

import { ask } from "../api.js";
import { el, write } from "../element.js";
import { count } from "../numbers.js";
import { latest } from "./pictures.js";

/** @param {string} run */
export function confusion(run) {
  const note = el("p", { class: "caption" });
  const place = el("div", {
    class: "scroll",
    tabindex: 0,
    role: "region",
    "aria-label": "Confusion matrix of the validation images",
  });
  const element = el("section", { class: "card", hidden: true }, el("h3", {}, "What is taken for what"), place, note);
  let drawn = "";
  /** @type {HTMLElement[][]} */
  let cells = [];

  /** @param {string[]} names */
  function build(names) {
    cells = names.map((_, i) => names.map((_, j) => el("td", { class: i === j ? "hit" : "miss" })));
    place.replaceChildren(
      el(
        "table",
        { class: "rows confusion" },
        el("thead", {}, el("tr", {}, el("td", {}), ...names.map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, ...names.map((name, i) => el("tr", {}, el("th", { scope: "row" }, name), ...cells[i]))),
      ),
    );
  }

  const reader = latest(async () => {
    const found = await ask(`/runs/${encodeURIComponent(run)}/confusion`, { cache: "no-store" });
    /** @type {LiveConfusion} */
    const { classes, counts, epoch } = await found.json();
    if (JSON.stringify(classes) !== drawn) build(classes);
    drawn = JSON.stringify(classes);
    counts.forEach((row, i) => {
      const total = row.reduce((sum, number) => sum + number, 0) || 1;
      row.forEach((number, j) => {
        write(cells[i][j], number ? count(number) : "·");
        cells[i][j].style.setProperty("--share", (number / total).toFixed(3));
      });
    });
    const all = counts.flat().reduce((sum, number) => sum + number, 0);
    const right = counts.reduce((sum, row, i) => sum + row[i], 0);
    write(
      note,
      `Rows are true classes, columns predicted ones: ${count(right)} of ${count(all)} validation images are right ` +
        `after epoch ${count(epoch)}.`,
    );
    element.hidden = false;
  });
  return { element, ask: reader.ask, again: () => {}, stop: reader.stop };
}
