/** One unit: how its number is made, where it lies, and the way back to the pixels. */

/** @import { JsonNumber, LabImage, Network, Position, Row, State, Unit, UnitRef } from "./types.js" */
/** @import { Scene } from "./ledger.js" */
/** @import { Planes } from "./planes.js" */

import { WHOLE, isInside, limitOf } from "./ahead.js";
import { unit as explain } from "./api.js";
import { barcode } from "./barcode.js";
import { el, messageOf } from "./element.js";
import { replaceChildren } from "./focus.js";
import { lessonLinks } from "./lesson_links.js";
import { channelRows, peaksOf } from "./ledger.js";
import { belowPixel, belowUnit, isLive } from "./live.js";
import { figure } from "./matrix.js";
import { number, planes } from "./planes.js";
import { count, decimalsFor, fixed, signed, whole } from "./numbers.js";
import { lines, listedRows, pixelScreen } from "./others.js";
import { arrive, goOn, side, stop } from "./play.js";
import { LABELS, compared, heading, weighted } from "./unit_text.js";

export { stop };

const MORE = 8;
let kept = { of: "", opened: -1, more: 0 }; // what the person has opened of a layer, while the unit moves

/**
 * The screen of one unit, or of one pixel.
 * @param {Network} net @param {LabImage} image @param {State} state
 * @returns {Promise<Node[]>}
 */
export async function unitScreen(net, image, state) {
  const { place } = state;
  const row = place ? net.byName.get(place.layer) : undefined;
  if (!place || !row) return [el("p", { class: "note" }, `${net.title} has no layer called ${place?.layer}.`)];
  const wrong = outside(row, place);
  if (wrong) return [el("p", { class: "note" }, wrong)];
  arrive(place, row);
  if (row.op === "image")
    return [...(await pixelScreen(net, image, place)), below(() => belowPixel(net, image, row, place))];
  const of = `${net.id}/${row.name}`;
  if (kept.of !== of) kept = { of, opened: -1, more: 0 };
  const scene = await sceneOf(net, image, row, place);
  goOn(scene);
  return [
    heading(scene, lessonLinks(row)),
    el("div", { class: "unit" }, ledger(scene), side(scene)),
    below(() => belowUnit(scene)),
  ];
}

/** Stays while units change, so that nothing jumps. */
const panels = el("div", { class: "below" });
let turn = 0;

/**
 * What stands below comes once the unit is seen; what another unit has asked for meanwhile is dropped.
 * @param {() => Promise<Node[]>} read
 */
function below(read) {
  const mine = ++turn;
  const late = () => mine !== turn || !panels.isConnected;
  afterPaint(async () => {
    if (late()) return;
    const nodes = await read().catch((error) => [el("p", { class: "note", role: "alert" }, messageOf(error))]);
    if (!late()) replaceChildren(panels, ...nodes);
  });
  return panels;
}

/** @param {() => void} act */
const afterPaint = (act) => requestAnimationFrame(() => setTimeout(act));

/** @param {Row} row @param {Position} place */
function outside(row, { map, row: y, col }) {
  const [maps, high, wide] = row.shape;
  return isInside(row, { layer: row.name, map, row: y, col })
    ? ""
    : `${row.name} has ${count(maps)} maps of ${high}×${wide}, so there is no unit [${map},${y},${col}]. Indices ` +
        "start at 0.";
}

/**
 * The explanation, and the maps that it is about.
 * @param {Network} net @param {LabImage} image @param {Row} row @param {Position} place @returns {Promise<Scene>}
 */
