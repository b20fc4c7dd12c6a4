/** The runs, newest first, and the form that starts another. */

/** @import { Folds, RunSummary } from "../types.js" */

import { ask } from "../api.js";
import { el, write } from "../element.js";
import { count } from "../numbers.js";
import { travel } from "../state.js";
import { estimate } from "../train_link.js";
import { form } from "./form.js";
import { inWords, isLive, metricName, metricValue, when } from "./words.js";

const AGAIN = 2000; // milliseconds between two looks while something is trained
const SHOWN = 30;
const MOST_COMPARED = 8;
const FOLD_HEADS = ["Fold", "State", "Validation", "Test"];

/** A link within the page; a new tab stays possible. @param {string} to */
export const inside = (to) => ({
  href: to,
  onclick: (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    travel(to);
  },
});

/** @returns {Promise<{runs: RunSummary[], folds: Folds[]}>} */
export const runs = async () => (await ask("/runs")).json();

/** @param {(sentence: string) => void} setNote */
export async function listPage(setNote) {
  const [first, choices] = await Promise.all([runs(), ask("/training/form").then((answer) => answer.json())]);
  const place = el("div", {});
  let timer = 0;
  let ended = false;
  let drawn = "";
  let whole = false;

  /** @param {{runs: RunSummary[], folds: Folds[]}} known */
  function draw({ runs: list, folds }) {
    const text = JSON.stringify([list, folds, whole]);
    const within = new Set(folds.flatMap((one) => one.runs.map(({ run }) => run)));
    const alone = list.filter((run) => !within.has(run.name));
    if (text !== drawn)
      place.replaceChildren(
        ...(alone.length || !folds.length
          ? table(whole ? alone : alone.slice(0, SHOWN), alone.length, () => {
              whole = true;
              draw({ runs: list, folds });
            })
          : []),
        ...folds.map((one) => foldsCard(one, list)),
      );
    drawn = text;
    timer = setTimeout(look, list.some((run) => isLive(run.state)) ? AGAIN : 5 * AGAIN);
  }

  async function look() {
    if (document.hidden) return void (timer = setTimeout(look, AGAIN));
    const known = await runs().catch(() => null);
    if (ended) return;
    if (known) draw(known);
    else timer = setTimeout(look, AGAIN);
  }

  draw(first);
  return {
    element: el("div", { class: "run" }, el("h2", {}, "Train"), place, form(choices, setNote)),
    again: () => {},
    stop: () => {
      ended = true;
      clearTimeout(timer);
    },
  };
}

/** A metric's value, with its name where it is not the accuracy. @param {RunSummary} run @param {number | null} value */
function measured({ metric }, value) {
  const text = metricValue(metric, value);
  if (metric === "top1" || value === null) return text;
  return `${metric === "kappa" ? "kappa" : metricName(metric)} ${text}`;
}

/** A cross-validation: its runs with what each tested, and the summary. @param {Folds} folds @param {RunSummary[]} list */
function foldsCard({ name, title, finished, count: all, runs: parts, summary }, list) {
  const known = new Map(list.map((run) => [run.name, run]));
  const compared = parts.slice(0, MOST_COMPARED).map(({ run }) => encodeURIComponent(run));
  return el(
    "section",
    { class: "card scroll folds", tabindex: 0, "aria-label": `Cross-validation ${name}` },
    el("h3", {}, `Cross-validation of ${title}`),
    el("p", { class: "caption" }, `${name}: ${count(finished)} of ${count(all)} folds are finished.`),
    el(
      "table",
      { class: "rows runs" },
      el(
        "thead",
        {},
        el("tr", {}, ...FOLD_HEADS.map((text, i) => el("th", { scope: "col", class: i > 1 ? "n" : null }, text))),
      ),
      el(
        "tbody",
        {},
        ...parts.map(({ run, fold }) => {
          const one = known.get(run);
          return el(
            "tr",
            {},
            el("th", { scope: "row" }, el("a", inside(`/train/${encodeURIComponent(run)}`), fold)),
            el("td", {}, one ? inWords(one.state) : ""),
            el("td", { class: "n" }, one ? measured(one, one.val_value) : "–"),
            el("td", { class: "n" }, one ? measured(one, one.test_value) : "–"),
          );
        }),
      ),
    ),
    summary ? el("pre", { class: "lines" }, summary) : null,
    compared.length > 1
      ? el("a", { class: "pill", ...inside(`/compare?runs=${compared.join("~")}`) }, "Compare folds")
      : null,
  );
}

/** @param {RunSummary[]} list @param {number} total @param {() => void} more */
function table(list, total, more) {
  if (!list.length) {
    const lead = el("p", { class: "lead" }, "No run yet. Start training above: LeNet-5 on the digits takes seconds.");
    estimate("lenet5").then(
      (words) => words && write(lead, `No run yet. Start training above: LeNet-5 on the digits takes ${words}.`),
    );
    return [lead];
  }
  /** @param {RunSummary} run */
  const line = (run) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, el("a", inside(`/train/${encodeURIComponent(run.name)}`), run.name)),
      el("td", {}, run.title),
      el("td", {}, el("span", { class: isLive(run.state) ? "live" : null }, inWords(run.state))),
      el("td", { class: "n" }, measured(run, run.val_value)),
      el("td", { class: "n" }, measured(run, run.test_value)),
      el("td", { class: "n" }, count(run.epochs ?? 0)),
      el("td", { class: "n" }, count(run.steps ?? 0)),
      el("td", { class: "n" }, run.parameters === null || run.parameters === undefined ? "–" : count(run.parameters)),
      el("td", {}, when(run.when)),
    );
  const heads = ["Run", "Model and data", "State", "Validation", "Test", "Epochs", "Steps", "Parameters", "Started"];
  const finished = list
    .filter((run) => run.val_top1 !== null)
    .slice(0, 2)
    .map((run) => encodeURIComponent(run.name));
  return [
    el(
      "section",
      { class: "card scroll", tabindex: 0, "aria-label": "Runs" },
      el(
        "table",
        { class: "rows runs" },
        el(
          "thead",
          {},
          el("tr", {}, ...heads.map((text, i) => el("th", { scope: "col", class: i > 2 && i < 8 ? "n" : null }, text))),
        ),
        el("tbody", {}, ...list.map(line)),
      ),
    ),
    el(
      "div",
      { class: "row after" },
      total > list.length
        ? el("button", { class: "pill", onclick: more }, `Show the other ${count(total - list.length)}`)
        : null,
      finished.length > 1
        ? el("a", { class: "pill", ...inside(`/compare?runs=${finished.join("~")}`) }, "Compare the newest two")
        : null,
    ),
  ];
}
