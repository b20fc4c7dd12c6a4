/** Look inside: which network and image the address names, the parts around the stage, the three screens. */

/** @import { FieldEvent, LabImage, Network, State } from "./types.js" */

import { askAhead } from "./ahead.js";
import { faces, labImage, network, networks, imageAddress } from "./api.js";
import { el, entitle, part } from "./element.js";
import { replaceChildren } from "./focus.js";
import { another, boxesCard, isLive, waysOn, whyScreen } from "./live.js";
import { networkScreen, strip } from "./look.js";
import { imagePane } from "./picture.js";
import { replace } from "./place.js";
import { address, go, read } from "./state.js";
import { placeName, toEnd, trailBar, whyName } from "./trail.js";

/** @type {Network | null} */
let current = null;
let before = { screen: "", trail: "" };
let leave = () => {}; // what the open screen has to stop

/** The network that is looked into. */
export const looked = () => current;

/** Another screen comes. */
export function stop() {
  leave();
  before = { screen: "", trail: "" };
}

/**
 * Draw what the address names.
 * @param {HTMLElement} stage @param {() => boolean} late
 */
export async function show(stage, late) {
  let state = read();
  const list = await networks();
  if (late()) return;
  if (!state.net && list.first) state = correct({ net: list.first, image: "" });
  if (!state.net)
    return replaceChildren(
      stage,
      el("p", { class: "lead" }, "No network yet. Start the lab with one: `convscope lab resnet18`."),
    );
  const done = slowly(stage, state, late);
  try {
    const net = await network(state.net);
    if (late()) return;
    current = net;
    if (!state.image && net.images.length) state = correct({ image: net.images[0].id });
    if (!state.image) return replaceChildren(stage, empty(net));
    const image = await labImage(net.id, state.image);
    if (late()) return;
    askAhead(net, image, state);
    frame(net, image, state);
    const drawn = await screenOf(net, image, state);
    if (!late()) settle(stage, net, state, drawn);
  } finally {
    done();
  }
}

/** Ways on from an address that leads nowhere. */
export async function elsewhere(image = true) {
  return el(
    "div",
    { class: "row" },
    ...(await waysOn()),
    el(
      "button",
      { class: "pill", onclick: () => go({ image: "", layer: "", place: null, trail: [], beside: "", why: null }) },
      "Back to the network",
    ),
    isLive && image && current
      ? el("button", { class: "pill main", onclick: () => current && another(current) }, "Another image")
      : null,
  );
}

/** Put what was left out into the address, without an entry in the history. @param {Partial<State>} change */
function correct(change) {
  replace(address(change));
  return read();
}

/** @param {Network} net */
const empty = (net) =>
  el(
    "div",
    { class: "card" },
    el("p", { class: "lead" }, "No image yet. Drop an image here, or choose one."),
    el("button", { class: "pill main", onclick: () => another(net) }, "Choose an image"),
  );

/** What stays on every screen of a network. @param {Network} net @param {LabImage} image @param {State} state */
function frame(net, image, state) {
  const now = imagePane(net, image, state);
  const pane = part("picture");
  if (pane.firstChild !== now[0]) replaceChildren(pane, ...now);
  const key = JSON.stringify([net.id, image.id, state.place, state.trail, state.layer, state.why]);
  if (key !== before.trail) replaceChildren(part("trail"), ...trailBar(net, state));
  before.trail = key;
  requestAnimationFrame(() => toEnd(part("trail"))); // the one layout of this frame serves it, too
  const at = state.place ? placeName(net, state.place) : state.layer || (state.why ? whyName(net, state.why) : "");
  entitle([at, net.title, "convscope"].filter(Boolean).join(" · "));
}

/** @returns {Promise<Node[]>} @param {Network} net @param {LabImage} image @param {State} state */
async function screenOf(net, image, state) {
  const drawn = strip(part("strip"), net, state);
  const front = Promise.all([faces(net.id, image.id), imageAddress(net.id, image.id)]);
  front.then(
    ([found, picture]) => drawn.paint(found, picture),
    () => {},
  );
  if (!state.place) leave();
  if (state.layer && !net.byName.has(state.layer))
    return [
      el("p", { class: "note" }, `There is no layer called ${state.layer} in ${net.title}.`),
      await elsewhere(false),
    ];
  if (!state.layer && state.why) {
    const screen = await whyScreen(net, image, state.why);
    leave = screen.stop;
    return screen.nodes;
  }
  if (!state.layer) {
    const found = net.finds_boxes ? await boxesCard(net, image, state) : null;
    const [head, ...rest] = networkScreen(net, state, drawn, front);
    return found && head ? [head, found, ...rest] : [head, ...rest].filter((node) => node !== undefined);
  }
  if (!state.place) return (await import("./maps.js")).mapsScreen(net, image, state);
  const screen = await import("./unit.js");
  leave = screen.stop;
  return screen.unitScreen(net, image, state);
}

