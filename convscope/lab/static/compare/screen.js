/**
 * The screen Compare: /compare?runs=A~B&networks=C~D&over=epochs|steps|seconds&cost=COST&log=loss&open=equal
 */

import { ask } from "../api.js";
import { el, styles } from "../element.js";
import { travel } from "../state.js";
import { isLive } from "../training/words.js";
import { chooser } from "./chooser.js";
import { curves, scatter } from "./curves.js";
import { networkTable, resultTable, settingTable } from "./tables.js";

/**
 * @typedef {{epoch: number, step: number, seconds: number, val_loss?: number, val_top1?: number}} Metric
 * @typedef {{name: string, title: string, state: string, when: string, epochs: number, steps: number, seconds: number | null,
 *   images_per_second: number | null, parameters: number | null, multiply_adds: number | null, val_top1: number | null,
 *   test: {top1: number, low: number, high: number, num_correct: number, images: number} | null, metrics: Metric[],
 *   series: {columns: string[], rows: number[][]} | null}} Run
 * @typedef {{name: string, group: string, help: string, values: any[], differs: boolean}} Setting
 * @typedef {{name: string, title: string, parameters: number, multiply_adds: number | null, layers: number, size: string, memory: number | null}} Network
 * @typedef {{runs: Run[], settings: Setting[], networks: Network[], caveats: string[]}} Answer
 * @typedef {{runs: string[], networks: string[], over: string, cost: string, log: string[], open: string[]}} State
 */

const AGAIN = 3000; // milliseconds between two looks while one of the runs is trained
/** What can be chosen from, and the charts, while the screen is open. @type {any} */
let held = null;
let timer = 0;

/** @returns {State} */
function read() {
  const asked = new URLSearchParams(location.search);
  const list = (name) => [...new Set((asked.get(name) ?? "").split("~").filter(Boolean))];
  return {
    runs: list("runs"),
    networks: list("networks"),
    over: asked.get("over") ?? "epochs",
    cost: asked.get("cost") ?? "multiply_adds",
    log: list("log"),
    open: list("open"),
  };
}

/** @param {Partial<State>} change */
function go(change, replace = false) {
  const s = { ...read(), ...change };
  const several = (name) => s[name].length && `${name}=${s[name].map(encodeURIComponent).join("~")}`;
  const asked = [
    several("runs"),
    several("networks"),
    s.over !== "epochs" && `over=${s.over}`,
    s.cost !== "multiply_adds" && `cost=${s.cost}`,
    several("log"),
    several("open"),
  ].filter(Boolean);
  travel(`/compare${asked.length ? `?${asked.join("&")}` : ""}`, { replace });
}

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
  const focus = keepFocus(held.top);
  held.top.replaceChildren(chooser(state, list.runs, zoo.networks, go));
  focus();
  document.title = "Compare · convscope";
  await draw(state, late);
}

/** @param {State} state @param {() => boolean} late */
async function draw(state, late) {
  clearTimeout(timer);
  if (state.runs.length + state.networks.length < 2) {
    drop();
    return held.place.replaceChildren(
      el(
        "p",
        { class: "lead" },
        state.runs.length + state.networks.length
          ? "Add one more to compare it with."
          : "Choose two to eight runs or networks. Runs are compared by their curves, their results and their settings, networks by their sizes.",
      ),
    );
  }
  const query = [
    ...state.runs.map((name) => `runs=${encodeURIComponent(name)}`),
    ...state.networks.map((name) => `networks=${encodeURIComponent(name)}`),
  ].join("&");
  let answer;
  try {
    answer = await (await ask(`/compare?${query}`)).json();
  } catch (error) {
    if (late()) return;
    if (error.status === 0 || !error.status) throw error;
    drop();
    return held.place.replaceChildren(el("p", { class: "note", role: "alert" }, error.message));
  }
  if (late() || !held) return;
  fill(state, answer);
  if (answer.runs.some((run) => isLive(run.state))) timer = setTimeout(() => again(state, late), AGAIN);
}

/** Look again; what cannot be had just now is had later. */
function again(state, late) {
  if (late() || !held) return;
  if (document.hidden) timer = setTimeout(() => again(state, late), AGAIN);
  else draw(state, late).catch(() => (timer = setTimeout(() => again(state, late), AGAIN)));
}

/** @param {State} state @param {Answer} answer */
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
  const focus = keepFocus(held.tables);
  const scrolled = [...held.tables.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  held.tables.replaceChildren(
    ...[
      answer.runs.length ? resultTable(answer.runs) : null,
      answer.runs.length > 1
        ? settingTable(answer.runs, answer.settings, state.open.includes("equal"), () =>
            go({ open: state.open.includes("equal") ? [] : ["equal"] }, true),
          )
        : null,
      answer.networks.length ? networkTable(answer.networks) : null,
    ].filter((one) => one !== null),
  );
  [...held.tables.querySelectorAll(".scroll")].forEach((box, i) => (box.scrollLeft = scrolled[i] ?? 0));
  focus();
}

/** The focus stays on what has the same name afterwards. @param {HTMLElement} within */
function keepFocus(within) {
  const name = within.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
  return () =>
    name &&
    /** @type {HTMLElement | null} */ (within.querySelector(`[aria-label="${CSS.escape(name)}"]`))?.focus({
      preventScroll: true,
    });
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
