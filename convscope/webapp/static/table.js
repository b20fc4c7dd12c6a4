/** The lecture's table: one line for each row of the network; what the drawing folds is one line here too. */

/** @import { Network, Row, State } from "./types.js" */
/** @import { Box } from "./layout.js" */

import { el } from "./element.js";
import { gather } from "./layout.js";
import { into } from "./network.js";
import { count, one, several, sides, volume } from "./numbers.js";
import { link } from "./state.js";

const COLUMNS = [
  "Layer",
  "Operation",
  "Filters",
  "Size",
  "Stride",
  "Padding",
  "Output volume",
  "Activation",
  "Parameters",
  "Each unit sees",
];
const NONE = "–";

/**
 * @param {Network} net
 * @param {State} state
 * @param {boolean} collapse
 */
export function table(net, state, collapse) {
  const { boxes } = gather(net.rows, state.open, collapse);
  return el(
    "div",
    { class: "card scroll", tabindex: 0, role: "region", "aria-label": "Table of the layers" },
    el(
      "table",
      { class: "rows" },
      el("thead", {}, el("tr", {}, ...COLUMNS.map((text, i) => el("th", { scope: "col", class: numeric(i) }, text)))),
      el("tbody", {}, ...boxes.map((box) => line(net, state, box))),
    ),
  );
}

/** @param {number} column */
const numeric = (column) => (column > 1 && column !== 7 ? "n" : null);

/** @param {Network} net @param {State} state @param {Box} box */
function line(net, state, box) {
  const { row, blocks, members } = box;
  const closed = blocks.length > 0;
  const name = blocks.length > 1 ? `${blocks[0]} – ${blocks.at(-1)}` : (blocks[0] ?? row.name);
  const weighted = members.filter((m) => m.parameters).length;
  const params = members.reduce((sum, m) => sum + m.parameters, 0);
  const kind = closed
    ? `${blocks.length > 1 ? `${blocks.length} blocks, ` : ""}${several(weighted, "layer")} with weights`
    : row.type;
  const own = closed
    ? [NONE, NONE, NONE, NONE]
    : [
        row.filters ? count(row.filters) : NONE,
        row.kernel?.length ? sides(row.kernel) : NONE,
        row.stride?.length ? one(row.stride) : NONE,
        row.padding?.length ? one(row.padding) : NONE,
      ];
  const cells = [kind, ...own, volume(row.axes), row.activation || NONE, params ? count(params) : NONE, sees(net, row)];
  return el(
    "tr",
    { class: closed ? "closed" : null },
    el("th", { scope: "row" }, el("a", { ...link(into(box, state)), title: closed ? "Open" : null }, name)),
    ...cells.map((text, i) => el("td", { class: numeric(i + 1) }, text)),
  );
}

/** Never more than the image; "up to" where the field is only bounded. @param {Network} net @param {Row} row */
function sees(net, row) {
  const { length } = row.receptive_field ?? [];
  if (!length) return NONE;
  const seen = row.receptive_field.map((side, i) => Math.min(side, net.size[net.size.length - length + i] ?? side));
  return `${row.exact ? "" : "up to "}${sides(seen)} px`;
}
