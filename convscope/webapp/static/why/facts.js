/** Beside the heat map: how much of the answer it explains, how far it can be trusted, and its parts. */

/** @import { Computed, LabImage, Network, WhyCurve, WhyRegion, WhyResult } from "../types.js" */

import { el, svg } from "../element.js";
import { figure } from "../matrix.js";
import { spotName } from "../spots.js";
import { count, decimalsFor, fixed, percent, signed, whole, wrapped } from "../numbers.js";
import { ofOneLogit } from "../picture.js";
import { number } from "../planes.js";
import { go } from "../state.js";
import { sigmoid, weightsOf } from "./one_logit.js";

const REGIONS = 4; // of each sign that are listed
const SURE = 0.9; // of the random orders, that a map should beat
const SENSITIVE = 0.7; // rank correlation from which on a map hardly depends on the weights

/** @param {string} title @param {...(Node | string | null)} children */
const card = (title, ...children) =>
  el("section", { class: "card why-card" }, el("h3", {}, title), ...children.filter((child) => child !== null));

/** A line of a sum. @param {string} name @param {string} note @param {number} value @param {number} decimals @param {string} [kind] */
const line = (name, note, value, decimals, kind = "") =>
  el(
    "div",
    { class: `total ${kind}` },
    el("span", { class: "cut" }, name),
    el("span", { class: "caption" }, note),
    el("data", { title: whole(value) }, figure(value, decimals, kind.includes("rule") ? fixed : signed)),
  );

/**
 * How the score is divided, as a sum that adds up; or that this method does not divide it.
 * @param {WhyResult} result @param {() => void} divide  choose a method that does
 */
export function explained(result, divide) {
  const title = "How much of the answer this explains";
  const { shares } = result;
  if (!shares) {
    const where = result.signed
      ? "Its values do not add up to the score."
      : "It shows where, not how much: its values do not add up to the score.";
    return card(
      title,
      el("p", {}, where),
      el("button", { class: "pill", onclick: divide }, "Divide the score: HiResCAM"),
      kept(result),
    );
  }
  const others = Object.entries(shares.others);
  const decimals = Math.min(6, Math.max(3, decimalsFor([shares.score, shares.map, ...others.map(([, v]) => v)], 4)));
  const share = result.fraction === null ? "" : `${percentOf(result.fraction)} of it`;
  return card(
    title,
    el(
      "div",
      {},
      line("the map", share, shares.map, decimals),
      ...others.map(([name, value]) => line(name, MEANINGS[name] ?? "", value, decimals)),
      line("rest", shares.is_exact ? "rounding" : "what the method leaves", shares.rest, decimals),
      line(result.score_name, "the sum, as the network computed it", shares.score, decimals, "rule"),
    ),
    kept(result),
  );
}

/** @type {Record<string, string>} */
const MEANINGS = {
  biases: "belong to no place of the image",
  "curved functions": "tanh and the like, taken for linear at this image",
  "ways around the layer": "paths that skip it",
  "the baseline": "what the score is without the image",
};

/** @param {number} share */
const percentOf = (share) => `${fixed(100 * share, Math.abs(share) < 0.1 ? 1 : 0)}%`;

/** What the most important fifth does by itself. @param {WhyResult} result */
function kept({ faithfulness, probability_name: name }) {
  if (!faithfulness) return null;
  const top = `${Math.round(100 * faithfulness.top)}%`;
  /** @type {[string, number][]} */
  const bars = [
    [`${name} as it is`, faithfulness.deletion.probabilities[0]],
    [`without the top ${top} of the map`, faithfulness.without_top],
    [`the top ${top} alone, on the blurred image`, faithfulness.only_top],
  ];
  return el(
    "ul",
    { class: "kept" },
    ...bars.map(([text, p], i) =>
      el(
        "li",
        { class: i ? null : "first" },
        el("span", { class: "cut" }, text),
        el("div", { class: "track" }, el("div", { class: "fill", style: { transform: `scaleX(${p})` } })),
        el("data", {}, percent(p)),
      ),
    ),
  );
}

