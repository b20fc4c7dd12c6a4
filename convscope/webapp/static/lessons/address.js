/** A lesson's part of the address: /learn/LESSON?what=differs&from=the&start=... */

/** @import { LessonState } from "./types.js" */

import { query } from "../place.js";

const KEPT = ["seed", "exercise", "answer", "tries"]; // the exercise's entries of the address

/**
 * The state in the address, completed by the initial state.
 * @param {LessonState} start
 * @returns {LessonState}
 */
export function read(start) {
  const entries = new URLSearchParams(query());
  const state = { ...start };
  for (const [name, first] of Object.entries(start)) {
    const text = entries.get(name);
    if (text === null) continue;
    if (Array.isArray(first)) state[name] = text.split("_").map(Number);
    else state[name] = typeof first === "number" ? Number(text) : text;
  }
  return state;
}

/**
 * A query with what differs from the initial state, and with the exercise's entries of the old query.
 * @param {LessonState} start @param {LessonState} state @param {string} before
 */
export function queryOf(start, state, before) {
  const entries = new URLSearchParams();
  for (const [name, first] of Object.entries(start)) {
    if (text(state[name]) !== text(first)) entries.set(name, text(state[name]));
  }
  for (const [name, value] of new URLSearchParams(before)) if (KEPT.includes(name)) entries.set(name, value);
  return entries.toString();
}

/** @param {LessonState[string]} value */
const text = (value) => (Array.isArray(value) ? value.join("_") : String(value));

/**
 * Merge a change on the scene into the current state of the address: a response may still be
 * pending when the next cell is typed. If one number of a list was changed, only that one is merged.
 * @param {LessonState} drawn  of the scene @param {LessonState} now  of the address @param {LessonState} change
 * @returns {LessonState}
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
