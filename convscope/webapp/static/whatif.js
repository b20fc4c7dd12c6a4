/** What if: the open map with another stride, padding, dilation or window, marked as not the network's. */

/** @import { FieldEvent, Variation } from "./types.js" */
/** @import { Scene } from "./ledger.js" */

import { variation } from "./api.js";
import { peakOf, picture } from "./color.js";
import { el, write } from "./element.js";
import { legend } from "./planes.js";

/**
 * Which settings an operation has; a filter's size was learned, a pooling's window may be any.
 * @type {Record<string, string[]>}
 */
const SETTINGS = {
  conv: ["stride", "padding", "dilation"],
  maxpool: ["kernel", "stride", "padding", "dilation"],
  avgpool: ["kernel", "stride", "padding"],
};
/** @type {Record<string, string>} */
const WORDS = { kernel: "window" };
const MOST = 64;

/** What was set, for as long as the layer is looked at. */
let kept = { of: "", open: false, wish: /** @type {Record<string, number>} */ ({}) };

/**
 * @param {Scene} scene
 * @returns {HTMLElement | null}  nothing where the operation has no such settings
 */
export function whatIf({ net, image, row, place }) {
  const names = SETTINGS[row.op];
  if (!names || row.kernel?.length !== 2 || row.shape[1] * row.shape[2] === 1) return null;
  const of = `${net.id}/${row.name}`;
  if (kept.of !== of) kept = { of, open: false, wish: {} };
  const shown = el("div", {});
  const status = el("p", { class: "caption", role: "status" });
  let latest = 0;
  const draw = async () => {
    const asked = ++latest;
    const found = await variation(net.id, image.id, row.name, place.map, kept.wish).catch((error) => error);
    if (asked !== latest) return; // something else was wished meanwhile
    shown.replaceChildren(...(found.data ? drawn(found) : []));
    write(status, found.description ?? found.message);
  };
  /** @type {Record<string, number>} */
  const own = {
    kernel: row.kernel[0],
    stride: row.stride?.[0] ?? 1,
    padding: Number(row.padding?.[0]) || 0,
    dilation: 1,
  };
  const fields = names.map((name) => field(name, own[name], draw));
  const node = el(
    "details",
    { class: "whatif", open: kept.open, style: { "grid-column": "1 / -1" } },
    el("summary", {}, "What if…"),
    el("p", { class: "caption" }, "The same filter with other settings. This is not what the network does."),
    el("div", { class: "row" }, ...fields),
    shown,
    status,
  );
  node.addEventListener("toggle", () => {
    kept.open = node.open;
    if (node.open) draw();
  });
  if (kept.open) draw();
  return node;
}

/** @param {string} name @param {number} own @param {() => void} draw */
function field(name, own, draw) {
  /** @param {FieldEvent} event */
  const change = (event) => {
    const value = event.target.valueAsNumber;
    if (!Number.isInteger(value)) return;
    if (value === own) delete kept.wish[name];
    else kept.wish[name] = value;
    draw();
  };
  const word = WORDS[name] ?? name;
  return el(
    "label",
    { class: "caption" },
    `${word} `,
    el("input", {
      type: "number",
      class: "pill",
      min: name === "padding" ? 0 : 1,
      max: MOST,
      value: kept.wish[name] ?? own,
      "aria-label": word,
      style: { width: "4.5em" },
      onchange: change,
    }),
  );
}

/** @param {Variation} variation */
function drawn({ shape: [high, wide], data }) {
  const peak = peakOf(data);
  return [
    el("div", { class: "board" }, picture(data, high, wide, peak)),
    legend(
      peak,
      data.some((v) => v < 0),
    ),
  ];
}
