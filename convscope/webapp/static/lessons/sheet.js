/** A worksheet to print: questions with space for answers, and the solutions on a separate page. */

/** @import { Question, Sheet } from "./types.js" */

import { ask } from "../api.js";
import { el, entitle, styles } from "../element.js";
import { path, query as search } from "../place.js";
import { travel } from "../state.js";
import { asked, worked } from "./exercise.js";

const COUNTS = [4, 8, 12, 20, 30];
const USUAL = 8;

/**
 * Draw the sheet that the address names: /learn/LESSON/sheet?seed=&count=
 * @param {HTMLElement} stage @param {() => boolean} late
 */
export async function show(stage, late) {
  await styles("sheet.css");
  const lesson = decodeURIComponent(path().split("/")[2] ?? "all");
  const entries = new URLSearchParams(search());
  const [seed, count] = [entries.get("seed") ?? "1", entries.get("count") ?? String(USUAL)];
  const query = new URLSearchParams({ seed, count });
  /** @type {Sheet} */
  const sheet = await (await ask(`/lessons/${encodeURIComponent(lesson)}/sheet?${query}`)).json();
  if (late()) return;
  entitle(`${sheet.title}: exercises · convscope`);
  stage.replaceChildren(
    el("article", { class: "sheet" }, controls(lesson, seed, count), questions(sheet), solutions(sheet)),
  );
}

/** What is not printed. @param {string} lesson @param {string} seed @param {string} count */
function controls(lesson, seed, count) {
  const go = (/** @type {Record<string, string>} */ change) =>
    travel(`/learn/${lesson}/sheet?${new URLSearchParams({ seed, count, ...change })}`);
  const several = [...new Set([...COUNTS, Number(count)])].sort((a, b) => a - b);
  const another = () => go({ seed: String(1 + Math.floor(Math.random() * 999_999)) });
  const back = lesson === "all" ? "/learn" : `/learn/${lesson}`;
  return el(
    "div",
    { class: "row unprinted" },
    el("button", { class: "pill main", onclick: () => print() }, "Print"),
    el("button", { class: "pill", "aria-label": "Another sheet", onclick: another }, "Another sheet"),
    el(
      "label",
      { class: "row" },
      "Exercises",
      el(
        "select",
        {
          class: "pill",
          "aria-label": "Exercises on the sheet",
          onchange: (event) => go({ count: event.target.value }),
        },
        ...several.map((n) => el("option", { value: n, selected: n === Number(count) }, n)),
      ),
    ),
    el(
      "button",
      { class: "quiet", onclick: () => travel(back) },
      lesson === "all" ? "All lessons" : "Back to the lesson",
    ),
  );
}

/** The first pages. @param {Sheet} sheet */
const questions = (sheet) =>
  el(
    "section",
    { class: "card paper", "aria-label": "Exercises" },
    el("h2", {}, sheet.title),
    el(
      "p",
      { class: "caption name" },
      el("span", {}, "Name"),
      el("span", {}, "Date"),
      el("span", {}, `Sheet ${sheet.seed}`),
    ),
    el(
      "ol",
      {},
      ...sheet.exercises.map((one) =>
        el(
          "li",
          {},
          ...asked(one),
          options(one),
          el(
            "div",
            { class: "room", "aria-hidden": "true" },
            ...Array.from({ length: one.space }, () => el("span", {})),
          ),
        ),
      ),
    ),
  );

/** What there is to choose from, with a box to cross. @param {Question} question */
const options = ({ choices }) =>
  choices.length ? el("ul", { class: "boxes-to-cross" }, ...choices.map((choice) => el("li", {}, choice))) : null;

/** The last pages. @param {Sheet} sheet */
const solutions = (sheet) =>
  el(
    "section",
    { class: "card paper solutions", "aria-label": "Solutions" },
    el("h2", {}, "Solutions"),
    el("p", { class: "caption" }, `${sheet.title}, sheet ${sheet.seed}`),
    el(
      "ol",
      {},
      ...sheet.solutions.map(({ answer, worked: solution }) =>
        el("li", {}, el("strong", {}, answer), worked(solution)),
      ),
    ),
  );
