/** Learn: the list of lessons, and the shell around one: title, scene, exercise, the way on. */

import { ask, post, superseded } from "../api.js";
import { el, say, styles } from "../element.js";
import { keepFocus } from "../focus.js";
import { travel } from "../state.js";
import { exerciseCard } from "./exercise.js";
import { sliding, stop as halt } from "./slide.js";

/**
 * What a lesson's module exports as `lesson`. All that a person can set stands in `start`, and the address holds
 * what differs from it: numbers, words, lists of numbers.
 * @typedef {Record<string, number | string | number[]>} State
 * @typedef {{lead: string, start: State, draw: (told: any, state: State, set: (change: State) => void) => (Node | null)[],
 *   fit?: (state: State) => State}} Lesson  `fit` mends what no longer fits after a change, before Python is asked
 */

/** @type {{name: string, title: string, description: string}[] | null} */
let course = null;
/** @type {AbortController | null} */
let asked = null;
let shown = ""; // the lesson that stands on the stage
let refused = false; // Python did not take what the address asks for: the scene is of an older state

export function stop() {
  asked?.abort();
  halt();
  shown = "";
}

/** @param {HTMLElement} stage @param {() => boolean} late */
export async function show(stage, late) {
  await styles("lessons.css");
  course ??= (await (await ask("/lessons")).json()).lessons;
  if (late()) return;
  const [, , name = "", more = ""] = location.pathname.split("/");
  if (more === "sheet") {
    shown = "";
    return (await import("./sheet.js")).show(stage, late);
  }
  if (!name) {
    shown = "";
    document.title = "Learn · convscope";
    return stage.replaceChildren(...contents());
  }
  const place = course.findIndex((one) => one.name === name);
  if (place < 0)
    return stage.replaceChildren(
      el("p", { class: "note" }, `There is no lesson called ${name}.`),
      el("p", {}, link("/learn", "All lessons")),
    );
  await openLesson(stage, late, place);
}

/** A link within the page. @param {string} to @param {...(Node | string)} children */
export const link = (to, ...children) =>
  el(
    "a",
    {
      href: to,
      onclick: (/** @type {MouseEvent} */ event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        travel(to);
      },
    },
    ...children,
  );

/** The list of all lessons. */
const contents = () => [
  el("h2", {}, "The arithmetic of convolutional networks"),
  el(
    "p",
    { class: "lead" },
    "Short lessons on live numbers: change a cell and read what becomes of it. Each ends with exercises.",
  ),
  el(
    "ol",
    { class: "course" },
    ...course.map((one, i) =>
      el(
        "li",
        {},
        link(
          `/learn/${one.name}`,
          el("span", { class: "number" }, String(i + 1)),
          el("b", {}, one.title),
          el("span", { class: "caption" }, one.description),
        ),
      ),
    ),
  ),
  el("p", {}, link("/learn/all/sheet", "Print a sheet of exercises from all lessons")),
];

/** One lesson: what does not change, then the scene for the state in the address. */
async function openLesson(stage, late, place) {
  const { name, title } = course[place];
  const { lesson } = await import(`./${name}.js`);
  if (late()) return;
  document.title = `${title} · convscope`;
  if (shown !== name || !stage.querySelector(".lesson")) {
    halt();
    stage.replaceChildren(frame(place, lesson));
    shown = name;
    scrollTo({ top: 0 });
    say(title);
  }
  await draw(stage, name, lesson, read(lesson.start), late);
}

function frame(place, lesson) {
  const [before, after] = [course[place - 1], course[place + 1]];
  return el(
    "article",
    { class: "lesson" },
    el("p", { class: "caption" }, link("/learn", "Lessons"), ` · ${place + 1} of ${course.length}`),
    el("h2", {}, course[place].title),
    el("p", { class: "lead" }, lesson.lead),
    el("div", { class: "scenes" }),
    el("section", { class: "card exercise", "aria-label": "Exercise" }),
    el(
      "nav",
      { class: "row spread", "aria-label": "Lessons before and after" },
      before ? link(`/learn/${before.name}`, `← ${before.title}`) : el("span", {}),
      after ? link(`/learn/${after.name}`, `${after.title} →`) : link("/learn", "All lessons"),
    ),
  );
}

/** Ask Python for this state's numbers and draw them. */
async function draw(stage, name, lesson, state, late) {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  exercise(stage, name);
  const empty = stage.querySelector(".scenes:empty");
  const wait = setTimeout(() => empty?.append(el("p", { class: "lead" }, "Reading…")), 300);
  let told;
  try {
    told = await post(`/lessons/${name}`, state, signal);
  } catch (error) {
    if (superseded(error) || late()) return;
    if (!error.status) throw error;
    refused = true;
    return refuse(stage, error.message, () => write(lesson.start, lesson.start));
  } finally {
    clearTimeout(wait);
  }
  if (late()) return;
  refused = false;
  const set = (change) => {
    if (shown !== name) return; // a field or a filter that is still at work on a scene that has gone
    const next = merged(state, refused ? state : read(lesson.start), change);
    write(lesson.start, lesson.fit?.(next) ?? next);
  };
  const typed = keepTyping();
  const focus = keepFocus();
  const scenes = stage.querySelector(".scenes");
  const before = spoken(scenes);
  scenes?.replaceChildren(...lesson.draw(told, state, set).filter((one) => one !== null));
  focus();
  typed();
  if (before.length && !sliding())
    say(
      spoken(scenes)
        .filter((text) => !before.includes(text))
        .join(" "),
    );
}

