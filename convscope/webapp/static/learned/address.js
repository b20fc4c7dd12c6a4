/** The address of the screen: /learned/NETWORK/VIEW[/LAYER]?method=METHOD&data=DATA, and what opens from it. */

/** @import { LearnedState, View } from "./types.js" */

import { address as lookAddress } from "../state.js";

/** @type {View[]} */
const VIEWS = ["levels", "redundancy", "map"];

/** @returns {LearnedState} */
export function read() {
  const [, , net = "", view = "", row = ""] = location.pathname.split("/").map(plain);
  const query = new URLSearchParams(location.search);
  return {
    net,
    view: VIEWS.find((name) => name === view) ?? "levels",
    row,
    method: query.get("method") || "pca",
    data: query.get("data") || "",
  };
}

/** An address that somebody has cut short is read as far as it can be. @param {string} text */
export function plain(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {LearnedState} state */
export function address({ net, view, row, method, data }) {
  const path = ["/learned", net, net && (row || view !== "levels") ? view : "", row];
  const query = [
    method !== "pca" && `method=${encodeURIComponent(method)}`,
    data && `data=${encodeURIComponent(data)}`,
  ].filter(Boolean);
  const [first, ...rest] = path.filter(Boolean);
  return `${[first, ...rest.map(encodeURIComponent)].join("/")}${query.length ? `?${query.join("&")}` : ""}`;
}

/**
 * Where Look inside has a unit of an image, or a layer where no unit is named.
 * @param {string} net @param {string} image @param {string} row @param {number[]} [unit]
 */
export function unitAddress(net, image, row, unit) {
  const place = unit ? { layer: row, map: unit[0], row: unit[1], col: unit[2] } : null;
  return lookAddress({ net, image, layer: row, place, rank: "strongest", beside: "", trail: [], open: [] });
}
