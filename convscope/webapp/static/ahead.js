/** What the screen of a unit reads: asked for at once, before anything is drawn. */

/** @import { LabImage, Network, Position, Row, State, Unit } from "./types.js" */

import { unit } from "./api.js";
import { planes } from "./planes.js";

export const WHOLE = 1_000_000; // values of a volume up to which all of it is read

const FIRST = { one: 9, many: 4 }; // channels that are written out before the fold
const FEW = 3; // volumes that a unit reads, up to which all are asked for ahead

/**
 * All channels where they are few; else so many of the largest that a screen holds them.
 * @param {Network} net @param {Row | undefined} row
 */
export function limitOf(net, row) {
  const most = row?.kernel?.every((n) => n === 1) ? FIRST.one : FIRST.many;
  const channels = net.byName.get(row?.inputs[0] ?? "")?.shape[0] ?? most;
  return channels <= most + 2 ? channels : most;
}

/** The arithmetic of a unit, as its screen shows it. @param {Network} net @param {string} image @param {Position} place @returns {Promise<Unit>} */
export const unitAt = (net, image, { layer, map, row, col }) =>
  unit(net.id, image, layer, [map, row, col], { channels: limitOf(net, net.byName.get(layer)) });

/** @param {Network} net @param {LabImage} image @param {State} state */
export function askAhead(net, image, { place }) {
  const row = place ? net.byName.get(place.layer) : undefined;
  if (!place || !row || row.op === "image" || !isInside(row, place)) return;
  const inputs = row.inputs.map((name) => net.byName.get(name)).filter((one) => one !== undefined);
  const small = inputs.filter(({ shape: [c, h, w] }) => c * h * w <= WHOLE);
  const asked = [
    unitAt(net, image.id, place),
    planes(net, image.id, row, [place.map], WHOLE),
    ...(inputs.length <= FEW ? small.map((one) => planes(net, image.id, one, [], WHOLE)) : []),
  ];
  for (const one of asked) one.catch(() => {}); // the screen says what is wrong
}

/** @param {Row} row @param {Position} place */
export const isInside = ({ shape: [maps, high, wide] }, { map, row, col }) =>
  [
    [map, maps],
    [row, high],
    [col, wide],
  ].every(([index, most]) => Number.isInteger(index) && index >= 0 && index < most);
