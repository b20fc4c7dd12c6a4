/** A layer's maps, ranked by a question; never a bare wall. */

/** @import { LabImage, Network, Row, State } from "./types.js" */
/** @import { MapsScene, RankQuestion, RankedMaps } from "./maps_text.js" */
/** @import { Planes } from "./planes.js" */

import { scores } from "./api.js";
import { el } from "./element.js";
import { replaceChildren } from "./focus.js";
import { lessonLinks } from "./lesson_links.js";
import { mapCard } from "./map_card.js";
import { belowMaps, isLive, twins } from "./live.js";
import { QUESTIONS, namesClasses, sentence, titleOf } from "./maps_text.js";
import { count, several } from "./numbers.js";
import { legend, number, planes } from "./planes.js";
import { go, travel } from "./state.js";

const FIRST = { maps: 12, units: 48 }; // cards before "Show the other"

const MORE = 120; // cards that one press adds: a stage holds 2,000 elements

let unfolded = { layer: "", cards: 0 };

/**
 * The screen of one layer.
 * @param {Network} net @param {LabImage} image @param {State} state
 * @returns {Promise<Node[]>}
 */
export async function mapsScreen(net, image, state) {
  const row = net.byName.get(state.layer);
  if (!row) return [note(`${net.title} has no layer called ${state.layer}. Choose one in the strip above.`)];
  const head = el(
    "div",
    {},
    el("h2", {}, titleOf(row)),
    el("p", { class: "lead" }, sentence(row, net)),
    lessonLinks(row),
  );
  const rank = state.rank in QUESTIONS ? /** @type {RankQuestion} */ (state.rank) : "strongest";
  const picked = row.op === "image" ? everyChannel(row) : await pick(net, image, row, rank);
  const scene = { net, image, row, rank, picked, beside: row.op === "image" ? "" : state.beside };
  const [legends, body] = [
    el("div", { class: "row spread" }),
    el("div", { style: { display: "grid", gap: "var(--s4)" } }),
  ];
  await show(scene, legends, body);
  if (row.op === "image") return [head, legends, body];
  return [head, questions(rank), legends, body, ...(await belowMaps(net, image, row))];
}

/**
 * The question's answer. Which maps are twins, the data set says, where they were compared over it.
 * @param {Network} net @param {LabImage} image @param {Row} row @param {RankQuestion} rank @returns {Promise<RankedMaps>}
 */
async function pick(net, image, row, rank) {
  const found = await scores(net.id, image.id, row.name, rank);
  if (rank !== "correlated") return found;
  return { ...found, ...(await twins(net, row)) };
}

const ON_ONE_IMAGE =
  "These groups are of this one image. Maps that agree on it may differ on others, and another image gives other groups: " +
  "whether they detect the same pattern, only the data set tells.";

/** The screen on which maps are compared over the data set. @param {Network} net */
function toRedundancy(net) {
  const href = `/learned/${encodeURIComponent(net.id)}/redundancy`;
  return {
    href,
    onclick: (/** @type {MouseEvent} */ event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      travel(href);
    },
  };
}

/** @param {string} text */
const note = (text) => el("p", { class: "note" }, text);

/** @param {Row} row @returns {RankedMaps} */
const everyChannel = (row) => ({
  rank: "",
  scores: null,
  dead: [],
  groups: [],
  note: "",
  order: [...Array(row.shape[0]).keys()],
});

/** @param {RankQuestion} rank */
const questions = (rank) =>
  el(
    "div",
    { class: "row", role: "group", "aria-label": "Rank the maps by a question" },
    ...Object.entries(QUESTIONS).map(([name, q]) =>
      el("button", { class: "pill", "aria-pressed": String(name === rank), onclick: () => go({ rank: name }) }, q.ask),
    ),
  );

/**
 * The maps in the order of the question, as many as are unfolded. Units that stand for classes come likeliest first.
 * @param {MapsScene} scene @param {boolean} vector @param {Planes | null} values  of all units, where these are classes
 */
function ranked({ row, picked }, vector, values) {
  const found = picked.scores?.map(number) ?? null;
  const strength = (found ?? []).map((score, c) => (values ? values.of(c).data[0] : size(score)));
  const order = picked.order ?? [...strength.keys()].sort((a, b) => strength[b] - strength[a] || a - b);
  const dead = new Set(found || picked.order ? picked.dead : []);
  const alive = order.filter((c) => !dead.has(c));
  const first = vector ? FIRST.units : FIRST.maps;
  const most = unfolded.layer === row.name ? unfolded.cards : first;
  return { found, alive, dead: [...dead], shown: alive.slice(0, most) };
}

/** Beyond all numbers comes first. @param {number} score */
const size = (score) => (Number.isNaN(score) ? Infinity : Math.abs(score));

/**
 * Fill the stage, and again when more is asked for.
 * @param {MapsScene} scene @param {HTMLElement} legends @param {HTMLElement} body @returns {Promise<void>}
 */