async function sceneOf(net, image, row, place) {
  const limit = limitOf(net, row) + kept.more;
  const [answer, board] = await Promise.all([
    explain(net.id, image.id, row.name, [place.map, place.row, place.col], { channels: limit, skip: 0 }),
    planes(net, image.id, row, [place.map], WHOLE),
  ]);
  const unit = /** @type {Unit} */ (withNumbers(answer));
  const volumes = await operands(net, image, unit);
  const results = [unit.exact_value, unit.value, ...unit.steps.map((step) => step.value)].filter(
    (v) => Number.isFinite(v) && v,
  );
  const decimals = Math.min(6, Math.max(3, ...results.map((v) => decimalsFor([v], 3))));
  return {
    net,
    image,
    row,
    place,
    unit,
    volumes,
    board,
    decimals,
    peaks: peaksOf(unit, volumes.values()),
    read: () => undefined,
    opened: kept.opened,
    limit,
  };
}

const PLAIN = new Set([
  "row",
  "label",
  "text",
  "operation",
  "op",
  "kind",
  "decomposition",
  "formula",
  "substituted",
  "inputs",
  "weight_location",
  "source",
  "ends_at",
  "name",
]);

/**
 * What is no number came as a word: put the number back, everywhere but in texts.
 * @param {unknown} value @param {string} [key] @returns {unknown}
 */
function withNumbers(value, key = "") {
  if (PLAIN.has(key)) return value;
  if (Array.isArray(value)) return value.map((v) => withNumbers(v));
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withNumbers(v, k)]));
  return number(/** @type {JsonNumber} */ (value));
}

/**
 * The maps that the written-out operands lie in.
 * @param {Network} net @param {LabImage} image @param {Unit} unit @returns {Promise<Map<string, Planes>>}
 */
async function operands(net, image, unit) {
  const few = unit.terms.length <= 4 ? unit.terms.map((term) => term.location) : [];
  const spots = [...unit.parts, ...few].filter((spot) => spot !== null);
  /** @type {Map<string, Planes>} */
  const volumes = new Map();
  await Promise.all(
    [...new Set(spots.map((spot) => spot.row))].map(async (name) => {
      const row = net.byName.get(name);
      if (!row) return;
      const maps = new Set(spots.filter((spot) => spot.row === name).map((spot) => spot.map));
      const sorted = [...maps].sort((a, b) => a - b);
      volumes.set(name, await planes(net, image.id, row, sorted, WHOLE));
    }),
  );
  return volumes;
}

/** The table whose right-hand column adds up. @param {Scene} scene */
function ledger(scene) {
  const card = el("section", { class: "card ledger", "aria-label": "The arithmetic" });
  fill(card, scene);
  return card;
}

/** @param {HTMLElement} card @param {Scene} scene */
function fill(card, scene) {
  const { unit } = scene;
  const spoken = el(
    "p",
    { class: "spoken", "aria-live": "polite" },
    unit.count > 1 ? "Point at a cell to read it; choose an operand to step back." : "Choose the operand to step back.",
  );
  scene.read = (sentence) => spoken.replaceChildren(sentence);
  /** @param {number} channel */
  const open = (channel) => {
    kept.opened = channel;
    fill(card, { ...scene, opened: channel });
  };
  const more = async () => {
    kept.more += MORE;
    fill(card, await sceneOf(scene.net, scene.image, scene.row, scene.place));
  };
  const parts = [
    unit.count ? spoken : null,
    codes(scene),
    ...(unit.decomposition === "sum" && unit.op === "norm" ? lines(scene) : []),
    ...(unit.parts.length ? channelRows(scene, open) : listedRows(scene)),
    rest(scene, more),
    ...totals(scene),
    el("p", { class: "caption" }, compared(unit)),
  ];
  replaceChildren(card, ...parts.filter((part) => part !== null));
}

/** All sums or products in order, where not all of them are written out. @param {Scene} scene */
function codes(scene) {
  const { unit, read } = scene;
  if (unit.sums && unit.rest.count)
    return barcode(unit.sums, { noun: "channel", marks: unit.parts.map((part) => part.channel), read });
  if (!unit.bars || !unit.remaining.count) return null;
  return barcode(unit.bars, {
    noun: weighted(unit) ? "product" : "value",
    together: unit.bar_terms,
    marks: unit.terms.map((term) => order(scene, term.location)).filter((place) => place !== null),
    read,
  });
}

