/** One unit: how its number is made, where it lies, and the way back to the pixels. */

import { unit as explain } from "./api.js";
import { barcode } from "./barcode.js";
import { el } from "./element.js";
import { bracketed, channelRows, figure, peaksOf, spotName } from "./ledger.js";
import { number, planes } from "./maps.js";
import { count, decimalsFor, fixed, signed, whole } from "./numbers.js";
import { lines, listedRows, pixelScreen } from "./others.js";
import { arrive, goOn, side, stop } from "./play.js";

export { stop };

const FIRST = { one: 9, many: 4 }; // channels that are written out before the fold
const MORE = 8;
const WHOLE = 1_000_000; // values of an operand's volume up to which all of it is fetched
const LABELS = {
  maximum: "largest",
  minimum: "smallest",
  identity: "value",
  expression: "result",
  unsupported: "value",
};
let kept = { of: "", opened: -1, more: 0 }; // what the person has opened of a layer, while the unit moves

/**
 * The screen of one unit, or of one pixel.
 * @param {any} net @param {any} image @param {import("./state.js").State} state
 * @returns {Promise<Node[]>}
 */
export async function unitScreen(net, image, state) {
  const { place } = state;
  const row = net.byName.get(place.layer);
  const wrong = row ? outside(row, place) : `${net.title} has no layer called ${place.layer}.`;
  if (wrong) return [el("p", { class: "note" }, wrong)];
  arrive(place, row);
  if (row.op === "image") return pixelScreen(net, image, place);
  const of = `${net.id}/${row.name}`;
  if (kept.of !== of) kept = { of, opened: -1, more: 0 };
  const scene = await sceneOf(net, image, row, place);
  goOn(scene);
  return [heading(scene), el("div", { class: "unit" }, ledger(scene), side(scene))];
}

function outside(row, { map, row: y, col }) {
  const [maps, high, wide] = row.shape;
  const inside = [
    [map, maps],
    [y, high],
    [col, wide],
  ].every(([index, most]) => Number.isInteger(index) && index >= 0 && index < most);
  return inside
    ? ""
    : `${row.name} has ${count(maps)} maps of ${high}×${wide}, so there is no unit [${map},${y},${col}]. Indices start at 0.`;
}

/** The explanation, and the maps that it is about. */
async function sceneOf(net, image, row, place) {
  const limit = limitOf(net, row) + kept.more;
  const [answer, board] = await Promise.all([
    explain(net.id, image.id, row.name, [place.map, place.row, place.col], { channels: limit, skip: 0 }),
    planes(net, image.id, row, [place.map], WHOLE),
  ]);
  const unit = told(answer);
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

/** All channels where they are few; else so many of the largest that a screen holds them. */
function limitOf(net, row) {
  const most = row.kernel?.every((n) => n === 1) ? FIRST.one : FIRST.many;
  const channels = net.byName.get(row.inputs[0])?.shape[0] ?? most;
  return channels <= most + 2 ? channels : most;
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
  "name",
]);

/** What is no number came as a word: put the number back, everywhere but in texts. */
function told(value, key = "") {
  if (PLAIN.has(key)) return value;
  if (Array.isArray(value)) return value.map((v) => told(v));
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, told(v, k)]));
  return number(value);
}

/** The maps that the written-out operands lie in. @returns {Promise<Map<string, any>>} */
async function operands(net, image, unit) {
  const few = unit.terms.length <= 4 ? unit.terms.map((term) => term.location) : [];
  const spots = [...unit.parts, ...few].filter((spot) => spot?.row && net.byName.has(spot.row));
  const rows = [...new Set(spots.map((spot) => spot.row))];
  return new Map(
    await Promise.all(
      rows.map(async (name) => {
        const maps = [...new Set(spots.filter((spot) => spot.row === name).map((spot) => spot.map))].sort(
          (a, b) => a - b,
        );
        return [name, await planes(net, image.id, net.byName.get(name), maps, WHOLE)];
      }),
    ),
  );
}

