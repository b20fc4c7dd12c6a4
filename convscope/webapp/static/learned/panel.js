/** In Look inside: what excites the open filter over the data set, and what the filters of an open layer respond to. */

/** @import { Network, Position, Row } from "../types.js" */
/** @import { FilterOfLayer, LayerFilters, Status } from "./types.js" */

import { el, messageOf, styles } from "../element.js";
import { replaceChildren } from "../focus.js";
import { namesClasses } from "../maps_text.js";
import { count, several } from "../numbers.js";
import { go } from "../state.js";
import * as api from "./api.js";
import { patchStrip } from "./strip.js";
import { studyCard } from "./study.js";
import { SELECTIVITY, imagesOf, responseOf, selectivityOf } from "./words.js";

const SHOWN = 6; // filters of a layer

/** The last section, which stays as it is while the unit moves within its map. @type {{key: string, node: Node}} */
let kept = { key: "", node: el("div") };

/**
 * The section of a unit's filter.
 * @param {Network} net @param {Row} row @param {Position} place
 */
export function unitPanel(net, row, { map, col }) {
  return section(`${net.id}/${row.name}/${map}/${row.axes.length === 2 ? col : ""}`, (body, redo, late) =>
    showUnit(body, net, row, { map, col }, redo, late),
  );
}

/** The section of a layer. @param {Network} net @param {Row} row */
export const layerPanel = (net, row) =>
  section(`${net.id}/${row.name}`, (body, redo, late) => showLayer(body, net, row, redo, late));

/**
 * A section that fills itself.
 * @param {string} key
 * @param {(body: HTMLElement, redo: () => void, late: () => boolean) => Promise<void>} fill
 */
function section(key, fill) {
  if (kept.key === key) return kept.node;
  const body = el("section", { class: "card over-data", "aria-label": "Over the data set" });
  kept = { key, node: body };
  const late = () => kept.node !== body;
  const redo = async () => {
    try {
      await styles("learned.css");
      await fill(body, redo, late);
    } catch (error) {
      if (!late()) replaceChildren(body, el("p", { class: "note", role: "alert" }, messageOf(error)));
    }
  };
  redo();
  return body;
}

/**
 * @param {HTMLElement} body @param {Network} net @param {Row} row @param {{map: number, col: number}} place
 * @param {() => void} redo @param {() => boolean} late
 */
async function showUnit(body, net, row, { map, col }, redo, late) {
  const isColumn = row.axes.length === 2;
  const index = isColumn ? col : map;
  const found = await api.filter(net.id, row.name, index, "");
  if (late()) return;
  const name = nameOf(net, row, index);
  const title = el("h3", {}, `What excites ${name} most`);
  if (!found) return missing(body, title, net, row, redo, late);
  replaceChildren(body, title, ...filterParts(net, row, found, name));
}

/** @param {Network} net @param {Row} row @param {FilterOfLayer} found @param {string} name */
function filterParts(net, row, found, name) {
  const lead = found.patches.length
    ? `The patches with its largest values, of ${imagesOf(found)}, at most one of an image. Press one to open its image ` +
      "at the unit that answered there."
    : `Of ${imagesOf(found)}, none excites it more than another.`;
  return [
    el("p", { class: "lead" }, lead),
    found.patches.length
      ? patchStrip({
          net: net.id,
          data: "",
          row: row.name,
          filter: found.filter,
          patches: found.patches,
          name,
        })
      : null,
    el("p", {}, responseOf(found)),
    el("p", { class: "caption" }, `${found.selectivity === null ? "" : `${SELECTIVITY} `}${found.notes.join(" ")}`),
  ].filter((node) => node !== null);
}

/** "map 3", "unit 3", or the class. @param {Network} net @param {Row} row @param {number} index */
function nameOf(net, row, index) {
  if (namesClasses(row, net)) return net.classes[index];
  if (row.axes.length === 2) return `feature ${index}`;
  return row.shape[1] * row.shape[2] === 1 ? `unit ${index}` : `map ${index}`;
}

