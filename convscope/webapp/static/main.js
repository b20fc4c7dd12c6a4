/** The page: reads the address, draws the bar and the screen that it names. */

/** @import { Screen } from "./types.js" */

import { Refused, superseded } from "./api.js";
import { readPalette } from "./color.js";
import { el, entitle, messageOf, part } from "./element.js";
import { replaceChildren } from "./focus.js";
import * as inside from "./inside.js";
import { listen } from "./live.js";
import { href, path, query } from "./place.js";
import { SCREENS } from "./screens.js";
import { go, redraw, travel } from "./state.js";

/** @type {Screen | null} */
let open = null;
let turn = 0; // of drawing: an older one that comes late draws nothing
/** Where each screen was left. @type {Record<string, string>} */
const left = {};

/** The part of the address that names the screen. */
function named() {
  const [, first] = path().split("/");
  return first in SCREENS ? first : Object.keys(SCREENS)[0];
}

async function draw() {
  const mine = ++turn;
  const late = () => mine !== turn;
  const name = named();
  try {
    const screen = await SCREENS[name][1]();
    if (late()) return;
    if (open !== screen) change(screen, name);
    const wait = setTimeout(
      () => late() || part("stage").childElementCount || part("stage").append(el("p", { class: "lead" }, "Reading…")),
      300,
    );
    try {
      await bar(name, screen, late);
      await screen.show(part("stage"), late);
    } finally {
      clearTimeout(wait);
    }
    left[name] = path() + query();
    document.getElementById("lost")?.remove();
  } catch (error) {
    if (!late() && !superseded(error)) report(error, late);
  }
}

/** One screen goes, another comes. @param {Screen} screen @param {string} name */
function change(screen, name) {
  open?.stop?.();
  if (open) replaceChildren(part("stage"));
  open = screen;
  document.body.dataset.screen = name;
  entitle(name === "look" ? "convscope lab" : `${SCREENS[name][0]} · convscope`);
  scrollTo({ top: 0 });
}

/** Say what went wrong, in the server's words. @param {unknown} error @param {() => boolean} late */
function report(error, late) {
  const status = error instanceof Refused ? error.status : null;
  if (status === null) console.error(error);
  const lost = status === 0;
  const stage = part("stage");
  replaceChildren(stage, el("p", { class: "note", role: "alert", id: lost ? "lost" : null }, messageOf(error)));
  stage.removeAttribute("aria-busy");
  if (lost) setTimeout(() => late() || redraw(), 2000);
  else if (status === 404 && named() === "look" && path().split("/")[3])
    inside.elsewhere().then((ways) => late() || stage.append(ways));
}

/**
 * Name, tabs, what the screen puts there, theme.
 * @param {string} name @param {Screen} screen @param {() => boolean} late
 */
async function bar(name, screen, late) {
  const dark = document.documentElement.dataset.theme === "dark";
  const tools = (await screen.tools?.()) ?? [];
  if (late()) return;
  replaceChildren(
    part("bar"),
    el("h1", {}, "conv", el("span", {}, "scope")),
    ...tabs(name),
    el(
      "div",
      { class: "end" },
      ...tools.filter((tool) => tool !== null),
      el(
        "button",
        { class: "quiet", "aria-label": "Light or dark", onclick: () => theme(dark ? "light" : "dark") },
        dark ? "Light" : "Dark",
      ),
    ),
  );
}

/** The screens; nothing where there is one. @param {string} name */
function tabs(name) {
  const all = Object.entries(SCREENS);
  if (all.length < 2) return [];
  const links = all.map(([id, [title]]) => tab(id, title, id === name));
  return [el("nav", { class: "tabs", "aria-label": "Screens" }, ...links)];
}

/**
 * A screen opens where it was left; the open one goes to its beginning.
 * @param {string} id @param {string} title @param {boolean} current
 */
function tab(id, title, current) {
  const to = current ? `/${id}` : (left[id] ?? `/${id}`);
  const act = (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    if (current && id === "look") go({ layer: "", place: null, trail: [], why: null });
    else travel(to);
  };
  return el("a", { class: "quiet", href: href(to), "aria-current": current ? "page" : null, onclick: act }, title);
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

/** @param {KeyboardEvent} event */
function key(event) {
  const target = /** @type {Element} */ (event.target);
  if (
    target.matches("input, select, textarea") ||
    document.querySelector("dialog") ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    event.defaultPrevented
  )
    return;
  const act = open?.keys?.[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

document.documentElement.dataset.theme = firstTheme();
readPalette();
for (const name of ["popstate", "redraw", "hashchange"]) addEventListener(name, draw);
addEventListener("keydown", key);
listen(() => (open === inside ? inside.looked() : null));
let wide = innerWidth > 760;
addEventListener("resize", () => {
  if (wide !== innerWidth > 760) redraw();
  wide = innerWidth > 760;
});
draw();
addEventListener("load", () => setTimeout(() => import("./search.js"), 500)); // the first key after / is not lost