function heading(scene) {
  const { net, place, unit, row } = scene;
  const name = spotName(net, { row: row.name, map: place.map, y: place.row, x: place.col });
  const last = ["dense", "softmax"].includes(row.op) && net.classes?.length === row.shape[0] && row.shape[1] === 1;
  const decimals = Math.min(6, Math.max(4, decimalsFor([unit.value], 4)));
  return el(
    "div",
    {},
    el(
      "h2",
      { style: { "overflow-wrap": "anywhere" } },
      `${name} = `,
      el("span", { class: "result", title: whole(unit.value) }, figure(unit.value, decimals)),
    ),
    el("p", { class: "lead" }, last ? `For class ${net.classes[place.map]}. ` : null, how(scene)),
  );
}

/** The calculation in a sentence. */
function how({ net, unit }) {
  const n = count(unit.count);
  const of = unit.inputs.join(" and ");
  const [first] = unit.terms;
  if (unit.decomposition === "maximum" || unit.decomposition === "minimum") {
    const ties = unit.ties.length ? ` ${unit.ties.length + 1} of them have it.` : "";
    return `The ${LABELS[unit.decomposition]} of ${n} values of ${of}.${ties}`;
  }
  if (unit.decomposition === "identity")
    return first?.location
      ? `A copy of ${spotName(net, first.location)}: nothing is computed${unit.op === "concat" ? `; ${unit.inputs.length} volumes lie behind each other here` : ""}.`
      : "A constant: nothing is computed.";
  if (unit.decomposition === "expression") return `${unit.kind.replaceAll("_", " ")}: ${unit.formula}`;
  if (unit.decomposition === "unsupported")
    return `${unit.kind.replaceAll("_", " ")} is an operation that convscope does not know; it reads ${of}.`;
  if (unit.op === "mul" && first?.weight_location)
    return `The product of two values: ${whole(first.value)} × ${bracketed(first.weight)}.`;
  if (unit.op === "norm" || unit.count === 1) return `${unit.formula}.`;
  if (unit.op === "add") return `The sum of ${n} values.`;
  if (unit.divisor !== 1 && !weighted(unit))
    return `The mean of ${n} values of ${of}: their sum ÷ ${whole(unit.divisor)}.`;
  return `${factors(unit)}${n} products: the positive ones add up to ${figure(unit.positive, 3, signed)}, the negative ones to ${figure(unit.negative, 3, signed)}.`;
}

const factors = ({ sums, size, count: n }) =>
  sums && size && sums.length * size[0] * size[1] === n ? `${count(sums.length)} × ${size.join("×")} = ` : "";

/** The table whose right-hand column adds up. */
function ledger(scene) {
  const { unit } = scene;
  const spoken = el(
    "p",
    { class: "spoken", "aria-live": "polite" },
    unit.count > 1 ? "Point at a cell to read it; choose an operand to step back." : "Choose the operand to step back.",
  );
  scene.read = (sentence) => spoken.replaceChildren(sentence);
  const card = el("section", { class: "card ledger", "aria-label": "The arithmetic" });
  const again = async (change, selector) => {
    kept = { ...kept, ...change };
    const next = change.more ? await sceneOf(scene.net, scene.image, scene.row, scene.place) : { ...scene, ...change };
    const fresh = ledger(next);
    card.replaceWith(fresh);
    fresh.querySelector(selector)?.focus({ preventScroll: true });
  };
  const open = (channel) => again({ opened: channel }, `.from[aria-label^="Channel ${channel},"]`);
  card.append(
    ...[
      unit.count ? spoken : null,
      codes(scene),
      ...(unit.decomposition === "sum" && unit.op === "norm" ? lines(scene) : []),
      ...(unit.parts.length ? channelRows(scene, open) : listedRows(scene)),
      rest(scene, () => again({ more: kept.more + MORE }, ".unfold")),
      ...totals(scene),
      el("p", { class: "caption" }, compared(unit)),
    ].filter(Boolean),
  );
  return card;
}

