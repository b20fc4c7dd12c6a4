/**
 * Where the person is. The address is the only copy: what is not in the address is not remembered.
 *
 *   /look/NETWORK/IMAGE                      the network
 *   /look/NETWORK/IMAGE/LAYER                its maps
 *   /look/NETWORK/IMAGE/LAYER/MAP/ROW,COL    one unit
 *   /look/NETWORK/IMAGE?why=METHOD&class=N&not=N&of=OPERATION   why it answers so; METHOD may be "default"
 *   /look/NETWORK/IMAGE?box=box1             one of the boxes that it finds
 *   ?rank=QUESTION&with=IMAGE&trail=LAYER:MAP:ROW,COL~...&open=GROUP~...&if=CHANGE~...
 */

/** @import { Position, State, WhyAsked } from "./types.js" */

import * as here from "./place.js";

/** @returns {State} */
export function read() {
  const [, , net = "", image = "", layer = "", map = "", at = ""] = here.path().split("/").map(plain);
  const asked = new URLSearchParams(here.query());
  const [row, col] = at.split(",").map(Number);
  return {
    net,
    image,
    layer,
    place: at ? { layer, map: Number(map), row, col } : null,
    rank: asked.get("rank") || "strongest",
    beside: asked.get("with") || "",
    trail: list("trail").map(parsePosition),
    open: list("open"),
    why: parseWhy(asked),
    box: asked.get("box") || "",
    supposed: list("if"),
  };
}

const DEFAULT = "default"; // the method, where none was chosen

/** @param {URLSearchParams} asked @returns {WhyAsked | null} */
function parseWhy(asked) {
  const method = asked.get("why");
  if (!method) return null;
  /** @param {string} name */
  const index = (name) => (/^\d+$/.test(asked.get(name) ?? "") ? Number(asked.get(name)) : null);
  return {
    method: method === DEFAULT ? "" : method,
    target: index("class"),
    other: index("not"),
    layer: asked.get("of") ?? "",
  };
}

/** @param {WhyAsked | null} why */
const whyText = (why) =>
  why
    ? [
        `why=${code(why.method || DEFAULT)}`,
        why.target !== null && `class=${why.target}`,
        why.other !== null && `not=${why.other}`,
        why.layer && `of=${code(why.layer)}`,
      ]
    : [];

/** A list of the query, split before it is decoded: a name may hold the sign between two. @param {string} name */
function list(name) {
  const [, value = ""] = new RegExp(`[?&]${name}=([^&]*)`).exec(here.query()) ?? [];
  return value.split("~").filter(Boolean).map(plain);
}

/** @param {string} text */
const code = (text) => encodeURIComponent(text).replaceAll("~", "%7E");

/** An address that somebody has cut short is read as far as it can be. @param {string} text */
function plain(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} text @returns {Position} */
const parsePosition = (text) => {
  const [, layer = "", map = "0", row = "0", col = "0"] = /^(.*):(\d+):(\d+),(\d+)$/.exec(text) ?? [];
  return { layer, map: Number(map), row: Number(row), col: Number(col) };
};
/** @param {Position} p */
const positionText = (p) => `${code(p.layer)}:${p.map}:${p.row},${p.col}`;

/** What is painted belongs to the image, the rest to the network. @param {State} before @param {State} now */
function stillSupposed(before, { net, image, supposed }) {
  if (net !== before.net) return [];
  return before.image && image !== before.image ? supposed.filter((text) => !text.startsWith("paint:")) : supposed;
}

/** The address of the current state with some of it changed. @param {Partial<State>} change */
export function address(change) {
  const now = read();
  const s = { ...now, ...change };
  if (!change.supposed) s.supposed = stillSupposed(now, s);
  const path = ["/look", s.net, s.image].map((part, i) => (i ? code(part) : part));
  if (s.place) path.push(code(s.place.layer), String(s.place.map), `${s.place.row},${s.place.col}`);
  else if (s.layer) path.push(code(s.layer));
  const asked = [
    s.rank !== "strongest" && `rank=${code(s.rank)}`,
    s.beside && `with=${code(s.beside)}`,
    s.place && s.trail.length && `trail=${s.trail.map(positionText).join("~")}`,
    s.open.length && `open=${s.open.map(code).join("~")}`,
    ...whyText(s.why),
    s.box && `box=${code(s.box)}`,
    s.supposed.length && `if=${s.supposed.map(code).join("~")}`,
  ].filter(Boolean);
  return `${path.join("/")}${asked.length ? `?${asked.join("&")}` : ""}`;
}

/** Only the address is another one: the page shows it already. @param {string} to */
export const replaceAddress = (to) => here.replace(to);

/** Draw the page again, at the same address. */
export function redraw() {
  dispatchEvent(new Event("redraw"));
}

/**
 * To any address of the page, with an entry in the history unless it replaces the last.
 * @param {string} to @param {{replace?: boolean}} [how]
 */
export function travel(to, { replace = false } = {}) {
  if (replace) here.replace(to);
  else if (to !== here.path() + here.query()) here.push(to);
  redraw();
}

/** Go there, with an entry in the history. @param {Partial<State>} change */
export const go = (change) => travel(address(change));

/** Go there without an entry in the history: for sliding. @param {Partial<State>} change */
export const slideTo = (change) => travel(address(change), { replace: true });

/** One step back towards the pixels, remembering the way. @param {Position} place */
export function follow(place) {
  const { place: from, trail } = read();
  go({ place, layer: place.layer, trail: from ? [...trail, from] : trail });
}

/** A link that goes there without loading the page again; a new tab remains possible. @param {Partial<State>} change */
export const link = (change) => ({
  href: here.href(address(change)),
  onclick: (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(change);
  },
});
