/** The card next to a lesson: one question, an answer, and feedback, all from the server. */

/** @import { ExerciseTable, Question, Solution, Verdict } from "./types.js" */

import { ask, post } from "../api.js";
import { el, messageOf, styles, write } from "../element.js";
import { travel } from "../state.js";
import { columnHeads } from "./parts.js";
import { exerciseRow, hasSheet } from "./student.js";

/**
 * @typedef {{seed: number | string, number: number, answer: string, tries: number,
 * change: (entries: Record<string, string | number>) => void}} How
 *   `change` sets entries of the address; "" removes one
 */

const GIVEN = 3; // the try that shows the solution, as the server has it
const MOST = 200; // questions and verdicts that are kept
/** What the server said, by what it was asked. @type {Map<string, Question | Verdict>} */
const kept = new Map();

/** @template {Question | Verdict} Kept @param {string} key @param {Kept} value */
function keep(key, value) {
  kept.set(key, value);
  if (kept.size > MOST) kept.delete(kept.keys().next().value ?? "");
  return value;
}

/**
 * The exercise in the address. An answer is written to the address when it is checked, and nowhere else.
 * @param {string} lesson @param {How} how @returns {HTMLElement}
 */
export function exerciseCard(lesson, how) {
  const root = el("div", { class: "asking" });
  const path = `/lessons/${encodeURIComponent(lesson)}/exercises/${encodeURIComponent(how.number)}`;
  const seed = `seed=${encodeURIComponent(how.seed)}`;
  const known = kept.get(`${path}?${seed}`);
  const styled = styles("sheet.css");
  if (known) {
    draw(root, /** @type {Question} */ (known), path, seed, how);
    return root;
  }
  root.append(el("h3", {}, "Exercise"));
  Promise.all([ask(`${path}?${seed}`).then((answer) => answer.json()), styled]).then(
    ([question]) => draw(root, keep(`${path}?${seed}`, question), path, seed, how),
    (error) => root.append(el("p", { class: "note", role: "alert" }, error.message), again(how)),
  );
  return root;
}

/** The way on from an exercise that does not exist. @param {How} how */
const again = ({ change }) =>
  el(
    "div",
    { class: "row" },
    el(
      "button",
      { class: "pill", onclick: () => change({ seed: "", exercise: "", answer: "", tries: "" }) },
      "Back to the first exercise",
    ),
  );

/** @param {HTMLElement} root @param {Question} question @param {string} path @param {string} seed @param {How} how */
function draw(root, question, path, seed, how) {
  const said = el("p", { class: "verdict", role: "status" });
  const solution = el("div", {});
  const next = nextButton(question, how);
  const checks = el("button", { class: "pill main", "aria-label": "Check" }, "Check");
  const shows = el(
    "button",
    { class: "pill", "aria-label": "Show the solution", onclick: () => show() },
    "Show the solution",
  );
  const field = question.kind === "choice" ? choices(question, how.answer) : textField(question, how.answer);
  const showVerdict = (/** @type {Verdict} */ verdict) => {
    write(said, verdict.message);
    said.classList.toggle("right", verdict.right);
    solution.replaceChildren(...(verdict.worked ? [worked(verdict.worked)] : []));
    next.classList.toggle("main", verdict.right);
    checks.classList.toggle("main", !verdict.right);
    shows.toggleAttribute("hidden", Boolean(verdict.worked));
  };
  const judge = async (/** @type {string} */ answer, /** @type {number} */ tries) => {
    const key = JSON.stringify([path, seed, answer, tries]);
    const verdict =
      /** @type {Verdict | undefined} */ (kept.get(key)) ??
      keep(key, await post(`${path}/answer?${seed}`, { answer, tries }));
    showVerdict(verdict);
    return verdict;
  };
  const refused = (/** @type {unknown} */ error) =>
    showVerdict({ right: false, counted: false, message: messageOf(error), worked: null });
  const check = async () => {
    const answer = field.value();
    const tries = answer.trim() ? how.tries + 1 : 0;
    try {
      const verdict = await judge(answer, tries);
      const now = verdict.counted ? tries : how.tries;
      keep(JSON.stringify([path, seed, answer, now]), verdict);
      how.change({ exercise: question.number, answer, tries: now || "" });
    } catch (error) {
      refused(error);
    }
  };
  const show = () =>
    judge("", GIVEN).then(
      () => how.change({ exercise: question.number, answer: "", tries: Math.max(GIVEN, how.tries) }),
      refused,
    );
  const submitted = (/** @type {Event} */ event) => {
    event.preventDefault();
    check();
  };
  root.replaceChildren(
    el(
      "h3",
      {},
      `Exercise ${question.number}`,
      el("span", { class: "caption" }, `level ${question.level} of ${question.levels}`),
    ),
    ...[exerciseRow(question, (number) => how.change({ exercise: number, answer: "", tries: "" }))].filter(
      (node) => node !== null,
    ),
    ...asked(question),
    el("form", { class: "answering", onsubmit: submitted }, field.node, checks),
    said,
    solution,
    el(
      "div",
      { class: "row" },
      next,
      shows,
      hasSheet
        ? el(
            "button",
            { class: "pill", onclick: () => travel(`/learn/${question.lesson}/sheet?seed=${question.seed}`) },
            "Print a sheet",
          )
        : null,
    ),
  );
  if (how.answer || how.tries) judge(how.answer, how.tries).catch(refused);
}

