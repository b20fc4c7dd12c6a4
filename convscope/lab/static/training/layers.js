/**
 * Activations and gradients, layer by layer: what stands out in words, a table, the history of the gradients.
 *
 * @typedef {{name: string, kind: string, shape: number[], activation: {mean: number | null, std: number | null, zeros: number | null, largest: number | null},
 *   gradient: number | null, weight: number | null, update: number | null}} Layer
 * @typedef {{step: number, layers: Layer[], history: {step: number, layers: Record<string, {gradient: number | null, std: number | null, zeros: number | null}>}[]}} Look
 */

import { ask } from "../api.js";
import { chart } from "../chart.js";
import { el } from "../element.js";
import { count, several, volume } from "../numbers.js";
import { latest } from "./pictures.js";
import { onAxis, short } from "./words.js";

const MANY = 0.5,
  DEAD = 0.9; // shares of activations that are 0
const FAINT = 1000; // times smaller than the largest gradient of a layer
const HARD = 0.1; // a step's change, as a share of the weights
const LINES = 8,
  ROWS = 16,
  TOLD = 6;

/**
 * @param {string} run
 * @param {{chosen: () => string, choose: (name: string) => void, whole: () => boolean, setWhole: (all: boolean) => void}} state
 * @param {(look: any) => void} looked  told of each look
 */
export function layers(run, state, looked) {
  const told = el("ul", { class: "told" }),
    body = el("div", {
      class: "scroll",
      tabindex: 0,
      role: "region",
      "aria-label": "Table of activations and gradients",
    });
  const more = el("button", { class: "pill" });
  const note = el("p", { class: "caption" });
  const history = chart(
    "Gradients over the steps",
    { across: "steps", text: onAxis, log: true, height: 260, empty: "The first look comes within a few seconds." },
    {
      note: "Root mean square of each layer's gradient, on a logarithmic axis. A layer's name in the table chooses its line.",
    },
  );
  const element = el(
    "section",
    { class: "card layers", hidden: true },
    el("h3", {}, "Activations and gradients, layer by layer"),
    told,
    el("div", { class: "pairs" }, el("div", {}, body, el("div", { class: "row" }, more, note)), history.element),
  );
  let look = /** @type {Look | null} */ (null);
  more.addEventListener("click", () => {
    state.setWhole(!state.whole());
    draw();
  });

  function draw() {
    if (!look) return;
    element.hidden = false;
    const sentences = remarks(look.layers);
    told.replaceChildren(...sentences.map((text) => el("li", {}, text)));
    const learned = look.layers.filter((layer) => layer.weight !== null || layer.gradient !== null);
    const listed = state.whole() ? look.layers : learned.slice(0, ROWS);
    const top = body.scrollTop;
    const had = document.activeElement?.getAttribute("data-layer");
    body.replaceChildren(
      table(listed, look.layers, state.chosen(), (name) => {
        state.choose(name === state.chosen() ? "" : name);
        draw();
      }),
    );
    body.scrollTop = top;
    if (had)
      /** @type {HTMLElement | null} */ (body.querySelector(`[data-layer="${CSS.escape(had)}"]`))?.focus({
        preventScroll: true,
      });
    more.hidden = look.layers.length === learned.length && learned.length <= ROWS;
    more.textContent = state.whole()
      ? "Show the layers with weights"
      : `Show all ${several(look.layers.length, "layer")}`;
    note.textContent = `At step ${count(look.step)}, over at most 32 images of the batch.`;
    history.draw(lines(look, learned, state.chosen()));
  }

  const reader = latest(async () => {
    look = await (await ask(`/runs/${encodeURIComponent(run)}/look`, { cache: "no-store" })).json();
    draw();
    looked(look);
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

/** What stands out, most pressing first. @param {Layer[]} all */
export function remarks(all) {
  const learned = all.filter((layer) => layer.weight !== null);
  const largest = learned.reduce(
    (most, layer) =>
      layer.gradient !== null && layer.gradient > most.gradient ? { name: layer.name, gradient: layer.gradient } : most,
    { name: "", gradient: 0 },
  );
  const faint = learned.filter((layer) => layer.gradient && layer.gradient * FAINT < largest.gradient);
  const found = [
    ...learned
      .filter((layer) => layer.gradient === 0)
      .map((layer) => `${layer.name}: no gradient reaches it; it does not learn.`),
    ...faint.map(
      (layer) =>
        `${layer.name}: its gradient is ${times(largest.gradient / layer.gradient)} times smaller than that of ${largest.name}; it vanishes on the way.`,
    ),
    ...learned
      .filter((layer) => layer.update !== null && layer.update > HARD)
      .map(
        (layer) =>
          `${layer.name}: a step changes its weights by ${share(layer.update)} of their size; a smaller learning rate may be better.`,
      ),
    ...all
      .filter((layer) => (layer.activation.zeros ?? 0) >= DEAD)
      .map(
        (layer) =>
          `${layer.name}: ${share(layer.activation.zeros)} of its activations are 0; most of its units say nothing.`,
      ),
    ...all
      .filter((layer) => (layer.activation.zeros ?? 0) >= MANY && (layer.activation.zeros ?? 0) < DEAD)
      .map((layer) => `${layer.name}: ${share(layer.activation.zeros)} of its activations are 0.`),
  ];
  if (!found.length) return ["Nothing stands out: no layer is dead, no gradient vanishes."];
  return found.length > TOLD
    ? [
        ...found.slice(0, TOLD - 1),
        `${several(found.length - TOLD + 1, "remark")} of the same kinds on other layers; the table has them.`,
      ]
    : found;
}

const times = (ratio) => count(Number(ratio.toPrecision(2)));
const share = (part) => (part === 1 ? "100%" : `${Math.min(99, Math.round(100 * part))}%`);

/** The largest and the smallest of a column above zero: what its bars run between. */
function scale(all, get) {
  const known = all.map(get).filter((v) => v !== null && v > 0);
  return [known.reduce((a, b) => Math.min(a, b), Infinity), known.reduce((a, b) => Math.max(a, b), 0)];
}

/** A figure with a bar on a logarithmic scale. */
function barred(value, [low, high]) {
  const part = value && value > 0 ? 0.06 + 0.94 * (high > low ? Math.log(value / low) / Math.log(high / low) : 1) : 0;
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

function table(listed, all, chosen, choose) {
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
                "data-layer": layer.name,
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

/** At most eight lines: the chosen layer, and others spread evenly from the first to the last. */
function lines({ history }, learned, chosen) {
  const n = Math.min(LINES, learned.length);
  const spread = Array.from(
    { length: n },
    (_, i) => learned[Math.round((i * (learned.length - 1)) / Math.max(1, n - 1))],
  );
  const drawn = learned.filter((layer) => layer.name === chosen || spread.includes(layer));
  const steps = history.map(({ step }) => step);
  return drawn.map(({ name }, i) => {
    const y = history.map((at) => at.layers[name]?.gradient ?? null);
    return {
      name,
      x: steps,
      y,
      said: y.map((v, k) => `${name}, step ${count(steps[k])}: ${short(v, 3)}`),
      marks: steps.length < 12 ? "circle" : undefined,
      label: name.length > 20 ? `…${name.slice(-18)}` : name,
      short: name.length > 9 ? `…${name.slice(-8)}` : name,
      color: chosen ? (name === chosen ? "accent" : "line-2") : `run-${(i % 8) + 1}`,
      width: name === chosen ? 3 : 1.5,
      dash: ["solid", "dash", "dot", "dashdot"][i % 4],
    };
  });
}
