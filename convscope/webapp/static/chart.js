/**
 * Charts that are drawn while a training writes: at most once a second, never in a hidden tab, and nothing in them
 * moves by itself.
 */

/** @import { Chart, ChartLook, ChartState, Series } from "./types.js" */

import { extent } from "./chart_axes.js";
import { figure } from "./chart_figure.js";
import { pointed, readAt, readNothing } from "./chart_reading.js";
import { el, say, styles } from "./element.js";
import { visible } from "./words.js";

// Milliseconds between two drawings: as many, and as many times the last one's duration up to the most. A training
// needs the processor more.
const BETWEEN = 1000;
const SHARE = 10;
const MOST = 2000;
/**
 * A chart with its heading. `draw` may be called as often as there is something new.
 * @param {string} title
 * @param {ChartLook} look
 * @param {{note?: string, tools?: Node | null, name?: string}} [more]  name: a class for the layout
 * @returns {Chart}
 */
export function chart(title, look, { note = "", tools = null, name = "" } = {}) {
  const plot = el("div", { class: "plot", tabindex: 0, role: "img" });
  const none = el("p", { class: "caption none" }, look.empty ?? "Nothing to draw yet.");
  const element = el(
    "figure",
    { class: `card chart ${name}` },
    el("div", { class: "row head" }, el("h3", {}, title), tools),
    none,
    plot,
    note ? el("figcaption", { class: "caption" }, note) : null,
  );
  plot.hidden = true;
  /** @type {ChartState} */
  const state = { title, plot, none, look, lines: [], at: -1, tip: el("div", { class: "tip", hidden: true }) };
  const pace = paced(() => render(state), element);
  const observer = new ResizeObserver(() => state.lines.length && plot.clientWidth !== state.width && pace.soon());
  observer.observe(element);
  plot.addEventListener("keydown", (event) => readPoints(state, event));
  plot.addEventListener("blur", () => leavePoints(state));
  for (const kind of /** @type {const} */ (["pointermove", "pointerdown"])) {
    plot.addEventListener(kind, (event) => pointed(state, event));
  }
  plot.addEventListener("pointerleave", () => leavePoints(state));
  return {
    element,
    draw(lines, change = {}) {
      Object.assign(state.look, change);
      state.lines = lines;
      pace.soon();
    },
    again: pace.soon,
    stop() {
      pace.stop();
      observer.disconnect();
    },
  };
}

/**
 * Draw soon, but not too often, and not where nobody sees it.
 * @param {() => Promise<number>} act @param {HTMLElement} element
 */
function paced(act, element) {
  let timer = 0;
  let last = -Infinity;
  let pause = BETWEEN;
  let first = true;
  let busy = false;
  let waiting = false;
  let ended = false;
  const run = async () => {
    timer = 0;
    if (ended || document.hidden || !element.isConnected) return void (waiting = true);
    [busy, waiting] = [true, false];
    const spent = await act();
    busy = false;
    last = performance.now();
    pause = first ? BETWEEN : Math.min(MOST, Math.max(BETWEEN, SHARE * spent));
    if (spent) first = false; // the first drawing makes what later ones change
    if (waiting) soon();
  };
  const soon = () => {
    if (busy || document.hidden) waiting = true;
    else if (!timer && !ended) timer = setTimeout(run, Math.max(0, last + pause - performance.now()));
  };
  const seen = () => !document.hidden && waiting && soon();
  document.addEventListener("visibilitychange", seen);
  return {
    soon,
    stop() {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

/** @returns {Promise<number>} the milliseconds that it took @param {ChartState} state */
async function render(state) {
  const { lines, plot, none, look, title } = state;
  const some = lines.some((line) => line.y.some((v) => v !== null));
  [plot.hidden, none.hidden] = [!some, some];
  if (!some) return 0;
  await styles("chart.css");
  const began = performance.now();
  state.width = plot.clientWidth;
  if (!state.width) return 0;
  const told = lines.filter((line) => !line.silent).map((line) => range(line, look));
  plot.setAttribute("aria-label", visible(`${title}. ${told.join("; ")}. The arrow keys read the points.`));
  state.drawing = figure(lines, look, state.width);
  plot.replaceChildren(state.drawing.element, state.tip);
  readAt(state, state.reading ?? []);
  return performance.now() - began;
}

/**
 * What the line says in words: "validation from 65.4% to 98.3%, between 65.4% and 98.9%".
 * @param {Series} series @param {ChartLook} look
 */
function range({ name, y, low: lows, high: highs }, { text }) {
  const known = y.filter((v) => v !== null);
  if (!known.length) return `${name}: nothing yet`;
  const [low, high] = extent([y, lows, highs], false);
  /** @param {number} v */
  const written = (v) => text(v, Math.abs(v) / 1000 || 1);
  return known.length < 2
    ? `${name} ${written(low)}`
    : `${name} from ${written(known[0])} to ${written(known[known.length - 1])}, between ${written(low)} and ` +
        `${written(high)}`;
}

/**
 * ← and → go from point to point, Home and End to the ends; each is said.
 * @param {ChartState} state @param {KeyboardEvent} event
 */
function readPoints(state, event) {
  const line = state.lines.find((one) => one.said && !one.silent);
  if (!line?.said) return;
  const { length } = line.x;
  const to = /** @type {Record<string, number>} */ ({
    ArrowLeft: state.at - 1,
    ArrowRight: state.at + 1,
    Home: 0,
    End: length - 1,
  })[event.key];
  if (to === undefined || !length || !state.drawing) return;
  event.preventDefault();
  state.at = Math.max(0, Math.min(length - 1, state.at < 0 && event.key === "ArrowLeft" ? length - 1 : to));
  readAt(state, [{ line: state.lines.indexOf(line), at: state.at }]);
  say(line.said[state.at].replaceAll("\n", ", "));
}

/** @param {ChartState} state */
function leavePoints(state) {
  state.at = -1;
  readNothing(state);
}