/** @param {Question} question @param {How} how */
function nextButton(question, how) {
  const last = question.number >= question.last;
  const on = () => how.change({ exercise: question.number + 1, answer: "", tries: "" });
  return el("button", { class: "pill", "aria-label": "Next exercise", disabled: last, onclick: on }, "Next exercise");
}

/** A field for numbers and volumes in any spelling. @param {Question} question @param {string} answer */
function textField(question, answer) {
  const input = el("input", {
    class: "pill",
    type: "text",
    value: answer,
    placeholder: `for example ${question.form}`,
    maxlength: 200,
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": "Your answer",
  });
  return { node: input, value: () => input.value };
}

/** One of several answers. @param {Question} question @param {string} answer */
function choices(question, answer) {
  const node = el(
    "fieldset",
    { "aria-label": "Your answer" },
    ...question.choices.map((choice) =>
      el(
        "label",
        {},
        el("input", { type: "radio", name: "choice", value: choice, checked: choice === answer, "aria-label": choice }),
        choice,
      ),
    ),
  );
  return {
    node,
    value: () => /** @type {HTMLInputElement | null} */ (node.querySelector("input:checked"))?.value ?? "",
  };
}

/**
 * The question with its matrices and its table, as in the card and on the sheet.
 * @param {Question} question
 * @returns {HTMLElement[]}
 */
export function asked(question) {
  const grids = question.grids.map(({ title, rows }) =>
    el(
      "figure",
      {},
      el("figcaption", { class: "caption" }, title),
      el(
        "table",
        { class: "given" },
        el(
          "tbody",
          {},
          ...rows.map((row) => el("tr", {}, ...row.map((value) => el("td", {}, String(value).replace("-", "−"))))),
        ),
      ),
    ),
  );
  return [
    el("p", {}, question.question),
    ...(grids.length ? [el("div", { class: "grids" }, ...grids)] : []),
    ...(question.table
      ? [
          el(
            "div",
            { class: "exercise-table", tabindex: 0, role: "region", "aria-label": "Table of layers" },
            layers(question.table),
          ),
        ]
      : []),
  ];
}

/** @param {ExerciseTable} table */
const layers = ({ head, rows }) =>
  el(
    "table",
    {},
    columnHeads(head),
    el(
      "tbody",
      {},
      ...rows.map(([name, ...cells]) =>
        el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((cell) => el("td", {}, cell))),
      ),
    ),
  );

/** A solution: quantity and value, under them the formula with its numbers. @param {Solution} solution */
export const worked = ({ rows, remarks }) =>
  el(
    "div",
    { class: "solution" },
    ...rows.flatMap(([name, value, formula]) =>
      [
        name || value ? el("span", {}, name) : null,
        name || value ? el("b", {}, value) : null,
        formula ? el("p", { class: "caption" }, formula) : null,
      ].filter((one) => one !== null),
    ),
    ...remarks.map((remark) => el("p", { class: "caption remark" }, remark)),
  );
