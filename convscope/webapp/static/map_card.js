/** One map on a card: its picture, its name, what the question says of it, and its filter. */

/** @import { Network, Row } from "./types.js" */
/** @import { CardScene, MapsScene } from "./maps_text.js" */

import { filters } from "./api.js";
import { cell, picture } from "./color.js";
import { el } from "./element.js";
import { QUESTIONS, className, namesClasses } from "./maps_text.js";
import { fixed, percent, whole } from "./numbers.js";
import { number, scan } from "./planes.js";
import { go } from "./state.js";

const FILTERED = 6; // input channels up to which a filter is drawn

/**
 * One map: its picture, its name, what the question says of it. A click opens the unit under the pointer.
 * @param {CardScene} scene @param {number} c @param {number | null} score
 */
export function mapCard(scene, c, score) {
  const { net, row, rank, held, peak, vector } = scene;
  const views = held.map((v) => v.of(c));
  const [first] = views;
  /** @param {number} index */
  const open = (index) =>
    go({
      place: { layer: row.name, map: c, row: Math.floor(index / first.width), col: index % first.width },
      trail: [],
    });
  /** @param {MouseEvent} event */
  const pick = (event) => {
    const view = event.target instanceof Element ? event.target.closest(".view") : null;
    if (!view || event.detail === 0) return open(strongest(first.data));
    const box = view.getBoundingClientRect();
    const [y, x] = [
      ((event.clientY - box.top) / box.height) * first.height,
      ((event.clientX - box.left) / box.width) * first.width,
    ];
    return open(Math.min(first.height - 1, Math.floor(y)) * first.width + Math.min(first.width - 1, Math.floor(x)));
  };
  const name = title(net, row, c);
  /** @param {number} value */
  const text = (value) => (row.name === net.answer ? percent(value) : fixed(value, 2));
  const shown = vector
    ? views.map((v) => el("span", { class: "one", style: cell(v.data[0], peak) }, text(v.data[0])))
    : views.map((v) => el("span", { class: "view" }, picture(v.data, v.height, v.width, peak)));
  const said = score === null || vector ? null : el("data", { title: whole(score) }, QUESTIONS[rank].say(score));
  // what is seen on the card comes first, in its order
  const seen = vector ? [...views.map((v) => text(v.data[0])), name] : [name, said?.textContent];
  const ranked = score === null ? "" : `, ${QUESTIONS[rank].unit} ${whole(score)}`;
  return el(
    "button",
    {
      class: "map",
      onclick: pick,
      title: "Open the unit that you point at",
      "aria-label": `${seen.filter(Boolean).join(" ")}${ranked}. Open its strongest unit.`,
    },
    el("span", { class: "views" }, ...shown.flatMap((view) => [view, " "])),
    filterHolder(scene, c),
    el(
      "span",
      { class: "name" },
      el(
        "b",
        { title: name, style: { overflow: "hidden", "text-overflow": "ellipsis", "white-space": "nowrap" } },
        name,
      ),
      " ",
      said,
    ),
  );
}

/**
 * "map 3", "unit 3", or the class that a unit of the answer stands for.
 * @param {Network} net @param {Row} row @param {number} c
 */
function title(net, row, c) {
  if (row.op === "image") return row.shape[0] === 3 ? ["red", "green", "blue"][c] : `channel ${c}`;
  if (namesClasses(row, net)) return className(row, net, c);
  return row.shape[1] * row.shape[2] === 1 ? `unit ${c}` : `map ${c}`;
}

/** @param {Float32Array} data */
const strongest = (data) => data.reduce((best, v, i) => (Math.abs(v) > Math.abs(data[best]) ? i : best), 0);

/**
 * The filter below its map, where it has few enough channels to be read; it arrives after the map.
 * @param {MapsScene} scene @param {number} c
 */
function filterHolder({ net, image, row }, c) {
  const from = net.byName.get(row.inputs[0]);
  if (row.op !== "conv" || !from || from.shape[0] > FILTERED) return null;
  const holder = el("span", { class: "filters", "aria-hidden": "true" });
  filters(net.id, image.id, row.name, c).then(
    ({ size: [high, wide], channels }) => {
      const values = channels.map((channel) => channel.flat().map(number));
      const peak = scan(values.flat()).peak;
      holder.replaceChildren(...values.map((one) => picture(one, high, wide, peak)));
    },
    () => holder.remove(),
  );
  return holder;
}
