/** Learn: the list of lessons, and the frame around one: title, scene, exercise, navigation. */

/** @import { Lesson, LessonState, LessonTitle } from "./types.js" */

import { Refused, ask, post, superseded } from "../api.js";
import { el, entitle, say, styles } from "../element.js";
import { replaceChildren } from "../focus.js";
import { href, path, query as search } from "../place.js";
import { travel } from "../state.js";
import { merged, queryOf, read } from "./address.js";
import { exerciseCard } from "./exercise.js";
import { MODULES } from "./modules.js";
import { seeLayer } from "./see_layer.js";
import { sliding, stop as halt } from "./slide.js";
import { hasSheet, isApart, originOf, ownSeed, progressOf, studentCard } from "./student.js";

/** @type {LessonTitle[]} */
let course = [];
/** @type {AbortController | null} */
let asked = null;
let shown = ""; // the lesson that is shown
let refused = false; // Python did not take what the address asks for: the scene is of an older state

export function stop() {
  asked?.abort();
  halt();
  shown = "";
}

/** @param {HTMLElement} stage @param {() => boolean} late */
export async function show(stage, late) {
  await styles("lessons.css");
  if (!course.length) course = (await (await ask("/lessons")).json()).lessons;
  if (late()) return;
  const [, , name = "", more = ""] = path().split("/");
  if (more === "sheet") {
    shown = "";
    return (await import("./sheet.js")).show(stage, late);
  }
  if (!name) {
    shown = "";
    entitle("Learn · convscope");
    return replaceChildren(stage, ...contents());
  }
  const place = course.findIndex((one) => one.name === name);
  if (place < 0)
    return stage.replaceChildren(
      el("p", { class: "note" }, `There is no lesson called ${name}.`),
      el("p", {}, link("/learn", "All lessons")),
    );
  if (more === "exercises") return openExercises(stage, place);
  await openLesson(stage, late, place);
}

/** A link within the page. @param {string} to @param {...(Node | string)} children */
export const link = (to, ...children) =>
  el(
    "a",
    {
      href: href(to),
      onclick: (/** @type {MouseEvent} */ event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        travel(to);
      },
    },
    ...children,
  );

/** @param {string} path */
const lessonOf = (path) => path.split("/")[2];

/** The list of all lessons. */
const contents = () => [
  el("h2", {}, "The arithmetic of convolutional networks"),
  el(
    "p",
    { class: "lead" },
    "Short lessons with live numbers: change a cell and see what happens. Each has exercises.",
  ),
  ...[studentCard()].filter((node) => node !== null),
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
          ...(progressOf(one.name)
            ? [el("span", { class: "caption done" }, `Exercises: ${progressOf(one.name)}`)]
            : []),
        ),
      ),
    ),
  ),
  ...(hasSheet ? [el("p", {}, link("/learn/all/sheet", "Print a sheet of exercises from all lessons"))] : []),
];

/** @param {string} name */
const exercisesLink = (name) => link(`/learn/${name}/exercises`, `Exercises: ${progressOf(name)}`);

/**
 * The exercises of a lesson without the lesson, which could compute their answers.
 * @param {HTMLElement} stage @param {number} place  in the course
 */
function openExercises(stage, place) {
  const { name, title } = course[place];
  entitle(`${title}: exercises · convscope`);
  const key = `${name}/exercises`;
  if (shown !== key || !stage.querySelector(".exercise")) {
    halt();
    stage.replaceChildren(
      el(
        "article",
        { class: "lesson alone" },
        el("p", { class: "caption" }, link("/learn", "Lessons"), " · ", link(`/learn/${name}`, title)),
        el("h2", {}, `Exercises: ${title}`),
        exerciseSection(),
      ),
    );
    shown = key;
    scrollTo({ top: 0 });
  }
  exercise(stage, name);
}

const exerciseSection = () => el("section", { class: "card exercise", "aria-label": "Exercise" });

/**
 * One lesson: the fixed parts, then the scene for the state in the address.
 * @param {HTMLElement} stage @param {() => boolean} late @param {number} place  in the course
 */
async function openLesson(stage, late, place) {
  const { name, title } = course[place];
  /** @type {{lesson: Lesson<unknown>}} */
  const { lesson } = await MODULES[name]();
  if (late()) return;
  entitle(`${title} · convscope`);
  if (shown !== name || !stage.querySelector(".lesson")) {
    halt();
    stage.replaceChildren(frame(place, lesson));
    shown = name;
    scrollTo({ top: 0 });
    say(title);
  }
  await draw(stage, name, lesson, read(lesson.start), late);
}