/**
 * Nothing is known of the row yet.
 * @param {HTMLElement} body @param {HTMLElement} title @param {Network} net @param {Row} row
 * @param {() => void} redo @param {() => boolean} late
 */
async function missing(body, title, net, row, redo, late) {
  const status = await api.status(net.id);
  if (late()) return;
  replaceChildren(body, title, startCard(net, row, status, redo, late));
}

/**
 * All layers are looked at in the first pass; one that it left out in a pass of its own.
 * @param {Network} net @param {Row} row @param {Status} status @param {() => void} redo @param {() => boolean} late
 */
const startCard = (net, row, status, redo, late) =>
  studyCard(net.id, status, status.has_levels ? { kind: "row", row: row.name } : { kind: "filters" }, {
    sentence: "The patches of the data set that excite each filter most are not known yet.",
    label: "Find the patches",
    done: redo,
    late,
  });

/**
 * @param {HTMLElement} body @param {Network} net @param {Row} row @param {() => void} redo @param {() => boolean} late
 */
async function showLayer(body, net, row, redo, late) {
  const found = await api.layer(net.id, row.name, "");
  if (late()) return;
  const title = el("h3", {}, "What its filters respond to");
  if (!found) return missing(body, title, net, row, redo, late);
  const chosen = telling(found);
  const asked = await Promise.all(chosen.map((index) => api.filter(net.id, row.name, index, "")));
  const filters = asked.filter((one) => one !== null);
  if (late()) return;
  const all = found.filters.length;
  const isRanked = filters.every((one) => one.selectivity !== null);
  const less = chosen.length < all ? ` ${isRanked ? "The most selective" : "Some"} of its ${count(all)} filters.` : "";
  replaceChildren(
    body,
    title,
    el(
      "p",
      { class: "lead" },
      `The patches that excite each filter most, of ${imagesOf(found)}. Press one to open its image at the unit that ` +
        `answered there.${less}`,
    ),
    el("div", { class: "responses" }, ...filters.map((one) => response(net, row, one))),
    ...states(net, row, found),
    el("p", { class: "caption" }, SELECTIVITY),
  );
}

/** The most selective filters, or the first ones where none is. @param {LayerFilters} found */
function telling({ filters }) {
  const alive = filters.filter((one) => one.state !== "dead");
  return alive
    .sort((a, b) => (b.selectivity ?? 0) - (a.selectivity ?? 0))
    .slice(0, SHOWN)
    .map((one) => one.filter);
}

/** @param {Network} net @param {Row} row @param {FilterOfLayer} one */
function response(net, row, one) {
  const name = nameOf(net, row, one.filter);
  return el(
    "div",
    { class: "response" },
    el("p", {}, el("b", {}, name), " ", el("span", { class: "caption" }, selectivityOf(one))),
    patchStrip({
      net: net.id,
      data: "",
      row: row.name,
      filter: one.filter,
      patches: one.patches,
      name,
      captions: false,
    }),
  );
}

/** Which are dead or always on. @param {Network} net @param {Row} row @param {LayerFilters} found */
function states(net, row, { dead, always_on, images, is_column }) {
  const over = `over ${several(images, "image")}`;
  /** @param {string} what @param {number[]} numbers */
  const list = (what, numbers) => {
    if (!numbers.length) return null;
    const names = numbers.slice(0, 100).map((index) => {
      const place = { layer: row.name, map: is_column ? 0 : index, row: 0, col: is_column ? index : 0 };
      const label = `Open ${nameOf(net, row, index)}`;
      return el(
        "button",
        { class: "quiet", "aria-label": label, onclick: () => go({ place, trail: [] }) },
        String(index),
      );
    });
    const more = numbers.length > 100 ? ` and ${numbers.length - 100} more` : null;
    return el("div", { class: "row" }, el("span", {}, `${what} ${over}:`), ...names, more);
  };
  const found = [list("Dead", dead), list("Always on", always_on)].filter((node) => node !== null);
  return found.length ? found : [el("p", {}, `None is dead ${over}.`)];
}
