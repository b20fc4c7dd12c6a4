/** What needs the running lab, and is not in a file: see ../live.js. */

/** @import { LabImage, Network, Row, WhyAsked } from "../types.js" */
/** @import { Scene } from "../ledger.js" */

import { el } from "../element.js";
import { spotName } from "../spots.js";
import { network } from "../api.js";
import { go, read } from "../state.js";
import { held, nearest } from "./source.js";

export const isLive = false;

/** @param {Network} _net */
export const another = (_net) => {};

/** @param {() => Network | null} _current */
export const listen = (_current) => {};

/** @param {Network} net @param {LabImage} _image @param {WhyAsked} _why */
export const whyScreen = async (net, _image, _why) => ({
  stop: () => {},
  nodes: [el("p", { class: "note" }, `Why ${net.title} answers so is not in this file. Open it in the lab.`)],
});

export { boxesCard } from "../boxes/card.js";

/** More of a page than itself cannot be sent from it. @param {Network} _net */
export const sendButton = (_net) => null;

/** @param {Scene} _scene @returns {Promise<Node[]>} */
export const belowUnit = async (_scene) => [];

/** @param {...unknown} _pixel @returns {Promise<Node[]>} */
export const belowPixel = async (..._pixel) => [];

/** @param {Network} _net @param {LabImage} _image @param {Row} _row @returns {Promise<Node[]>} */
export const belowMaps = async (_net, _image, _row) => [];

/** @param {Network} _net @param {Row} _row */
export const twins = async (_net, _row) => ({});

/** Is every unit of this map in the file? @param {Scene} scene */
export function canSlide({ image, row, place }) {
  const [, high, wide] = row.shape;
  const units = held(image.id, row.name);
  return units.filter((unit) => Math.floor(unit / (high * wide)) === place.map).length === high * wide;
}

/** To the unit that is nearest to the one that is not here. @returns {Promise<Node[]>} */
export async function waysOn() {
  const { net: name, image, place } = read();
  if (!place) return [];
  const net = await network(name);
  const row = net.byName.get(place.layer);
  const found = row && nearest(image, row, place);
  if (!found) return [];
  const spot = { row: found.layer, map: found.map, y: found.row, x: found.col };
  return [
    el(
      "button",
      { class: "pill main", onclick: () => go({ place: found, layer: found.layer, trail: [] }) },
      `Open the nearest unit that is here, ${spotName(net, spot)}`,
    ),
  ];
}