/** All sums or products in order, where not all of them are written out. */
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

const weighted = (unit) =>
  unit.parts.some((part) => part.filter) || unit.terms.some((term) => term.weight !== 1 || term.weight_location);

/** Which of the products an operand is: the place in its volume, where all of one volume is read. */
function order({ net, unit }, spot) {
  const shape = net.byName.get(spot?.row)?.shape;
  if (!shape || unit.inputs.length !== 1 || shape[0] * shape[1] * shape[2] !== unit.count) return null;
  return (spot.map * shape[1] + spot.y) * shape[2] + spot.x;
}

/** What is not written out is counted, added up and bounded. */
function rest({ unit, decimals }, more) {
  const channels = unit.rest.count;
  const hidden = channels || unit.remaining.count;
  if (!hidden) return null;
  const noun = channels ? "channel" : unit.decomposition !== "sum" ? "operand" : weighted(unit) ? "product" : "value";
  const name = `${count(hidden)} other ${noun}${hidden > 1 ? "s" : ""}`;
  const bounded =
    channels && unit.rest.largest !== undefined
      ? `none of them more than ${figure(unit.rest.largest, decimals)}; `
      : "";
  const sum = unit.decomposition !== "sum" ? null : channels ? unit.rest.sum : unit.remaining.sum;
  return el(
    "div",
    { class: "total" },
    el("button", { class: "pill unfold", onclick: more }, name),
    el("span", { class: "caption" }, `${bounded}show ${Math.min(hidden, channels ? MORE : 2 * MORE)} more`),
    el("data", { title: sum === null ? null : whole(sum) }, sum === null ? "" : figure(sum, decimals, signed)),
  );
}

/** Below the rule: the total, and what happens to it afterwards. */
function totals(scene) {
  const { unit, decimals } = scene;
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
    return [line("value", "as the network recorded it", unit.model_value, `rule${last}`), ...steps];
  if (unit.decomposition !== "sum") {
    const text =
      unit.decomposition === "expression"
        ? unit.substituted || unit.formula
        : unit.decomposition === "identity"
          ? unit.formula
          : "to the bit";
    return [...lines(scene), line(LABELS[unit.decomposition], text, unit.exact_value, `rule${last}`), ...steps];
  }
  const total = unit.op === "mul" && !unit.bias ? "product" : unit.divisor !== 1 && !weighted(unit) ? "mean" : "sum";
  const divided = unit.divisor !== 1 && !unit.parts.length ? `the sum ÷ ${whole(unit.divisor)}, ` : "";
  return [
    ...(unit.op === "norm" ? [] : lines(scene)),
    unit.bias === null ? null : line(unit.op === "norm" ? "shift" : "bias", "", unit.bias, "", signed),
    line(total, `${divided}exact, rounded once`, unit.exact_value, `rule${last}`),
    ...steps,
  ].filter(Boolean);
}

/** The network's own number beside the exact one. */
function compared({
  decomposition,
  model_value: recorded,
  difference,
  tolerance,
  is_within_tolerance: agrees,
  kind,
  steps: { length: after },
}) {
  const away = Math.abs(difference).toExponential(1).replaceAll("-", "−");
  const allowed = Math.abs(tolerance).toExponential(1).replaceAll("-", "−");
  if (decomposition === "unsupported")
    return `What ${kind.replaceAll("_", " ")} does is not known here, so ${whole(recorded)} is not explained.`;
  if (difference === 0) return `The network recorded ${whole(recorded)}: the same.`;
  if (!Number.isFinite(difference))
    return `The network recorded ${whole(recorded)}${agrees ? ", as it must be" : ", which is not what the calculation gives"}.`;
  const why = agrees
    ? `the rounding of its arithmetic, which may be up to ${allowed}`
    : `more than its rounding explains, which is at most ${allowed}`;
  return `The network recorded ${whole(recorded)}${decomposition === "sum" && after ? " for the sum" : ""}, ${away} away: ${why}.`;
}
