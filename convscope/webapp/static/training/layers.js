/**
 * Activations and gradients, layer by layer: what stands out in words, a table, the history of the gradients.
 */

/** @import { LayerStat, LayerStats } from "../types.js" */

import { ask } from "../api.js";
import { chart } from "../chart.js";
import { el, write } from "../element.js";
import { replaceChildren } from "../focus.js";
import { count, several, volume } from "../numbers.js";
import { latest } from "./pictures.js";
import { onAxis, short } from "./words.js";

const MANY = 0.5; // share of activations that are 0, and
const DEAD = 0.9; // the share from which a layer is called dead
const FAINT = 1000; // times smaller than the largest gradient of a layer
const HARD = 0.1; // a step's change, as a share of the weights
const LINES = 8;
const ROWS = 16;
const MOST = 6; // remarks

/**
 * @typedef {{chosen: () => string, choose: (name: string) => void, whole: () => boolean,
 *   setWhole: (all: boolean) => void}} LayersState
 */

/**
 * @param {string} run
 * @param {LayersState} state  what the address holds
 * @param {(look: LayerStats) => void} onStats  told of each look
 */
export function layers(run, state, onStats) {
  const list = el("ul", { class: "told" });
  const body = el("div", {
    class: "scroll",
    tabindex: 0,
    role: "region",
    "aria-label": "Table of activations and gradients",
  });
  const more = el("button", { class: "pill" });
  const note = el("p", { class: "caption" });
  const history = chart(
    "Gradients over the steps",
    { across: "steps", text: onAxis, log: true, height: 260, empty: "The first figures come within a few seconds." },
    {
      note:
        "Root mean square of each layer's gradient, on a logarithmic axis. A layer's name in the table chooses its " +
        "line.",
    },
  );
  const element = el(
    "section",
    { class: "card layers", hidden: true },
    el("h3", {}, "Activations and gradients, layer by layer"),
    list,
    el("div", { class: "pairs" }, el("div", {}, body, el("div", { class: "row" }, more, note)), history.element),
  );
  /** @type {LayerStats | null} */
  let look = null;
  more.addEventListener("click", () => {
    state.setWhole(!state.whole());
    draw();
  });

  function draw() {
    if (!look) return;
    element.hidden = false;
    const sentences = remarks(look.layers);
    list.replaceChildren(...sentences.map((text) => el("li", {}, text)));
    const learned = look.layers.filter((layer) => layer.weight !== null || layer.gradient !== null);
    const listed = state.whole() ? look.layers : learned.slice(0, ROWS);
    const top = body.scrollTop;
    const lines = table(listed, look.layers, state.chosen(), (name) => {
      state.choose(name === state.chosen() ? "" : name);
      draw();
    });
    replaceChildren(body, lines);
    body.scrollTop = top;
    more.hidden = look.layers.length === learned.length && learned.length <= ROWS;
    write(more, state.whole() ? "Show the layers with weights" : `Show all ${several(look.layers.length, "layer")}`);
    write(note, `At step ${count(look.step)}, over at most 32 images of the batch.`);
    history.draw(gradients(look, learned, state.chosen()));
  }

  const reader = latest(async () => {
    look = await (await ask(`/runs/${encodeURIComponent(run)}/look`, { cache: "no-store" })).json();
    draw();
    if (look) onStats(look);
  });
  return {
    element,
    ask: reader.ask,
    again: () => {
      draw();
      history.again();
    },
    stop: () => {
      reader.stop();
      history.stop();
    },
  };
}

/** What stands out, most pressing first. @param {LayerStat[]} all */
export function remarks(all) {
  const learned = all.filter((layer) => layer.weight !== null);
  const largest = learned.reduce(
    (most, { name, gradient }) => (gradient !== null && gradient > most.gradient ? { name, gradient } : most),
    { name: "", gradient: 0 },
  );
  const found = [
    ...learned.flatMap(({ name, gradient }) =>
      gradient === 0 ? [`${name}: no gradient reaches it, so it does not learn.`] : [],
    ),
    ...learned.flatMap(({ name, gradient }) =>
      gradient && gradient * FAINT < largest.gradient
        ? [`${name}: its gradient is ${times(largest.gradient / gradient)} times smaller than that of ${largest.name}.`]
        : [],
    ),
    ...learned.flatMap(({ name, update }) =>
      update !== null && update > HARD
        ? [`${name}: one step changes its weights by ${share(update)} of their size; try a smaller learning rate.`]
        : [],
    ),
    ...all.flatMap(({ name, activation: { zeros } }) =>
      zeros !== null && zeros >= DEAD
        ? [`${name}: ${share(zeros)} of its activations are 0; most units are dead.`]
        : [],
    ),
    ...all.flatMap(({ name, activation: { zeros } }) =>
      zeros !== null && zeros >= MANY && zeros < DEAD ? [`${name}: ${share(zeros)} of its activations are 0.`] : [],
    ),
  ];
  if (!found.length) return ["Nothing stands out: no layer is dead, no gradient vanishes."];
  if (found.length <= MOST) return found;
  const more = found.length - MOST + 1;
  return [...found.slice(0, MOST - 1), `${several(more, "similar remark")} on other layers; see the table.`];
}