async function show(scene, legends, body) {
  const { net, image, row, rank, picked } = scene;
  const vector = row.shape[1] * row.shape[2] === 1;
  const byValue = rank === "strongest" && namesClasses(row, net);
  const values = byValue ? await planes(net, image.id, row) : null;
  const { found, alive, dead, shown } = ranked(scene, vector, values);
  const wanted = rank === "correlated" ? picked.groups.flat() : shown;
  const held = [await planes(net, image.id, row, wanted)];
  const sorry =
    scene.beside &&
    (await planes(net, scene.beside, row, wanted).then(
      (v) => void held.push(v),
      (error) => error.message,
    ));
  const peak = Math.max(...held.map((v) => v.peak));
  /** @param {number} c */
  const card = (c) => mapCard({ ...scene, held, peak, vector }, c, found ? found[c] : null);
  const pairs = held.length > 1 ? "pairs" : "";
  const cells = namesClasses(row, net) && net.classes.some((name) => name.length > 8) ? "cells classes" : "cells";
  /** @param {number[]} maps */
  const grid = (maps) => el("div", { class: `maps ${vector ? cells : pairs}` }, ...maps.map(card));
  /** @param {number} cards */
  const again = (cards) => {
    unfolded = { layer: row.name, cards };
    return show(scene, legends, body);
  };
  legends.replaceChildren(
    legend(
      peak,
      held.some((v) => v.lowest < 0),
      held[0].all ? "" : "of the maps shown",
    ),
    beside(scene) ?? "",
  );
  replaceChildren(
    body,
    ...(sorry ? [note(sorry)] : []),
    ...odd(held[0]),
    ...(rank === "correlated" && row.op !== "image"
      ? correlated(picked, grid)
      : [found || picked.order ? grid(shown) : note(picked.note)]),
    ...folded(scene, dead),
    foot(scene, { alive, shown, vector, again }),
  );
}

/** @param {Planes} planes */
const odd = ({ strange }) =>
  strange ? [note(`${count(strange)} of these values are not finite; they are chequered.`)] : [];

/**
 * Groups that go up and down together, or a sentence when there are none. One image alone settles nothing.
 * @param {RankedMaps} ranking @param {(maps: number[]) => HTMLElement} grid
 */
function correlated({ groups, note: why, over }, grid) {
  const none = over ? "No two maps are twins." : "No two maps have a correlation of 0.9 or more on this image.";
  return [
    el("p", { class: "note" }, why || (over ?? ON_ONE_IMAGE)),
    ...(groups.length ? [] : [el("p", {}, why ? "" : none)]),
    ...groups.map((group, place) =>
      el(
        "section",
        { class: "card correlated" },
        el("h3", {}, `Group ${place + 1}: ${group.length} maps`),
        grid(group),
      ),
    ),
  ];
}

/** What is zero everywhere is named and not shown. @param {MapsScene} scene @param {number[]} dead */
function folded({ row, image }, dead) {
  if (!dead.length) return [];
  const vector = row.shape[1] * row.shape[2] === 1;
  const said = several(dead.length, `dead ${vector ? "unit" : "map"}`);
  /** @param {number} c */
  const open = (c) => go({ place: { layer: row.name, map: c, row: 0, col: 0 }, trail: [] });
  const names = dead
    .slice(0, 400)
    .map((c) =>
      el("button", { class: "quiet", "aria-label": `Open map ${c}, which is dead`, onclick: () => open(c) }, String(c)),
    );
  const list = el(
    "div",
    { class: "row", style: { "margin-top": "var(--s2)" } },
    ...names,
    dead.length > 400 ? `and ${count(dead.length - 400)} more` : null,
  );
  return [el("details", { class: "card" }, el("summary", {}, `${said}, zero everywhere on ${image.title}`), list)];
}

/**
 * What is not shown is counted; the number on a card is defined.
 * @param {MapsScene} scene
 * @param {{alive: number[], shown: number[], vector: boolean, again: (cards: number) => void}} cards
 */
function foot({ net, rank, picked, row }, { alive, shown, vector, again }) {
  if (rank === "correlated" && row.op !== "image")
    return el(
      "div",
      { class: "row" },
      isLive ? el("a", { class: "pill", ...toRedundancy(net) }, "Twins and dead filters over the data set") : null,
    );
  const first = vector ? FIRST.units : FIRST.maps;
  const hidden = alive.length - shown.length;
  const step = Math.min(hidden, MORE);
  const more = hidden
    ? el(
        "button",
        { class: "pill unfold", "data-focus": "more", onclick: () => again(shown.length + step) },
        step === hidden ? `Show the other ${count(hidden)}` : `Show ${step} of the other ${count(hidden)}`,
      )
    : null;
  const less =
    shown.length > first
      ? el("button", { class: "pill", "data-focus": "less", onclick: () => again(first) }, `Only the first ${first}`)
      : null;
  const sentences = [
    rank === "strongest" && namesClasses(row, net) ? "Most likely class first." : `Number: ${QUESTIONS[rank].unit}.`,
    picked.note,
    picked.dead.length ? "" : "None is dead on this image.",
  ];
  const said = row.op === "image" || !picked.scores ? "" : sentences.filter(Boolean).join(" ");
  return el("div", { class: "row" }, more, less, el("p", { class: "caption" }, said));
}

/** Another image's maps beside these. @param {MapsScene} scene */
function beside({ net, image, row, beside: chosen }) {
  const others = net.images.filter((other) => other.id !== image.id);
  if (!others.length || row.op === "image") return null;
  return el(
    "select",
    {
      class: "pill",
      "aria-label": "Compare with another image",
      onchange: (event) => go({ beside: event.target.value }),
    },
    el("option", { value: "" }, chosen ? "Compare with none" : "Compare with…"),
    ...others.map((other) => el("option", { value: other.id, selected: other.id === chosen }, other.title)),
  );
}
