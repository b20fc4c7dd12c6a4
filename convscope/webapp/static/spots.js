/** What a unit is called, and where it is on the page. */

/** @import { Network, UnitRef } from "./types.js" */

/** A place of the API as a place of the address. @param {UnitRef} spot */
export const toPlace = (spot) => ({ layer: spot.row, map: spot.map, row: spot.y, col: spot.x });

/**
 * conv2[5,3,7]; a unit of a vector is fc2[4], of a signal conv1[2,9], of a volume with planes conv3[5,1,3,7].
 * @param {Network} net @param {UnitRef} spot
 */
export function spotName(net, { row: name, map, y, x }) {
  const row = net.byName.get(name);
  const [, h, w] = row?.shape ?? [0, 1, 1];
  if (h * w === 1) return `${name}[${map}]`;
  const index = [x];
  let rest = y; // planes stand below each other
  for (const side of (row?.axes ?? []).slice(1, -1).reverse()) {
    index.unshift(rest % side);
    rest = Math.floor(rest / side);
  }
  return `${name}[${[map, ...index].join(",")}]`;
}
