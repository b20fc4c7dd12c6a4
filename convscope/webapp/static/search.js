/** Find a layer by a part of its name: `/`. */

/** @import { Network, Row } from "./types.js" */

import { dialog, el, write } from "./element.js";
import { count, volume } from "./numbers.js";
import { go } from "./state.js";

const MOST = 40; // lines: more are not read

/** @param {Network} net */
export function search(net) {
  if (document.querySelector("dialog")) return;
  const list = el("ul", { class: "found", id: "found", role: "listbox", "aria-label": "Layers found" });
  const status = el("p", { class: "caption", role: "status" });
  const input = el("input", {
    class: "field-of-text",
    type: "text",
    placeholder: "conv2 3×3",
    autocomplete: "off",
    spellcheck: "false",
    autofocus: true,
    role: "combobox",
    "aria-expanded": "true",
    "aria-controls": "found",
    "aria-label": "Part of a layer's name",
  });
  const box = dialog("Search a layer", input, list, status);
  let [found, at] = [net.rows, 0];
  /** @param {Row} row */
  const open = (row) => {
    box.close();
    go({ layer: row.name, place: null, trail: [] });
  };
  const mark = () => {
    for (const [i, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(i === at));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", found.length ? `found-${at}` : "");
  };
  const show = () => {
    const words = input.value.toLowerCase().replaceAll("x", "×").split(/\s+/).filter(Boolean);
    /** @param {Row} row */
    const hay = (row) =>
      `${row.name} ${row.type} ${row.kernel?.join("×") ?? ""} ${volume(row.axes)}`.toLowerCase().replaceAll("x", "×");
    found = net.rows.filter((row) => words.every((word) => hay(row).includes(word)));
    at = 0;
    list.replaceChildren(
      ...found
        .slice(0, MOST)
        .map((row, i) =>
          el(
            "li",
            { id: `found-${i}`, role: "option", onclick: () => open(row) },
            el("b", {}, row.name),
            el("span", { class: "caption" }, `${row.type}, ${volume(row.axes)}`),
          ),
        ),
    );
    write(
      status,
      found.length
        ? `${count(found.length)} of ${count(net.rows.length)} ` +
            `layers${found.length > MOST ? `, the first ${MOST} shown` : ""}`
        : "No layer matches.",
    );
    mark();
  };
  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    const step = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1 })[event.key] ?? 0;
    if (event.key === "Enter" && found[at]) open(found[at]);
    if (!step) return;
    event.preventDefault();
    at = Math.max(0, Math.min(list.children.length - 1, at + step));
    mark();
  });
  show();
}