/** @param {number} place @param {Lesson<unknown>} lesson */
function frame(place, lesson) {
  const [before, after] = [course[place - 1], course[place + 1]];
  return el(
    "article",
    { class: isApart ? "lesson alone" : "lesson" },
    el(
      "p",
      { class: "caption" },
      link("/learn", "Lessons"),
      ` · ${place + 1} of ${course.length}`,
      seeLayer(course[place].name),
      ...(isApart ? [" · ", exercisesLink(course[place].name)] : []),
    ),
    el("h2", {}, course[place].title),
    el("p", { class: "lead" }, lesson.lead),
    el("div", { class: "scenes" }),
    isApart ? el("p", {}, exercisesLink(course[place].name)) : exerciseSection(),
    originOf(course[place].name) ? el("p", { class: "caption" }, originOf(course[place].name)) : null,
    el(
      "nav",
      { class: "row spread", "aria-label": "Lessons before and after" },
      before ? link(`/learn/${before.name}`, `← ${before.title}`) : el("span", {}),
      after ? link(`/learn/${after.name}`, `${after.title} →`) : link("/learn", "All lessons"),
    ),
  );
}

/**
 * Ask Python for this state's numbers and draw them.
 * @param {HTMLElement} stage
 * @param {string} name
 * @param {Lesson<unknown>} lesson
 * @param {LessonState} state
 * @param {() => boolean} late
 */
async function draw(stage, name, lesson, state, late) {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  exercise(stage, name);
  const empty = stage.querySelector(".scenes:empty");
  const wait = setTimeout(() => empty?.append(el("p", { class: "lead" }, "Reading…")), 300);
  let answer;
  try {
    answer = await post(`/lessons/${name}`, state, signal);
  } catch (error) {
    if (superseded(error) || late()) return;
    if (!(error instanceof Refused) || !error.status) throw error;
    refused = true;
    return refuse(stage, error.message, () => write(lesson.start, lesson.start));
  } finally {
    clearTimeout(wait);
  }
  if (late()) return;
  refused = false;
  /** @param {LessonState} change */
  const set = (change) => {
    // a field or an animation that belongs to a scene that is gone
    if (shown !== name || lessonOf(path()) !== name) return;
    const next = merged(state, refused ? state : read(lesson.start), change);
    write(lesson.start, lesson.fit?.(next) ?? next);
  };
  const scenes = /** @type {HTMLElement} */ (stage.querySelector(".scenes"));
  const before = spoken(scenes);
  replaceChildren(scenes, ...lesson.draw(answer, state, set).filter((node) => node !== null));
  if (before.length && !sliding())
    say(
      spoken(scenes)
        .filter((text) => !before.includes(text))
        .join(" "),
    );
}

/** The sentences of a scene that are read out when they change. @param {Element | null} scenes */
const spoken = (scenes) =>
  [...(scenes?.querySelectorAll("[data-said]") ?? [])].map(
    (node) => node.getAttribute("data-said") || node.textContent || "",
  );

/**
 * Show Python's error above the last valid scene.
 * @param {HTMLElement} stage @param {string} sentence @param {() => void} act
 */
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

/**
 * The exercise next to the lesson; redrawn only when its part of the address changes.
 * @param {HTMLElement} stage @param {string} name
 */
function exercise(stage, name) {
  const card = /** @type {HTMLElement | null} */ (stage.querySelector(".exercise"));
  const entries = new URLSearchParams(search());
  const how = {
    seed: entries.get("seed") || ownSeed(),
    number: Number(entries.get("exercise") ?? 1),
    answer: entries.get("answer") ?? "",
    tries: Number(entries.get("tries") ?? 0),
  };
  const key = JSON.stringify([name, how]);
  if (!card || card.dataset.key === key) return;
  card.dataset.key = key;
  const change = (/** @type {Record<string, string | number>} */ entriesNow) => {
    const query = new URLSearchParams(search());
    for (const [entry, value] of Object.entries(entriesNow))
      value === "" ? query.delete(entry) : query.set(entry, String(value));
    travel(`${path()}?${query}`, { replace: true });
  };
  replaceChildren(card, exerciseCard(name, { ...how, change }));
}

/**
 * Write a state to the address, without a history entry.
 * @param {LessonState} start @param {LessonState} state
 */
function write(start, state) {
  const query = queryOf(start, state, search());
  travel(path() + (query ? `?${query}` : ""), { replace: true });
}
