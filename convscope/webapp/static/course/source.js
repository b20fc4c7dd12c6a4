/** Answers the page's questions without a server: by translated Python, or from what Python has written into this file. */

import { index, prepare } from "./data.js";
import { filtersAnswer } from "./filters.js";
import { judge, question } from "./homework.js";
import { RequestError, from_json, to_json } from "./python.js";
import { record } from "./student.js";
import { modules } from "./translated.js";

/** @param {string} message @param {number} [status] */
const refuse = (message, status = 400) => Response.json({ message }, { status });
/** @param {unknown} answer  a sentence is a refusal */
const reply = (answer) => (typeof answer === "string" ? refuse(answer, 404) : Response.json(answer));

/** @param {string} path  below /api @param {RequestInit} options @returns {Promise<Response>} */
export async function answerTo(path, options) {
  const [place, query = ""] = path.split("?");
  const [, what, lesson, more, number, answered] = place.split("/").map(decodeURIComponent);
  const body = typeof options.body === "string" ? JSON.parse(options.body) : {};
  if (what !== "lessons") return refuse("This is not in the page.", 404);
  if (!lesson) return Response.json({ lessons: index.lessons });
  try {
    if (!more) return reply(await compute(lesson, body));
    const variant = Number(new URLSearchParams(query).get("seed"));
    if (!answered) return reply(await question(lesson, Number(number), variant));
    const verdict = await judge(lesson, Number(number), variant, body.answer, body.tries);
    if (verdict.worked) record(lesson, variant, Number(number), verdict.right);
    return reply(verdict);
  } catch (error) {
    if (error instanceof RequestError) return refuse(String(/** @type {Error} */ (error).message));
    console.error(error);
    return refuse(`This cannot be computed: ${error}`, 500);
  }
}

/** @param {string} lesson @param {Record<string, unknown>} state */
async function compute(lesson, state) {
  if (lesson === "filters") return filtersAnswer(state);
  await prepare();
  return to_json(modules[`convscope.lessons.${lesson}`].compute(from_json(state)));
}
