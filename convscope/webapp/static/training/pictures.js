/** What a training shows in pictures: filters as they form, the most wrong images, the batch as the network sees it. */

/** @import { Child, FilterSnapshots, LayerStats, WrongImages } from "../types.js" */

import { ask, give, post } from "../api.js";
import { peakOf } from "../color.js";
import { el, messageOf, write } from "../element.js";
import { count } from "../numbers.js";
import { travel } from "../state.js";
import { filterSheet, photo } from "./canvas.js";
import { exactly, short } from "./words.js";

/**
 * The size of images that lie one behind the other.
 * @typedef {{count: number, height: number, width: number, channels: number}} Tiles
 */

const code = encodeURIComponent;

/**
 * One request at a time, and never in a hidden tab; what came in between is asked for once afterwards.
 * @param {() => Promise<void>} read
 */
export function latest(read) {
  let busy = false;
  let again = false;
  let ended = false;
  async function ask() {
    if (ended) return;
    if (busy || document.hidden) return void (again = true);
    [busy, again] = [true, false];
    try {
      await read();
    } catch {
      // What was shown last stays; the next sign brings newer.
    }
    busy = false;
    if (again) ask();
  }
  const seen = () => !document.hidden && again && ask();
  document.addEventListener("visibilitychange", seen);
  return {
    ask,
    stop: () => {
      ended = true;
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

/**
 * Facts and the bytes that belong to them; null where they are of different moments.
 * @template Facts
 * @param {string} run @param {string} name @param {string} bytes @param {(facts: Facts) => number} size
 */
async function pair(run, name, bytes, size) {
  const path = `/runs/${code(run)}`;
  /** @type {Facts} */
  const facts = await (await ask(`${path}/${name}`, { cache: "no-store" })).json();
  const data = await (await ask(`${path}/${bytes}`, { cache: "no-store" })).arrayBuffer();
  return data.byteLength === size(facts) ? { facts, data } : null;
}

/** @param {string} title @param {...Child} children */
const section = (title, ...children) =>
  el("section", { class: "card", hidden: true }, el("h3", {}, title), ...children);

/** @param {string} run */
export function filters(run) {
  const row = el("div", { class: "forming" });
  const note = el("p", { class: "caption" });
  const element = section("First-layer filters as they form", row, note);
  let held = /** @type {(FilterSnapshots & {weights: Float32Array}) | null} */ (null);
  function draw() {
    if (!held) return;
    const { steps, shape, weights, layer } = held;
    const each = shape.reduce((a, b) => a * b, 1);
    const peak = peakOf(weights);
    const side = Math.min(300, Math.max(132, 8 * shape[3] * Math.ceil(Math.sqrt(shape[0]))));
    row.replaceChildren(
      ...steps.map((step, i) =>
        el(
          "figure",
          {},
          filterSheet(weights.subarray(i * each, (i + 1) * each), shape, peak, side),
          el("figcaption", { class: "caption" }, `step ${count(step)}`),
        ),
      ),
    );
    const scale = shape[1] === 3 ? "Red, green and blue weights as colors; gray is 0" : "Orange below 0, blue above";
    write(
      note,
      `${count(shape[0])} filters of ${layer}, ${shape.slice(1).join("×")}. ${scale}, the darkest ` +
        `±${short(peak, 3)}, one scale for all steps.`,
    );
    element.hidden = false;
  }
  const reader = latest(async () => {
    const found = await pair(
      run,
      "filters",
      "filters.bin",
      (/** @type {FilterSnapshots} */ { steps, shape }) => 4 * steps.length * shape.reduce((a, b) => a * b, 1),
    );
    if (!found) return;
    held = { ...found.facts, weights: new Float32Array(found.data) };
    draw();
  });
  return { element, ask: reader.ask, again: draw, stop: reader.stop };
}

/** @param {Tiles} facts */
const tiles = (facts) => facts.count * facts.height * facts.width * facts.channels;
/** @param {Tiles} facts @param {ArrayBuffer} data @param {number} i */
const tile = (facts, data, i) =>
  photo(
    new Uint8Array(data).subarray(i * facts.height * facts.width * facts.channels),
    facts.height,
    facts.width,
    facts.channels,
  );

/**
 * A picture that opens in Look inside, in the network with its best weights so far: what the tile shows is what the
 * network reads.
 * @param {string} run @param {string} title @param {HTMLCanvasElement} tile
 */
function opening(run, title, tile) {
  const act = async () => {
    button.setAttribute("aria-busy", "true");
    try {
      const { network } = await post(`/runs/${code(run)}/open`, {});
      /** @type {Blob | null} */
      const image = await new Promise((done) => tile.toBlob(done));
      if (image) travel(`/look/${code(network)}/${(await give(network, title, image)).id}`);
    } catch (error) {
      button.after(el("p", { class: "note", role: "alert" }, messageOf(error)));
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
  const label = `${title}. Look inside.`;
  /** @type {HTMLButtonElement} */
  const button = el("button", { class: "opening", title: "Look inside", "aria-label": label, onclick: act }, tile);
  return button;
}

/** @param {string} run */
export function wrong(run) {
  const row = el("div", { class: "wrong" });
  const note = el("p", { class: "caption" });
  const element = section("Highest losses", row, note);
  const reader = latest(async () => {
    const found = await pair(run, "wrong", "wrong.bin", (/** @type {WrongImages} */ facts) => tiles(facts));
    if (!found) return;
    const { facts, data } = found;
    row.replaceChildren(
      ...facts.images.map((one, i) =>
        el(
          "figure",
          { title: `${one.name}: loss ${short(one.loss, 3)}` },
          opening(run, `${one.name}, true ${one.is}`, tile(facts, data, i)),
          el(
            "figcaption",
            { class: "caption" },
            el("b", {}, `true ${one.is}`),
            ` predicted ${one.said} (${exactly(one.probability)})`,
          ),
        ),
      ),
    );
    write(note, `The validation images with the largest loss after epoch ${count(facts.epoch)}.`);
    element.hidden = !facts.images.length;
  });
  return { element, ask: reader.ask, again: () => {}, stop: reader.stop };
}

/** The batch, drawn for facts that were read already. @param {string} run */
export function batch(run) {
  const row = el("div", { class: "wrong many" });
  const note = el("p", { class: "caption" });
  const element = section("The batch as the network sees it", row, note);
  /** @type {LayerStats | null} */
  let wanted = null;
  const reader = latest(async () => {
    if (!wanted) return;
    const facts = { ...wanted.batch, labels: wanted.labels, step: wanted.step };
    const data = await (await ask(`/runs/${code(run)}/batch.bin`, { cache: "no-store" })).arrayBuffer();
    if (data.byteLength !== tiles(facts)) return;
    row.replaceChildren(
      ...Array.from({ length: facts.count }, (_, i) =>
        el(
          "figure",
          {},
          opening(run, `image ${i} of step ${count(facts.step)}, ${facts.labels[i] ?? ""}`, tile(facts, data, i)),
          el("figcaption", { class: "caption" }, facts.labels[i] ?? ""),
        ),
      ),
    );
    write(note, `Images of step ${count(facts.step)} after augmentation, before normalization.`);
    element.hidden = !facts.count;
  });
  return {
    element,
    ask: (/** @type {LayerStats} */ look) => {
      wanted = look;
      reader.ask();
    },
    again: () => {},
    stop: reader.stop,
  };
}