/**
 * What was changed on a scene, put into the state that the address has reached meanwhile: an answer may still be
 * on its way when the next cell is typed. Of a list in which one number was changed only that one is taken.
 * @param {State} drawn  of the scene @param {State} now  of the address @param {State} change @returns {State}
 */
export function merged(drawn, now, change) {
  const next = { ...now, ...change };
  for (const [name, list] of Object.entries(change)) {
    const [old, held] = [drawn[name], now[name]];
    if (
      !Array.isArray(list) ||
      !Array.isArray(old) ||
      !Array.isArray(held) ||
      list.length !== old.length ||
      list.length !== held.length
    )
      continue;
    const places = list.flatMap((value, place) => (value === old[place] ? [] : [place]));
    if (places.length === 1) next[name] = held.map((value, place) => (place === places[0] ? list[place] : value));
  }
  return next;
}

/** The sentences of a scene that are read out when they change. @param {Element | null} scenes */
const spoken = (scenes) =>
  [...(scenes?.querySelectorAll("[data-said]") ?? [])].map(
    (node) => node.getAttribute("data-said") || node.textContent || "",
  );

/** What Python refuses stands over the last scene that was right. @param {HTMLElement} stage @param {string} sentence @param {() => void} act */
function refuse(stage, sentence, act) {
  stage.querySelector(".refusal")?.remove();
  stage
    .querySelector(".scenes")
    ?.prepend(
      el(
        "p",
        { class: "note refusal", role: "alert" },
        sentence,
        " ",
        el("button", { class: "pill", onclick: act }, "Start again"),
      ),
    );
}

/** The exercise beside the lesson; drawn again only when its part of the address has changed. */
function exercise(stage, name) {
  const card = stage.querySelector(".exercise");
  const entries = new URLSearchParams(location.search);
  const how = {
    seed: entries.get("seed") || "1",
    number: Number(entries.get("exercise") ?? 1),
    answer: entries.get("answer") ?? "",
    tries: Number(entries.get("tries") ?? 0),
  };
  const key = JSON.stringify([name, how]);
  if (!card || card.dataset.key === key) return;
  card.dataset.key = key;
  const change = (/** @type {Record<string, string | number>} */ entriesNow) => {
    const query = new URLSearchParams(location.search);
    for (const [entry, value] of Object.entries(entriesNow))
      value === "" ? query.delete(entry) : query.set(entry, String(value));
    travel(`${location.pathname}?${query}`, { replace: true });
  };
  const focus = keepFocus();
  card.replaceChildren(exerciseCard(name, { ...how, change }));
  focus();
}

const KEPT = ["seed", "exercise", "answer", "tries"]; // entries of the address that are the exercise's

/** The state that the address holds; what it lacks is as at the start. @param {State} start @returns {State} */
export function read(start) {
  const entries = new URLSearchParams(location.search);
  const state = { ...start };
  for (const [name, first] of Object.entries(start)) {
    const text = entries.get(name);
    if (text === null) continue;
    if (Array.isArray(first)) state[name] = text.split("_").map(Number);
    else state[name] = typeof first === "number" ? Number(text) : text;
  }
  return state;
}

/** Put a state into the address, without an entry in the history. @param {State} start @param {State} state */
function write(start, state) {
  const query = new URLSearchParams();
  for (const [name, first] of Object.entries(start)) {
    const text = (value) => (Array.isArray(value) ? value.join("_") : String(value));
    if (text(state[name]) !== text(first)) query.set(name, text(state[name]));
  }
  for (const [name, value] of new URLSearchParams(location.search)) if (KEPT.includes(name)) query.set(name, value);
  const asking = query.toString();
  travel(location.pathname + (asking ? `?${asking}` : ""), { replace: true });
}

/** A field in which somebody types keeps its text and its caret when the scene is drawn again. */
function keepTyping() {
  const field = document.activeElement;
  if (!(field instanceof HTMLInputElement) || !field.matches(".scenes input")) return () => {};
  const { value, selectionStart, selectionEnd } = field;
  const invalid = field.getAttribute("aria-invalid");
  const label = field.getAttribute("aria-label") ?? "";
  return () => {
    const now = document.querySelector(`.scenes input[aria-label="${CSS.escape(label)}"]`);
    if (!(now instanceof HTMLInputElement) || now.type === "range") return;
    now.value = value;
    now.setSelectionRange(selectionStart, selectionEnd);
    if (invalid !== null) now.setAttribute("aria-invalid", invalid);
  };
}
