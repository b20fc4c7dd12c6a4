/**
 * The screen Compare: /compare?runs=A~B&networks=C~D&over=epochs|steps|seconds&cost=COST&log=loss&open=equal
 */

/** @import { CompareState, Comparison } from "../types.js" */

import { Refused, ask } from "../api.js";
import { el, messageOf, styles } from "../element.js";
import { replaceChildren } from "../focus.js";
import { travel } from "../state.js";
import { isLive } from "../training/words.js";
import { address, read } from "./address.js";
import { chooser } from "./chooser.js";
import { curves, scatter } from "./curves.js";
import { networkTable, resultTable, settingTable } from "./tables.js";

const AGAIN = 3000; // milliseconds between two looks while one of the runs is trained
/** What can be chosen from, and the charts, while the screen is open. @type {any} */
let held = null;
let timer = 0;

/** @param {Partial<CompareState>} change */
const go = (change, replace = false) => travel(address({ ...read(), ...change }), { replace });

/** @param {HTMLElement} stage @param {() => boolean} late */
export async function show(stage, late) {
  const state = read();
  await Promise.all([styles("training.css"), styles("chart.css"), styles("compare.css")]);
  const [list, zoo] = await Promise.all([ask("/runs"), ask("/zoo")].map(async (answer) => (await answer).json()));
  if (late()) return;
  if (!held || !held.place.isConnected) {
    stop();
    held = { top: el("div", {}), place: el("div", { class: "run" }), key: "" };
    stage.replaceChildren(el("div", { class: "run compare" }, el("h2", {}, "Compare"), held.top, held.place));
  }
  replaceChildren(held.top, chooser(state, list.runs, zoo.networks, go));
  document.title = "Compare · convscope";
  await draw(state, late);
}

/** @param {CompareState} state @param {() => boolean} late */
async function draw(state, late) {
  clearTimeout(timer);
  if (state.runs.length + state.networks.length < 2) {
    drop();
    return held.place.replaceChildren(
      el(
        "p",
        { class: "lead" },
        state.runs.length + state.networks.length
          ? "Add one more to compare."
          : "Choose two to eight runs or networks. Runs are compared by curves, results and settings, networks by " +
              "their sizes.",
      ),
    );
  }
  const query = [
    ...state.runs.map((name) => `runs=${encodeURIComponent(name)}`),
    ...state.networks.map((name) => `networks=${encodeURIComponent(name)}`),
  ].join("&");
  /** @type {Comparison} */
  let answer;
  try {
    answer = await (await ask(`/compare?${query}`)).json();
  } catch (error) {
    if (late()) return;
    if (!(error instanceof Refused) || error.status === 0) throw error;
    drop();
    return held.place.replaceChildren(el("p", { class: "note", role: "alert" }, messageOf(error)));
  }
  if (late() || !held) return;
  fill(state, answer);
  if (answer.runs.some((run) => isLive(run.state))) timer = setTimeout(() => again(state, late), AGAIN);
}

/** Look again; what cannot be had just now is had later. @param {CompareState} state @param {() => boolean} late */
function again(state, late) {
  if (late() || !held) return;
  if (document.hidden) timer = setTimeout(() => again(state, late), AGAIN);
  else draw(state, late).catch(() => (timer = setTimeout(() => again(state, late), AGAIN)));
}

/** @param {CompareState} state @param {Comparison} answer */
function fill(state, answer) {
  const key = JSON.stringify([state.runs, state.networks]);
  if (held.key !== key) {
    drop();
    const charts = state.runs.length ? [curves(go, read), scatter(go)] : [];
    held = { ...held, key, charts, told: el("ul", { class: "told" }), tables: el("div", { class: "run" }) };
    held.place.replaceChildren(held.told, ...charts.map((one) => one.element), held.tables);
  }
  held.told.replaceChildren(...answer.caveats.map((text) => el("li", {}, text)));
  for (const one of held.charts) one.draw(answer.runs, state);
  const equal = state.open.includes("equal");
  const toggle = () => go({ open: equal ? [] : ["equal"] }, true);
  const tables = [
    answer.runs.length ? resultTable(answer.runs) : null,
    answer.runs.length > 1 ? settingTable(answer.runs, answer.settings, equal, toggle) : null,
    answer.networks.length ? networkTable(answer.networks) : null,
  ];
  replaceChildren(held.tables, ...tables.filter((table) => table !== null));
}

function drop() {
  for (const one of held?.charts ?? []) one.stop();
  if (held) Object.assign(held, { key: "", charts: [] });
}

export function stop() {
  clearTimeout(timer);
  drop();
  held = null;
}
