/** What is said of a unit in words: its value, how it is computed, and what the network itself computed. */

/** @import { Unit } from "./types.js" */
/** @import { Scene } from "./ledger.js" */

import { el } from "./element.js";
import { className, namesClasses } from "./maps_text.js";
import { bracketed, figure } from "./matrix.js";
import { spotName } from "./spots.js";
import { count, decimalsFor, signed, whole } from "./numbers.js";

/** @type {Record<string, string>} */
export const LABELS = {
  maximum: "largest",
  minimum: "smallest",
  identity: "value",
  expression: "result",
  unsupported: "value",
};

/** @param {Scene} scene @param {Node | null} more  below what is said */
export function heading(scene, more) {
  const { net, place, unit, row } = scene;
  const name = spotName(net, { row: row.name, map: place.map, y: place.row, x: place.col });
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
    el(
      "p",
      { class: "lead" },
      namesClasses(row, net) ? `For class ${className(row, net, place.map)}. ` : null,
      how(scene),
    ),
    more,
  );
}

/** The calculation in a sentence. @param {Scene} scene */
function how({ net, unit }) {
  const n = count(unit.count);
  const of = unit.inputs.join(" and ");
  const [first] = unit.terms;
  if (unit.decomposition === "maximum" || unit.decomposition === "minimum") {
    const ties = unit.ties.length ? ` ${unit.ties.length + 1} of them have it.` : "";
    return `The ${LABELS[unit.decomposition]} of ${n} values of ${of}.${ties}`;
  }
  if (unit.decomposition === "identity") {
    if (!first?.location)
      return first?.source ? `A copy of ${first.source}: nothing is computed.` : "A constant: nothing is computed.";
    const joined = unit.op === "concat" ? `; ${unit.inputs.length} volumes are stacked along the channels here` : "";
    return `A copy of ${spotName(net, first.location)}: nothing is computed${joined}.`;
  }
  if (first?.location && unit.kind === "softmax")
    return `e^${spotName(net, first.location)} divided by the sum of e^${of}[k] over all ${n} classes.`;
  if (first?.location && unit.kind === "sigmoid") return `1 ÷ (1 + e^−${spotName(net, first.location)}).`;
  if (unit.decomposition === "expression") return `${unit.kind.replaceAll("_", " ")}: ${unit.formula}`;
  if (unit.decomposition === "unsupported")
    return `${unit.kind.replaceAll("_", " ")} is an operation that convscope cannot explain; it reads ${of}.`;
  if (unit.op === "mul" && first?.weight_location)
    return `The product of two values: ${whole(first.value)} × ${bracketed(first.weight)}.`;
  if (unit.op === "norm" || unit.count === 1) return `${unit.formula}.`;
  if (unit.op === "add") return `The sum of ${n} values.`;
  if (unit.divisor !== 1 && !weighted(unit))
    return `The mean of ${n} values of ${of}: their sum ÷ ${whole(unit.divisor)}.`;
  const positive = `the positive ones add up to ${figure(unit.positive, 3, signed)}`;
  return `${factors(unit)}${n} ${weighted(unit) ? "products" : "values"}: ${positive}, the negative ones to ${figure(unit.negative, 3, signed)}.`;
}

/** @param {Unit} unit */
const factors = ({ sums, size, window: sides, count: n }) =>
  sums && size && sides && sums.length * size[0] * size[1] === n ? `${count(sums.length)} × ${sides.join("×")} = ` : "";

/** The network's own number beside the exact one. @param {Unit} unit */
export function compared(unit) {
  const { decomposition, difference, is_within_tolerance: agrees } = unit;
  const recorded = `The network computed ${whole(unit.model_value)}`;
  if (decomposition === "unsupported") {
    const kind = unit.kind.replaceAll("_", " ");
    return `convscope does not know what ${kind} does, so ${whole(unit.model_value)} is not explained.`;
  }
  if (difference === 0) return `${recorded}: the same.`;
  if (agrees && unit.rounding_bound === Infinity) return `${recorded}: a number left the range of its type.`;
  if (!Number.isFinite(difference))
    return `${recorded}${agrees ? ", as it must" : ", which is not what the calculation gives"}.`;
  const away = powers(difference);
  const allowed = powers(unit.rounding_bound);
  const why = agrees
    ? `the rounding of its arithmetic, which may be up to ${allowed}`
    : `more than rounding explains, which is at most ${allowed}`;
  const of = decomposition === "sum" && unit.steps.length ? " for the sum" : "";
  return `${recorded}${of}, ${away} away: ${why}.`;
}

/** @param {number} value */
const powers = (value) => Math.abs(value).toExponential(1).replaceAll("-", "−");

/** Does every operand have a weight of its own? @param {Unit} unit */
export const weighted = (unit) =>
  unit.parts.some((part) => part.filter) ||
  unit.terms.some((term) => term.weight !== 1 || term.weight_location !== null);