/**
 * Which of the products an operand is: the place in its volume, where all of one volume is read.
 * @param {Scene} scene @param {UnitRef | null} spot @returns {number | null}
 */
function order({ net, unit }, spot) {
  const shape = spot && net.byName.get(spot.row)?.shape;
  if (!shape || unit.inputs.length !== 1 || shape[0] * shape[1] * shape[2] !== unit.count) return null;
  return (spot.map * shape[1] + spot.y) * shape[2] + spot.x;
}

/** What is not written out is counted, added up and bounded. @param {Scene} scene @param {() => void} more */
function rest({ unit, decimals }, more) {
  const channels = unit.rest.count;
  const hidden = channels || unit.remaining.count;
  if (!hidden) return null;
  const known = channels && unit.rest.largest !== undefined;
  const bounded = known ? `none of them more than ${figure(unit.rest.largest, decimals)}; ` : "";
  const left = channels ? unit.rest.sum : unit.remaining.sum;
  const sum = unit.decomposition === "sum" ? left : null;
  return el(
    "div",
    { class: "total" },
    isLive
      ? el("button", { class: "pill unfold", "data-focus": "more", onclick: more }, others(unit, hidden))
      : el("span", {}, others(unit, hidden)),
    el(
      "span",
      { class: "caption" },
      bounded + (isLive ? `show ${Math.min(hidden, channels ? MORE : 2 * MORE)} more` : "together"),
    ),
    el("data", { title: sum === null ? null : whole(sum) }, sum === null ? "" : figure(sum, decimals, signed)),
  );
}

/** "508 other channels" @param {Unit} unit @param {number} hidden */
function others(unit, hidden) {
  let noun = weighted(unit) ? "product" : "value";
  if (unit.rest.count) noun = "channel";
  else if (unit.decomposition !== "sum") noun = "operand";
  return `${count(hidden)} other ${noun}${hidden > 1 ? "s" : ""}`;
}

/** Below the rule: the total, and what happens to it afterwards. @param {Scene} scene @returns {Node[]} */
function totals(scene) {
  const { unit, decimals } = scene;
  /**
   * @param {string} label
   * @param {string} text
   * @param {number} value
   * @param {string} [kind]
   * @param {(value: number, decimals: number) => string} [set]
   */
  const line = (label, text, value, kind = "", set = fixed) =>
    el(
      "div",
      { class: `total ${kind}` },
      el("span", {}, label),
      el("span", { class: "caption", style: { "overflow-wrap": "anywhere" } }, text),
      el("data", { title: whole(value) }, figure(value, decimals, set)),
    );
  const last = unit.steps.length ? "" : " result";
  const steps = unit.steps.map((step, place) =>
    line(step.label, step.text, step.value, place === unit.steps.length - 1 ? "result" : ""),
  );
  if (unit.decomposition === "unsupported")
    return [line("value", "as the network computed it", unit.model_value, `rule${last}`), ...steps];
  if (unit.decomposition !== "sum") {
    let text = "to the bit";
    if (unit.decomposition === "expression") text = unit.substituted || unit.formula;
    else if (unit.decomposition === "identity") text = unit.formula;
    return [...lines(scene), line(LABELS[unit.decomposition], text, unit.exact_value, `rule${last}`), ...steps];
  }
  let total = unit.divisor !== 1 && !weighted(unit) ? "mean" : "sum";
  if (unit.op === "mul" && !unit.bias) total = "product";
  const divided = unit.divisor !== 1 && !unit.parts.length ? `the sum ÷ ${whole(unit.divisor)}, ` : "";
  return [
    ...(unit.op === "norm" ? [] : lines(scene)),
    unit.bias === null ? null : line(unit.op === "norm" ? "shift" : "bias", "", unit.bias, "", signed),
    line(total, `${divided}exact, rounded once`, unit.exact_value, `rule${last}`),
    ...steps,
  ].filter((line) => line !== null);
}