/** @param {number} ratio */
const times = (ratio) => count(Number(ratio.toPrecision(2)));
/** @param {number} part */
const share = (part) => (part === 1 ? "100%" : `${Math.min(99, Math.round(100 * part))}%`);

/**
 * The largest and the smallest of a column above zero: what its bars run between.
 * @param {LayerStat[]} all @param {(layer: LayerStat) => number | null} get
 * @returns {[low: number, high: number]}
 */
function scale(all, get) {
  const known = all
    .map(get)
    .filter((v) => v !== null)
    .filter((v) => v > 0);
  return [known.reduce((a, b) => Math.min(a, b), Infinity), known.reduce((a, b) => Math.max(a, b), 0)];
}

/**
 * A figure with a bar on a logarithmic scale.
 * @param {number | null} value @param {[low: number, high: number]} range
 */
function barred(value, [low, high]) {
  let part = 0;
  if (value && value > 0) part = high > low ? 0.06 + (0.94 * Math.log(value / low)) / Math.log(high / low) : 1;
  return el(
    "td",
    { class: "n" },
    el(
      "span",
      { class: "gauge", "aria-hidden": "true" },
      el("i", { style: { width: `${Math.max(0, Math.min(100, 100 * part))}%` } }),
    ),
    el("span", { class: "figure" }, short(value)),
  );
}

/**
 * @param {LayerStat[]} listed @param {LayerStat[]} all @param {string} chosen @param {(name: string) => void} choose
 */
function table(listed, all, chosen, choose) {
  /** @type {[name: string, get: (layer: LayerStat) => number | null][]} */
  const columns = [
    ["Activations (std)", (l) => l.activation.std],
    ["Gradient", (l) => l.gradient],
    ["Weights", (l) => l.weight],
    ["Step ÷ weights", (l) => l.update],
  ];
  const scales = columns.map(([, get]) => scale(all, get));
  return el(
    "table",
    { class: "rows" },
    el(
      "caption",
      { class: "caption" },
      "Bars on logarithmic scales, one for each column. Gradient and weights: root mean squares.",
    ),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", { scope: "col" }, "Layer"),
        el("th", { scope: "col" }, "Output"),
        el("th", { scope: "col", class: "n" }, "Zeros"),
        ...columns.map(([name]) => el("th", { scope: "col", class: "n" }, name)),
      ),
    ),
    el(
      "tbody",
      {},
      ...listed.map((layer) =>
        el(
          "tr",
          { class: layer.name === chosen ? "chosen" : null },
          el(
            "th",
            { scope: "row" },
            el(
              "button",
              {
                class: "plain",
                "aria-pressed": String(layer.name === chosen),
                title: layer.kind,
                onclick: () => choose(layer.name),
              },
              layer.name,
            ),
          ),
          el("td", {}, volume(layer.shape)),
          el("td", { class: "n" }, layer.activation.zeros === null ? "–" : share(layer.activation.zeros)),
          ...columns.map(([, get], i) => barred(get(layer), scales[i])),
        ),
      ),
    ),
  );
}

/**
 * At most eight lines: the chosen layer, and others spread evenly from the first to the last.
 * @param {LayerStats} stats @param {LayerStat[]} learned @param {string} chosen
 */
function gradients({ history }, learned, chosen) {
  const n = Math.min(LINES, learned.length);
  const spread = Array.from(
    { length: n },
    (_, i) => learned[Math.round((i * (learned.length - 1)) / Math.max(1, n - 1))],
  );
  const drawn = learned.filter((layer) => layer.name === chosen || spread.includes(layer));
  const steps = history.map(({ step }) => step);
  return drawn.map(({ name }, i) => {
    const y = history.map((at) => at.layers[name]?.gradient ?? null);
    const tint = name === chosen ? "accent" : "line-2";
    return {
      name,
      x: steps,
      y,
      said: y.map((v, k) => `${name}, step ${count(steps[k])}: ${short(v, 3)}`),
      marks: steps.length < 12 ? "circle" : undefined,
      label: name.length > 20 ? `…${name.slice(-18)}` : name,
      short: name.length > 9 ? `…${name.slice(-8)}` : name,
      color: chosen ? tint : `run-${(i % 8) + 1}`,
      width: name === chosen ? 3 : 1.5,
      dash: ["solid", "dash", "dot", "dashdot"][i % 4],
    };
  });
}