/**
 * The new stage, with the focus where it was.
 * @param {HTMLElement} stage @param {Network} net @param {State} state @param {Node[]} drawn
 */
function settle(stage, net, state, drawn) {
  replaceChildren(stage, ...drawn);
  stage.removeAttribute("aria-busy");
  const screen = `${net.id}/${state.layer}/${Boolean(state.place)}/${Boolean(state.why)}`;
  if (before.screen && before.screen !== screen) requestAnimationFrame(() => scrollTo({ top: 0 }));
  before.screen = screen;
}

/**
 * After 0.3 seconds say what is awaited, after 3 why it takes long.
 * @param {HTMLElement} stage @param {State} state @param {() => boolean} late
 */
function slowly(stage, state, late) {
  const other = before.screen !== `${state.net}/${state.layer}/${Boolean(state.place)}/${Boolean(state.why)}`;
  /** @param {string} text */
  const say = (text) => {
    if (late()) return;
    stage.setAttribute("aria-busy", "true");
    if (other) replaceChildren(stage, el("p", { class: "lead" }, text));
  };
  const timers = [
    setTimeout(() => say(`Reading ${state.layer || state.net}…`), 300),
    setTimeout(
      () => say(`Reading ${state.layer || state.net}… The network runs once, and every number is kept.`),
      3000,
    ),
  ];
  return () => timers.forEach(clearTimeout);
}

/** Search a layer. */
async function find() {
  const { search } = await import("./search.js");
  if (current) search(current);
}

/** What the keys do, in a dialog. */
async function help() {
  const { keysDialog } = await import("./keys.js");
  keysDialog();
}

/** The maps of the layer before or after. @param {number} step */
function beside(step) {
  const { layer } = read();
  const rows = current?.rows ?? [];
  const next = rows[rows.findIndex((row) => row.name === layer) + step];
  if (layer && next) go({ layer: next.name, place: null, trail: [] });
}

/** One step up: the trail, then the maps, then what was asked why, then the network. */
function up() {
  const { place, layer, trail, why } = read();
  if (trail.length) go({ place: trail.at(-1), layer: trail.at(-1)?.layer, trail: trail.slice(0, -1) });
  else if (layer) go(place ? { place: null } : { layer: "" });
  else if (why) go({ why: null });
}

/** @param {string} selector */
const press = (selector) => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.click();

/** What single keys do here. @type {Record<string, () => void>} */
export const keys = {
  f: () => press(".follow"),
  "/": find,
  "?": help,
  "[": () => beside(-1),
  "]": () => beside(1),
  Escape: up,
  "+": () => press('.zoom [data-key="+"]'),
  "=": () => press('.zoom [data-key="+"]'),
  "-": () => press('.zoom [data-key="-"]'),
  0: () => press('.zoom [data-key="0"]'),
};

/** What stands at the end of the bar. @returns {Promise<(Node | null)[]>} */
export async function tools() {
  const { networks: list } = await networks();
  return [
    el(
      "button",
      { class: "quiet", "aria-label": "Search a layer", "aria-keyshortcuts": "/", onclick: find },
      "Search ",
      el("kbd", {}, "/"),
    ),
    el(
      "button",
      { class: "quiet", "aria-label": "? Keys", "aria-keyshortcuts": "?", title: "Keys", onclick: help },
      "?",
    ),
    chooser(read(), list),
  ];
}

/** Which network is open, and which others there are. @param {State} state @param {{id: string, title: string}[]} list */
function chooser(state, list) {
  const open = state.net || list[0]?.id;
  const known = list.some(({ id }) => id === open);
  if (!list.length || (list.length < 2 && !isLive)) return null;
  /** @param {FieldEvent} event */
  const to = (event) =>
    go({ net: event.target.value, image: "", layer: "", place: null, trail: [], open: [], beside: "", why: null });
  return el(
    "select",
    { class: "pill", "aria-label": "Network", onchange: to },
    known ? null : el("option", { selected: true, disabled: true }, "Choose…"),
    ...list.map(({ id, title }) => el("option", { value: id, selected: id === open }, title)),
  );
}
