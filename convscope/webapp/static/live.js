/**
 * What needs the running lab: it computes, reads other images, knows the data set. A page that is a file has
 * page_file/live.js in its place, and shows what it holds without these.
 */

/** @import { LabImage, Network, Position, Row, State, Unit, WhyAsked } from "./types.js" */
/** @import { Scene } from "./ledger.js" */

import { styles } from "./element.js";

export { sendButton } from "./send.js";
export { another, listen } from "./upload.js";

export const isLive = true;

/** Why the network answers so. @param {Network} net @param {LabImage} image @param {WhyAsked} why */
export async function whyScreen(net, image, why) {
  const screen = await import("./why/screen.js");
  return { stop: screen.stop, nodes: await screen.whyScreen(net, image, why) };
}

/** The boxes that it finds. @param {Network} net @param {LabImage} image @param {State} state @returns {Promise<Node | null>} */
export async function boxesCard(net, image, state) {
  return (await import("./boxes/card.js")).boxesCard(net, image, state);
}

/** Below a unit: what if; change it; what excites it. @param {Scene} scene @returns {Promise<Node[]>} */
export async function belowUnit(scene) {
  const [{ changesPanel }, { unitPanel }, supposed] = await Promise.all([
    import("./why/changes.js"),
    import("./learned/panel.js"),
    suppose(scene),
  ]);
  return [supposed, ...(await changesPanel(scene)), unitPanel(scene.net, scene.row, scene.place)];
}

/** Below a pixel: other bytes, and what follows. @param {Network} net @param {LabImage} image @param {Row} row @param {Position} place */
export const belowPixel = async (net, image, row, place) => [await suppose({ net, image, row, place, unit: null })];

/** @param {{net: Network, image: LabImage, row: Row, place: Position, unit: Unit | null}} about */
async function suppose(about) {
  const [{ whatIf }, { possibleOf }] = await Promise.all([
    import("./what_if/card.js"),
    import("./why/changes.js"),
    styles("why.css"),
  ]);
  return whatIf(about, await possibleOf(about.net, about.image, about.row));
}

/** Below the maps of a layer. @param {Network} net @param {LabImage} image @param {Row} row @returns {Promise<Node[]>} */
export async function belowMaps(net, image, row) {
  const [{ layerPanel }, { invertedLayer }] = await Promise.all([
    import("./learned/panel.js"),
    import("./why/pictures.js"),
    styles("why.css"),
  ]);
  return [layerPanel(net, row), await invertedLayer(net, image, row)];
}

/** Twins over the data set, where they were compared. @param {Network} net @param {Row} row */
export async function twins(net, row) {
  const { twinsOf } = await import("./learned/twins.js");
  return twinsOf(net, row);
}

/** Is every unit of this map here, so that the filter can slide over it? @param {Scene} _scene */
export const canSlide = (_scene) => true;

/** More ways on from an address that leads nowhere. @returns {Promise<Node[]>} */
export const waysOn = async () => [];
