/** The page: reads the address, draws the frame and the screen that it names. */

import { faces, image as readImage, network, networks, pictureOf, superseded } from "./api.js";
import { readPalette } from "./colour.js";
import { el } from "./element.js";
import { networkScreen, strip } from "./look.js";
import { imagePane } from "./picture.js";
import { address, go, read, redraw } from "./state.js";
import { placeName, toEnd, trailBar } from "./trail.js";
import { another, listen } from "./upload.js";

const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @type {import("./api.js").Network | null} */
let current = null;
let turn = 0; // of drawing: an older one that comes late draws nothing
let before = { screen: "", trail: "" };
let leave = () => {}; // what the open screen has to stop

async function draw() {
  const mine = ++turn;
  const late = () => mine !== turn;
  try {
    await show(late);
    document.getElementById("lost")?.remove();
  } catch (error) {
    if (late() || superseded(error)) return;
    if (!error.status && error.status !== 0) console.error(error);
    part("stage").replaceChildren(el("p", { class: "note", role: "alert", id: error.status === 0 ? "lost" : null }, error.message ?? String(error)));
    part("stage").removeAttribute("aria-busy");
    if (error.status === 0) setTimeout(() => late() || redraw(), 2000);
    else if (error.status === 404 && read().image) part("stage").append(elsewhere());
  }
}

/** Ways on from an address that leads nowhere. */
function elsewhere(image = true) {
  return el("div", { class: "row" }, el("button", { class: "pill", onclick: () => go({ image: "", layer: "", place: null, trail: [], beside: "" }) }, "To the network"),
    image && current ? el("button", { class: "pill main", onclick: () => current && another(current) }, "Another image") : null);
}

async function show(late) {
  let state = read();
  const list = await networks();
  if (late()) return;
  if (!state.net && list.first) state = correct({ net: list.first, image: "" });
  const focus = focused();
  part("bar").replaceChildren(...bar(state, list.networks));
  focus();
  if (!state.net) return part("stage").replaceChildren(el("p", { class: "lead" }, "No network yet. Start the lab with one: `convscope lab resnet18`."));
  const done = slowly(state, late);
  try {
    const net = await network(state.net);
    if (late()) return;
    current = net;
    if (!state.image && net.images.length) state = correct({ image: net.images[0].id });
    if (!state.image) return part("stage").replaceChildren(empty(net));
    const image = await readImage(net.id, state.image);
    if (late()) return;
    frame(net, image, state);
    const stage = await screenOf(net, image, state);
    if (!late()) settle(net, state, stage);
  } finally {
    done();
  }
}

/** Put what was left out into the address, without an entry in the history. */
function correct(change) {
  history.replaceState(null, "", address(change));
  return read();
}

const empty = (net) => el("div", { class: "card" }, el("p", { class: "lead" }, "No image yet. Drop a picture here, or choose one."), el("button", { class: "pill main", onclick: () => another(net) }, "Choose an image"));

/** What stays on every screen. */
function frame(net, image, state) {
  const now = imagePane(net, image, state);
  const pane = part("picture");
  if (pane.firstChild !== now[0]) pane.replaceChildren(...now);
  const key = JSON.stringify([net.id, image.id, state.place, state.trail, state.layer]);
  if (key !== before.trail) part("trail").replaceChildren(...trailBar(net, state));
  before.trail = key;
  toEnd(part("trail"));
  const at = state.place ? placeName(net, state.place) : state.layer;
  document.title = [at, net.title, "convscope"].filter(Boolean).join(" · ");
}

/** @returns {Promise<Node[]>} */
async function screenOf(net, image, state) {
  const drawn = strip(part("strip"), net, state);
  const front = Promise.all([faces(net.id, image.id), pictureOf(net.id, image.id)]);
  front.then(([found, picture]) => drawn.paint(found, picture), () => {});
  if (!state.place) leave();
  if (state.layer && !net.byName.has(state.layer)) return [el("p", { class: "note" }, `There is no layer called ${state.layer} in ${net.title}.`), elsewhere(false)];
  if (!state.layer) return networkScreen(net, state, drawn, front);
  if (!state.place) return (await import("./maps.js")).mapsScreen(net, image, state);
  const screen = await import("./unit.js");
  leave = screen.stop;
  return screen.unitScreen(net, image, state);
}

/** Remember what has the focus by its name; the answer gives the focus to what has that name afterwards. */
function focused() {
  const kept = document.activeElement?.getAttribute("aria-label");
  const within = ["bar", "strip", "trail", "picture", "stage"].find((id) => part(id).contains(document.activeElement));
  return () => {
    if (!kept || !within || document.activeElement?.getAttribute("aria-label")) return;
    /** @type {HTMLElement | null} */ (part(within).querySelector(`[aria-label="${CSS.escape(kept)}"]`))?.focus({ preventScroll: true });
  };
}

