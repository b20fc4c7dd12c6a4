/** What follows: the answer before and after, and the maps of every layer that changes. */

/** @import { Network } from "../types.js" */

import { picture } from "../color.js";
import { el } from "../element.js";
import { decimalsFor, fixed, several, volume } from "../numbers.js";
import { number } from "../planes.js";
import { go } from "../state.js";
import { answerList, verdictOf } from "../why/effects.js";

/** @param {Network} net @param {any} answer @returns {Node[]} */
export function follows(net, answer) {
  const { rows, num_rows: count, classes, failure } = answer;
  if (!rows.length && !failure) return [el("p", { class: "note" }, "Nothing changes: these numbers were so already.")];
  const shown = rows.length < count ? `, ${rows.length} of them shown` : "";
  return [
    failure
      ? el("p", { class: "note" }, `${failure} The layers before it:`)
      : el("div", { class: "now-said" }, ...(classes ? [verdictOf(net, classes), answerList(net, classes)] : [])),
    el(
      "p",
      { class: "caption" },
      `${several(count, "layer")} change${count === 1 ? "s" : ""}${shown}; before on the left.`,
    ),
    el("div", { class: "followers" }, ...rows.map((/** @type {any} */ row) => follower(net, row))),
  ];
}

/** @param {Network} net @param {any} row */
function follower(net, { row: name, map, is_vector: vector, before, after, ...rest }) {
  /** @param {any} drawn */
  const board = ({ height, width, data }) => {
    const bytes = Int8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    return picture(bytes, height, width, 127);
  };
  return el(
    "figure",
    { class: vector ? "vector" : "" },
    el(
      "button",
      {
        class: "quiet",
        "aria-label": vector ? `${name}: open its units` : `${name} map ${map}: open its maps`,
        onclick: () => go({ layer: name, place: null, trail: [] }),
      },
      el("b", {}, name),
      vector ? null : ` map ${map}`,
    ),
    el("div", { class: "pair" }, board(before), board(after)),
    el("figcaption", { class: "caption" }, amount(net, name, rest)),
  );
}

/** @param {Network} net @param {string} name @param {any} row */
function amount(net, name, { changed, largest, shape, was }) {
  if (changed === null) return `${volume(shape)}, was ${volume(was)}`;
  const [c, h, w] = net.byName.get(name)?.shape ?? [0, 0, 0];
  const most = number(largest);
  const amount = most && Math.abs(most) < 1e-6 ? "less than 0.000001" : `up to ${fixed(most, decimalsFor([most]))}`;
  return `${changed.toLocaleString("en")} of ${several(c * h * w, "value")} change, by ${amount}`;
}
