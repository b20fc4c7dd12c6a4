/** The weights of the open unit: one is chosen, and moved with a slider. */

/** @import { Part, Unit } from "../types.js" */
/** @import { Scene } from "./card.js" */

import { cell, peakOf } from "../color.js";
import { el, write } from "../element.js";
import { inCell } from "../matrix.js";
import { spotName } from "../spots.js";
import { whole } from "../numbers.js";

const LARGEST = 11; // sides of a filter that is drawn

/** The weight that was chosen last, as long as the unit has it. */
let chosen = "";

/**
 * @param {Scene} scene @param {string} filter  the name of the filters; "" where the layer has none
 * @returns {HTMLElement | null}
 */
export function weightPart(scene, filter) {
  const { unit } = scene;
  if (!unit) return null;
  const several = unit.parts.length ? ofFilter(scene, unit, filter) : ofTerms(scene, unit);
  if (!several.length) return null;
  const largest = several.reduce((best, one) => (one.size > best.size ? one : best));
  const first = several.find(({ name }) => name === chosen) ?? largest;
  const holder = el("div", { class: "one-weight" });
  const peak = peakOf(several.map(({ value }) => value)) || 1;
  /** @param {{name: string}} one */
  const choose = ({ name }) => {
    const weight = several.find((one) => one.name === name) ?? largest;
    chosen = weight.name;
    holder.replaceChildren(
      ...(unit.parts.length
        ? grid(unit, shown(scene, several), weight.name, peak, choose)
        : list(several, weight, choose)),
      slider(scene, weight, peak, (value) => {
        const cellNode = holder.querySelector(".cell.lit");
        if (cellNode instanceof HTMLElement) paint(cellNode, value, peak);
      }),
    );
  };
  choose(first);
  return el("div", {}, el("h4", {}, "A weight"), holder);
}

/**
 * A weight of the unit: what its part of the sum is called, and how much it adds.
 * @typedef {{name: string, value: number, size: number, channel: number, from: string}} Weight
 */

/** With the values that are supposed. @param {Scene} scene @param {Weight[]} several */
const shown = ({ supposed }, several) =>
  several.map((one) => ({ ...one, value: supposed.weights.get(one.name) ?? one.value }));

/** @param {HTMLElement} node @param {number} value @param {number} peak */
function paint(node, value, peak) {
  write(node, inCell(value, peak, 2));
  if (Number.isFinite(value)) Object.assign(node.style, cell(value, peak));
}

/** @param {Scene} scene @param {Unit} unit @param {string} filter @returns {Weight[]} */
function ofFilter({ place }, unit, filter) {
  if (!filter || unit.kind !== "conv2d") return [];
  return unit.parts.flatMap((part) =>
    (part.filter ?? []).flatMap((row, y) =>
      row.map((value, x) => ({
        name: `${filter}[${place.map},${part.channel},${y},${x}]`,
        value,
        size: Math.abs(part.products[y][x]),
        channel: part.channel,
        from: nameOf(part),
      })),
    ),
  );
}

/** @param {Part} part */
const nameOf = ({ row, map, channel }) => (row ? `${row}[${map}]` : `channel ${channel}`);

/** @param {Scene} scene @param {Unit} unit @returns {Weight[]} */
function ofTerms({ net }, unit) {
  return unit.terms.flatMap(({ weight, product, location, weight_location: name, weight_spot: computed }) =>
    name && !computed
      ? [{ name, value: weight, size: Math.abs(product), channel: 0, from: location ? spotName(net, location) : "" }]
      : [],
  );
}

/**
 * The filter of one input channel, and the others to choose from.
 * @param {Unit} unit @param {Weight[]} several @param {string} name  of the chosen one @param {number} peak
 * @param {(weight: Weight) => void} choose
 */
function grid(unit, several, name, peak, choose) {
  const current = several.find((one) => one.name === name) ?? several[0];
  const [high, wide] = unit.size ?? [1, 1];
  if (high > LARGEST || wide > LARGEST || high * wide === 1) return list(several, current, choose);
  const channels = [...new Map(several.map((one) => [one.channel, one.from]))];
  const here = several.filter(({ channel }) => channel === current.channel);
  /** @param {number} channel */
  const to = (channel) => {
    const place = here.indexOf(current);
    const there = several.filter((one) => one.channel === channel);
    choose(there[place]);
  };
  return [
    channels.length > 1
      ? el(
          "select",
          {
            class: "pill",
            "aria-label": "Input channel",
            onchange: (/** @type {any} */ event) => to(Number(event.target.value)),
          },
          ...channels.map(([channel, from]) =>
            el("option", { value: channel, selected: channel === current.channel }, `for ${from}`),
          ),
        )
      : null,
    el(
      "div",
      { class: "matrix figures", style: { "--n": wide }, role: "group", "aria-label": "The filter" },
      ...here.map((one) =>
        el(
          "button",
          {
            class: `cell ${one === current ? "lit" : ""}`,
            "aria-pressed": String(one === current),
            "aria-label": `${inCell(one.value, peak, 2)}, ${one.name}`,
            style: Number.isFinite(one.value) ? cell(one.value, peak) : {},
            onclick: () => choose(one),
          },
          inCell(one.value, peak, 2),
        ),
      ),
    ),
  ].filter((node) => node !== null);
}

/** @param {Weight[]} several @param {Weight} current @param {(weight: Weight) => void} choose */
const list = (several, current, choose) => [
  el(
    "select",
    {
      class: "pill",
      "aria-label": "Which weight",
      onchange: (/** @type {any} */ event) => choose(several[event.target.selectedIndex]),
    },
    ...several.map((one) =>
      el("option", { selected: one === current }, `${one.name}${one.from ? `, for ${one.from}` : ""}`),
    ),
  ),
];

/** @param {Scene} scene @param {Weight} weight @param {number} peak @param {(value: number) => void} moved */
function slider({ supposed, changed }, { name, value: own }, peak, moved) {
  const most = Math.max(1, 2 * peak, Math.abs(own));
  const value = supposed.weights.get(name) ?? own;
  /** @param {number} to */
  const set = (to) => {
    if (!Number.isFinite(to)) return;
    if (to === own) supposed.weights.delete(name);
    else supposed.weights.set(name, to);
    moved(to);
    changed();
  };
  const range = el("input", {
    type: "range",
    min: -most,
    max: most,
    step: most / 100,
    value,
    "aria-label": `Value of ${name}`,
    oninput: () => {
      exact.value = String(Number(range.valueAsNumber.toPrecision(4)));
      set(Number(exact.value));
    },
  });
  const exact = el("input", {
    type: "number",
    class: "pill",
    step: "any",
    value: Number(value.toPrecision(7)),
    "aria-label": `Exact value of ${name}`,
    onchange: () => {
      range.value = exact.value;
      set(exact.valueAsNumber);
    },
  });
  return el(
    "div",
    { class: "slide-one" },
    el("span", { class: "caption" }, `${name}, in the network ${whole(own)}`),
    range,
    exact,
  );
}
