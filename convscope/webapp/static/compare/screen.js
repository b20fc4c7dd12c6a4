/**
 * The screen Compare: /compare?runs=A~B&networks=C~D&over=epochs|steps|seconds&cost=COST&log=loss&open=equal
 */

/** @import { CompareState, Comparison } from "../types.js" */

import { Refused, ask } from "../api.js";
import { el, entitle, messageOf, styles } from "../element.js";
import { replaceChildren } from "../focus.js";
import { travel } from "../state.js";
import { isLive } from "../training/words.js";
import { address, read } from "./address.js";
import { chooser } from "./chooser.js";
import { curves, scatter } from "./curves.js";
import { networkTable, resultTable, settingTable } from "./tables.js";

const AGAIN = 3000; // milliseconds between two looks while one of the runs is trained
/**
 * The parts of the screen while it is open: what is chosen, and what is compared.
 * @typedef {ReturnType<typeof curves> | ReturnType<typeof scatter>} Figure
 * @typedef {{top: HTMLElement, place: HTMLElement, caveats: HTMLElement, tables: HTMLElement, charts: Figure[],
 *   key: string}} Parts
 */

/** @type {Parts | null} */
let parts = null;
let timer = 0;

/** @param {Partial<CompareState>} change */
const go = (change, replace = false) => travel(address({ ...read(), ...change }), { replace });

/** @param {HTMLElement} stage @param {() => boolean} late */
export async function show(stage, late) {
  const state = read();
  await Promise.all([styles("training.css"), styles("chart.css"), styles("compare.css")]);
  const [list, zoo] = await Promise.all([ask("/runs"), ask("/zoo")].map(async (answer) => (await answer).json()));
  if (late()) return;
  if (!parts || !parts.place.isConnected) {
    stop();
    parts = {
      top: el("div", {}),
      place: el("div", { class: "run" }),
      caveats: el("ul", { class: "told" }),
      tables: el("div", { class: "run" }),
      charts: [],
      key: "",
    };
    stage.replaceChildren(el("div", { class: "run compare" }, el("h2", {}, "Compare"), parts.top, parts.place));
  }
  replaceChildren(parts.top, chooser(state, list.runs, zoo.networks, go));
  entitle("Compare · convscope");
  await draw(parts, state, late);
}

/** @param {Parts} on @param {CompareState} state @param {() => boolean} late */
async function draw(on, state, late) {
  clearTimeout(timer);
  if (state.runs.length + state.networks.length < 2) {
    drop();
    return on.place.replaceChildren(
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
    return on.place.replaceChildren(el("p", { class: "note", role: "alert" }, messageOf(error)));
  }
  if (late() || on !== parts) return;
  fill(on, state, answer);
  if (answer.runs.some((run) => isLive(run.state))) timer = setTimeout(() => again(on, state, late), AGAIN);
}

/**
 * Look again; what cannot be had just now is had later.
 * @param {Parts} on @param {CompareState} state @param {() => boolean} late
 */
function again(on, state, late) {
  if (late() || on !== parts) return;
  const later = () => (timer = setTimeout(() => again(on, state, late), AGAIN));
  if (document.hidden) later();
  else draw(on, state, late).catch(later);
}

/** @param {Parts} on @param {CompareState} state @param {Comparison} answer */
function fill(on, state, answer) {
  const key = JSON.stringify([state.runs, state.networks]);
  if (on.key !== key) {
    drop();
    const charts = state.runs.length ? [curves(answer.runs, go, read), scatter(answer.runs, go)] : [];
    Object.assign(on, { key, charts });
    on.place.replaceChildren(on.caveats, ...charts.map((chart) => chart.element), on.tables);
  }
  on.caveats.replaceChildren(...answer.caveats.map((text) => el("li", {}, text)));
  for (const one of on.charts) one.draw(answer.runs, state);
  const equal = state.open.includes("equal");
  const toggle = () => go({ open: equal ? [] : ["equal"] }, true);
  const tables = [
    answer.runs.length ? resultTable(answer.runs) : null,
    answer.runs.length > 1 ? settingTable(answer.runs, answer.settings, equal, toggle) : null,
    answer.networks.length ? networkTable(answer.networks) : null,
  ];
  replaceChildren(on.tables, ...tables.filter((table) => table !== null));
}

function drop() {
  for (const one of parts?.charts ?? []) one.stop();
  if (parts) Object.assign(parts, { key: "", charts: [] });
}

export function stop() {
  clearTimeout(timer);
  drop();
  parts = null;
}