/**
 * Deletion, insertion and random weights; how far the tests are while they run.
 * @param {WhyResult} result @param {Computed | null} now
 */
export function trust(result, now) {
  const { faithfulness, random_weights: weights, is_tested: done } = result;
  if (!faithfulness) {
    const ended = done && result.problem ? "Not tested: there is nothing to test." : "";
    return card(
      "How far to trust it",
      el("p", { class: "caption" }, ended || (now ? "Being tested…" : "The tests were stopped.")),
    );
  }
  return card(
    "How far to trust it",
    el(
      "div",
      { class: "curves" },
      curve(
        "Deletion",
        "cells are taken away, the largest first: the probability should fall fast",
        faithfulness.deletion,
      ),
      curve("Insertion", "they appear on the blurred image: it should rise fast", faithfulness.insertion),
    ),
    weights ? randomized(weights) : null,
  );
}

/** @param {string} name @param {string} meaning @param {WhyCurve} found */
function curve(name, meaning, found) {
  const [wide, high] = [160, 90];
  /** @param {number} f @param {number} p */
  const at = (f, p) => `${(4 + f * (wide - 8)).toFixed(1)},${(high - 4 - p * (high - 8)).toFixed(1)}`;
  const points = found.fractions.map((f, i) => at(f, found.probabilities[i]));
  const filled = [at(0, 0), ...points, at(1, 0)].join(" ");
  const better = found.better_than_random;
  const verdict = `better than ${better} of ${found.random_orders} random orders`;
  const area = `area ${fixed(found.area, 3)}; random order ${fixed(found.random_area, 3)}`;
  const [low, up] = found.random_interval;
  return el(
    "figure",
    {},
    el("figcaption", {}, el("b", {}, name)),
    svg(
      "svg",
      { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `${name}: ${area}; ${verdict}` },
      svg("polygon", { class: "area", points: filled }),
      svg("polyline", { class: "curve", points: points.join(" ") }),
      svg("path", { class: "axis", d: `M4 4V${high - 4}H${wide - 4}` }),
    ),
    el("p", { class: better >= SURE * found.random_orders ? "good" : "bad" }, capital(verdict)),
    el(
      "p",
      { class: "caption" },
      `${capital(area)} (95% interval ${fixed(low, 3)} to ${fixed(up, 3)}). ${capital(meaning)}.`,
    ),
  );
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {{last: number | null, all: number | null}} weights */
function randomized({ last, all }) {
  /** @param {number | null} r */
  const said = (r) => (r === null ? "none (a map is constant)" : fixed(r, 2));
  const verdict =
    all !== null && all > SENSITIVE
      ? "This map hardly depends on the weights: it shows the image, not what was learned."
      : "The map depends on what was learned.";
  return el(
    "div",
    {},
    el("p", { class: all !== null && all > SENSITIVE ? "bad" : "good" }, verdict),
    el(
      "p",
      { class: "caption" },
      `With the weights in random order, the rank correlation with this map is ${said(last)} for the last layer's, ` +
        `${said(all)} for all. Near 1 a map would be the same whatever the network learned.`,
    ),
  );
}

/**
 * The shares of regions, which add up to the map.
 * @param {WhyResult} result
 * @param {{mark: (region: WhyRegion | null) => void, open: (region: WhyRegion) => void}} board
 */
export function regions(result, board) {
  const { regions: found, shares } = result;
  if (!shares || !found.length) return null;
  const order = [...found].sort((a, b) => b.share - a.share);
  const most = order.filter((region) => region.share > 0).slice(0, REGIONS);
  const least = order.filter((region) => region.share < 0).slice(-REGIONS);
  const shown = [...most, ...least];
  const decimals = Math.min(6, Math.max(3, decimalsFor([shares.map, ...shown.map((r) => r.share)], 4)));
  const rest = found.reduce((sum, r) => sum + r.share, 0) - shown.reduce((sum, r) => sum + r.share, 0);
  const peak = Math.max(...shown.map((r) => Math.abs(r.share)));
  const hidden = found.length - shown.length;
  return card(
    "Region by region",
    el("ul", { class: "parts" }, ...shown.map((region) => regionRow(region, peak, decimals, board))),
    hidden ? line(`${count(hidden)} other regions`, "", rest, decimals) : null,
    line("the map", `${count(found.length)} regions, added up`, shares.map, decimals, "rule"),
  );
}

/**
 * @param {WhyRegion} region @param {number} peak @param {number} decimals
 * @param {{mark: (region: WhyRegion | null) => void, open: (region: WhyRegion) => void}} board
 */
function regionRow(region, peak, decimals, board) {
  const name = `rows ${region.top}–${region.bottom - 1}, columns ${region.left}–${region.right - 1}`;
  const share = region.share / peak;
  const button = el(
    "button",
    { class: "quiet cut", title: "Open the unit behind it", onclick: () => board.open(region) },
    name,
  );
  const row = el(
    "li",
    {},
    button,
    el(
      "div",
      { class: "track two" },
      el("div", { class: `fill ${share < 0 ? "against" : "for"}`, style: { width: `${50 * Math.abs(share)}%` } }),
    ),
    el("data", { title: whole(region.share) }, signed(region.share, decimals)),
  );
  row.addEventListener("pointerenter", () => board.mark(region));
  row.addEventListener("pointerleave", () => board.mark(null));
  button.addEventListener("focus", () => board.mark(region));
  button.addEventListener("blur", () => board.mark(null));
  return row;
}

/**
 * The score as the sum of the last layer's terms, each leading to its unit.
 * @param {Network} net @param {LabImage} image @param {WhyResult} result
 */
export function terms(net, image, result) {
  const { terms: sum } = result;
  if (!sum) return null;
  const exact = number(sum.exact_value);
  const bias = number(sum.bias);
  const rest = number(sum.remaining.sum);
  const decimals = Math.min(
    6,
    Math.max(3, decimalsFor([exact, bias, ...sum.terms.map((term) => number(term.product))], 4)),
  );
  const difference = number(sum.difference);
  const isOne = ofOneLogit(image);
  const off = difference
    ? `The network computed ${whole(number(sum.model_value))}; the difference is ${figure(difference, 9)}, its own rounding.`
    : "The network computed the same, to the bit.";
  return card(
    result.instead_of === null ? `The largest terms of ${sum.operation}` : "Term by term",
    el("p", { class: "caption" }, `${weightsOf(net, image, result)} Choose a term to open its unit.`),
    el(
      "ul",
      { class: "parts" },
      ...sum.terms.map((term) => {
        const place = term.location;
        const name = place ? spotName(net, place) : (term.source ?? "a constant");
        const to = place && { layer: place.row, map: place.map, row: place.y, col: place.x };
        return el(
          "li",
          {},
          to
            ? el("button", { class: "quiet cut", onclick: () => go({ place: to, layer: to.layer, trail: [] }) }, name)
            : el("span", { class: "cut" }, name),
          el("span", { class: "caption product" }, `${fixed(number(term.value), 3)} × ${wrapped(number(term.weight))}`),
          el("data", { title: whole(number(term.product)) }, signed(number(term.product), decimals)),
        );
      }),
    ),
    sum.remaining.count ? line(`${count(sum.remaining.count)} other terms`, "", rest, decimals) : null,
    line("bias", result.instead_of === null || isOne ? "" : "the difference of two", bias, decimals),
    line(result.score_name, "exact, rounded once", exact, decimals, "rule"),
    isOne ? sigmoid(net, image, result) : null,
    el("p", { class: "caption" }, off),
  );
}
