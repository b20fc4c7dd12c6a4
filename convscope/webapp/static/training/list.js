/** The runs, newest first, and the form that starts another. */

/** @import { RunSummary } from "../types.js" */

import { ask } from "../api.js";
import { el } from "../element.js";
import { count } from "../numbers.js";
import { travel } from "../state.js";
import { exactly } from "./curves.js";
import { form } from "./form.js";
import { inWords, isLive, when } from "./words.js";

const AGAIN = 2000; // milliseconds between two looks while something is trained
const SHOWN = 30;

/** A link within the page; a new tab stays possible. @param {string} to */
export const inside = (to) => ({
  href: to,
  onclick: (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    travel(to);
  },
});

/** @returns {Promise<RunSummary[]>} */
export const runs = async () => (await (await ask("/runs")).json()).runs;

/** @param {(sentence: string) => void} setNote */
export async function listPage(setNote) {
  const [first, choices] = await Promise.all([runs(), ask("/training/form").then((answer) => answer.json())]);
  const place = el("div", {});
  let timer = 0;
  let ended = false;
  let drawn = "";
  let whole = false;

  /** @param {RunSummary[]} list */
  function draw(list) {
    const text = JSON.stringify([list, whole]);
    if (text !== drawn)
      place.replaceChildren(
        ...table(whole ? list : list.slice(0, SHOWN), list.length, () => {
          whole = true;
          draw(list);
        }),
      );
    drawn = text;
    timer = setTimeout(look, list.some((run) => isLive(run.state)) ? AGAIN : 5 * AGAIN);
  }

  async function look() {
    if (document.hidden) return void (timer = setTimeout(look, AGAIN));
    const list = await runs().catch(() => null);
    if (ended) return;
    if (list) draw(list);
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

/** @param {RunSummary[]} list @param {number} total @param {() => void} more */
function table(list, total, more) {
  if (!list.length)
    return [el("p", { class: "lead" }, "No run yet. ", el("code", {}, "convscope train"), " makes one in seconds.")];
  /** @param {number | null | undefined} v */
  const share = (v) => (v === null || v === undefined ? "–" : exactly(v));
  /** @param {RunSummary} run */
  const line = (run) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, el("a", inside(`/train/${encodeURIComponent(run.name)}`), run.name)),
      el("td", {}, run.title),
      el("td", {}, el("span", { class: isLive(run.state) ? "live" : null }, inWords(run.state))),
      el("td", { class: "n" }, share(run.val_top1)),
      el("td", { class: "n" }, share(run.test_top1)),
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