/** The new stage, with the focus where it was. */
function settle(net, state, stage) {
  const focus = focused();
  part("stage").replaceChildren(...stage);
  part("stage").removeAttribute("aria-busy");
  focus();
  const screen = `${net.id}/${state.layer}/${Boolean(state.place)}`;
  if (before.screen && before.screen !== screen) scrollTo({ top: 0 });
  before.screen = screen;
}

/** After 0.3 seconds say what is awaited, after 3 why it takes long. */
function slowly(state, late) {
  const other = before.screen !== `${state.net}/${state.layer}/${Boolean(state.place)}`;
  const say = (text) => {
    if (late()) return;
    part("stage").setAttribute("aria-busy", "true");
    if (other) part("stage").replaceChildren(el("p", { class: "lead" }, text));
  };
  const timers = [setTimeout(() => say(`Reading ${state.layer || state.net}…`), 300),
    setTimeout(() => say(`Reading ${state.layer || state.net}… The first look runs the network once and keeps every number.`), 3000)];
  return () => timers.forEach(clearTimeout);
}

function bar(state, list) {
  const dark = document.documentElement.dataset.theme === "dark";
  return [
    el("h1", {}, "conv", el("span", {}, "scope")),
    el("nav", { class: "tabs", "aria-label": "Screens" }, el("button", { class: "quiet", "aria-current": "page", onclick: () => go({ layer: "", place: null, trail: [] }) }, "Look inside")),
    el("div", { class: "end" },
      el("button", { class: "quiet", "aria-label": "Search a layer", "aria-keyshortcuts": "/", onclick: find }, "Search ", el("kbd", {}, "/")),
      chooser(state, list),
      el("button", { class: "quiet", "aria-label": "Light or dark", onclick: () => theme(dark ? "light" : "dark") }, dark ? "Light" : "Dark")),
  ];
}

/** Which network; nothing where there is no choice. */
function chooser(state, list) {
  const known = list.some(({ id }) => id === state.net);
  if (list.length < 2 && known) return null;
  const to = (event) => go({ net: event.target.value, image: "", layer: "", place: null, trail: [], open: [], beside: "" });
  return el("select", { class: "pill", "aria-label": "Network", onchange: to }, known ? null : el("option", { selected: true, disabled: true }, "Choose…"),
    ...list.map(({ id, title }) => el("option", { value: id, selected: id === state.net }, title)));
}

async function find() {
  const { search } = await import("./search.js");
  if (current) search(current);
}

/** The maps of the layer before or after. */
function beside(step) {
  const { layer } = read();
  const rows = current?.rows ?? [];
  const next = rows[rows.findIndex((row) => row.name === layer) + step];
  if (layer && next) go({ layer: next.name, place: null, trail: [] });
}

/** @param {string} name */
function theme(name) {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem("theme", name);
  } catch {
    // Without storage the theme lasts as long as the page.
  }
  readPalette();
  redraw();
}

function firstTheme() {
  try {
    const kept = localStorage.getItem("theme");
    if (kept) return kept;
  } catch {
    // Without storage the system decides.
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** One step up: the trail, then the maps, then the network. */
function up() {
  const { place, layer, trail } = read();
  if (trail.length) go({ place: trail.at(-1), layer: trail.at(-1)?.layer, trail: trail.slice(0, -1) });
  else if (layer) go(place ? { place: null } : { layer: "" });
}

/** @param {KeyboardEvent} event */
function key(event) {
  const target = /** @type {Element} */ (event.target);
  if (target.matches("input, select, textarea") || document.querySelector("dialog") || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const press = (selector) => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.click();
  const acts = {
    f: () => press(".follow"), "/": find, "[": () => beside(-1), "]": () => beside(1), Escape: up,
    "+": () => press('.zoom [data-key="+"]'), "=": () => press('.zoom [data-key="+"]'), "-": () => press('.zoom [data-key="-"]'), 0: () => press('.zoom [data-key="0"]'),
  };
  const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

document.documentElement.dataset.theme = firstTheme();
readPalette();
for (const name of ["popstate", "redraw", "hashchange"]) addEventListener(name, draw);
addEventListener("keydown", key);
listen(() => current);
let wide = innerWidth > 760;
addEventListener("resize", () => {
  if (wide !== innerWidth > 760) redraw();
  wide = innerWidth > 760;
});
draw();
addEventListener("load", () => setTimeout(() => import("./search.js"), 500)); // so that the first key after / is not lost
