/** What the keys do. */

import { dialog, el } from "./element.js";

const KEYS = [
  ["← →", "from box to box of the network; with ↑ ↓ from cell to cell, and on the output map from unit to unit"],
  ["Enter", "open the box, the map, the operand"],
  ["Esc", "one step up: along the way you came, then the maps, then the network"],
  ["F", "follow the largest operand one step back"],
  ["Space", "on the output map: slide the filter, or pause"],
  [". ,", "on the output map: the next unit, the one before"],
  ["[ ]", "the layer before, the next layer"],
  ["/", "search a layer"],
  ["+ − 0", "larger, smaller, the whole network"],
  ["?", "this list"],
];

/** A dialog that lists them; Esc closes it. */
export function keysDialog() {
  const box = dialog(
    "Keys",
    el("h3", {}, "Keys"),
    el(
      "table",
      { class: "rows" },
      el(
        "tbody",
        {},
        ...KEYS.map(([keys, what]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, ...keys.split(" ").flatMap((key) => [el("kbd", {}, key), " "])),
            el("td", { style: { "white-space": "normal" } }, what),
          ),
        ),
      ),
    ),
    el("div", { class: "row" }, el("button", { class: "pill main", onclick: () => box.close() }, "Close")),
  );
}
