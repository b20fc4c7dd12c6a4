/** The student of this browser: a name, the variant that follows from it, and what is solved. Nothing leaves the browser. */

/** @import { Question } from "../lessons/types.js" */

import { el, write } from "../element.js";
import { several } from "../numbers.js";
import { redraw } from "../state.js";
import { visible } from "../words.js";
import { index } from "./data.js";
import { modules } from "./translated.js";

export const isApart = true;
export const hasClock = false;
export const hasSheet = false;

const KEY = "convscope-course";
const CHANGED = "progress";
const ORIGINS = index.origins;

/** @typedef {"right" | "shown"} Done */
/** @typedef {{name: string, variant: number, done: Record<string, Record<string, Record<string, Done>>>}} Student */

/** @type {Student} */
let student = stored();

/** What the browser kept; of a new student a random variant. @returns {Student} */
function stored() {
  const fresh = { name: "", variant: 1 + Math.floor(Math.random() * index.variants), done: {} };
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "null");
    if (found && found.variant >= 1 && found.variant <= index.variants) return { ...fresh, ...found };
  } catch {
    // Without storage a student is new with every page.
  }
  return keep(fresh);
}

/** @param {Student} now */
function keep(now) {
  try {
    localStorage.setItem(KEY, JSON.stringify(now));
  } catch {
    // Without storage the progress lasts as long as the page.
  }
  return now;
}

export const ownSeed = () => String(student.variant);

/** What is done of a lesson, by number. @param {string} lesson @param {number} [variant] @returns {Record<string, Done>} */
const doneOf = (lesson, variant = student.variant) => student.done[variant]?.[lesson] ?? {};
/** @param {string} lesson */
const solved = (lesson) => Object.values(doneOf(lesson)).filter((how) => how === "right").length;

/** @param {string} lesson */
export const progressOf = (lesson) => `${solved(lesson)} of ${index.exercises} solved`;
/** @param {string} lesson */
export const originOf = (lesson) => ORIGINS[lesson] ?? "";

/**
 * An exercise is solved, or its solution was shown; what was shown once is not solved later.
 * @param {string} lesson @param {number} variant @param {number} number @param {boolean} right
 */
export function record(lesson, variant, number, right) {
  const all = { ...student.done[variant] };
  const before = all[lesson]?.[number];
  if (before) return;
  all[lesson] = { ...all[lesson], [number]: right ? "right" : "shown" };
  student = keep({ ...student, done: { ...student.done, [variant]: all } });
  dispatchEvent(new Event(CHANGED));
}

/** @param {string} name */
function become(name) {
  const { variant_of } = modules["convscope.webapp.course.variants"];
  const variant = name.trim() ? variant_of(name, index.variants) : 1 + Math.floor(Math.random() * index.variants);
  student = keep({ ...student, name: name.trim(), variant });
  redraw();
}

/** Above the list of lessons: who learns, and how far. */
export function studentCard() {
  const total = index.lessons.reduce((sum, lesson) => sum + solved(lesson.name), 0);
  const field = el("input", {
    class: "pill",
    type: "text",
    id: "student",
    value: student.name,
    maxlength: 80,
    autocomplete: "off",
    spellcheck: "false",
  });
  const submitted = (/** @type {Event} */ event) => {
    event.preventDefault();
    become(field.value);
  };
  return el(
    "section",
    { class: "card student", "aria-label": "Student" },
    el(
      "form",
      { class: "row", onsubmit: submitted },
      el("label", { for: "student" }, "Your name or number"),
      field,
      el("button", { class: "pill main", "aria-label": "Use this name" }, "Use this name"),
    ),
    el(
      "p",
      {},
      `You have variant ${student.variant} of ${index.variants}: `,
      student.name
        ? "the same for this name on every computer."
        : "at random; with a name, the same on every computer.",
      " ",
      el("b", {}, `${total} of ${several(index.lessons.length * index.exercises, "exercise")} solved.`),
    ),
    otherWork(),
    el(
      "details",
      {},
      el("summary", {}, "A result to hand in"),
      el("textarea", { readonly: true, rows: 3, "aria-label": "Result to hand in" }, result()),
      el(
        "p",
        { class: "caption" },
        "Name and progress stay in this browser. The answers are in this file, for anyone who reads its source: for " +
          "practice that does not matter; for a grade it does.",
      ),
    ),
  );
}

/** What another name means for the exercises that are solved, or where those of another variant are. */
function otherWork() {
  const counts = Object.entries(student.done)
    .filter(([variant]) => Number(variant) !== student.variant)
    .map(([variant, lessons]) => [variant, Object.values(lessons).flatMap(Object.values).filter(isRight).length]);
  const others = counts.filter(([, count]) => count);
  if (others.length) {
    const list = others.map(([variant, count]) => `${count} of variant ${variant}`).join(", ");
    return el(
      "p",
      { class: "caption" },
      `Also solved in this browser: ${list}. Enter the number of a variant as your name to open it again.`,
    );
  }
  if (student.name) return null;
  return el(
    "p",
    { class: "caption" },
    "Enter your name before you begin: with it the numbers in the exercises change.",
  );
}
const isRight = (/** @type {unknown} */ how) => how === "right";

/** One line about all that is solved. */
function result() {
  const parts = index.lessons
    .filter((lesson) => solved(lesson.name))
    .map((lesson) => `${lesson.name} ${solved(lesson.name)}/${index.exercises}`);
  return `${student.name || "(no name)"}, variant ${student.variant}: ${parts.join(", ") || "nothing solved yet"}`;
}

/**
 * A button for each exercise of a lesson, marked if it is done.
 * @param {Question} question @param {(number: number) => void} go
 */
export function exerciseRow(question, go) {
  const marks = { right: "✓", shown: "–" };
  const words = { right: "solved", shown: "solution shown" };
  const buttons = Array.from({ length: index.exercises }, (_, i) => {
    const now = i + 1 === question.number;
    return el("button", { class: "pill", "aria-current": now ? "step" : null, onclick: () => go(i + 1) });
  });
  const draw = () => {
    const done = doneOf(question.lesson, Number(question.seed));
    buttons.forEach((button, i) => {
      const how = done[i + 1];
      write(button, how ? `${i + 1} ${marks[how]}` : String(i + 1));
      button.setAttribute("aria-label", visible(how ? `${i + 1} ${marks[how]} ${words[how]}` : `${i + 1}`));
    });
  };
  const row = el("nav", { class: "row exercise-row", "aria-label": "Exercises of this lesson" }, ...buttons);
  const changed = () => (row.isConnected ? draw() : removeEventListener(CHANGED, changed));
  addEventListener(CHANGED, changed);
  draw();
  return row;
}
