/** What a change does to the answers for the open image, and the arithmetic behind it. */

/** @import { Network } from "../types.js" */

import { el } from "../element.js";
import { figure } from "../matrix.js";
import { spotName } from "../spots.js";
import { count, decimalsFor, fixed, percent, several, signed, whole, wrapped } from "../numbers.js";
import { number } from "../planes.js";
import { go } from "../state.js";

const CLASSES = 5; // that are listed

/** @param {Network} net @param {any} answer @param {(index: number) => void} choose */
export function effects(net, answer, choose) {
  if (!answer.is_changed) return [el("p", { class: "note" }, "Nothing changes: these numbers were so already.")];
  const far = answer.rows
    .slice(0, 6)
    .map((/** @type {any} */ row) => `${row.row} (${count(row.changed)} of ${count(row.units)})`)
    .join(", ");
  const more = answer.num_rows > 6 ? ` and ${count(answer.num_rows - 6)} more` : "";
  const spread = el("p", { class: "caption" }, `Units that change: ${far}${more}.`);
  if (!answer.classes) return [el("p", { class: "note" }, "The network has no output of one number a class."), spread];
  return [
    verdictOf(net, answer.classes),
    answerList(net, answer.classes, answer.about, choose),
    ...(answer.terms ? arithmetic(net, answer) : []),
    spread,
  ];
}

/** @typedef {{index: number, before: number, after: number}} Answer  probabilities of a class */

/** @param {Network} net @param {Answer[]} classes */
export function verdictOf(net, classes) {
  /** @param {"before" | "after"} when */
  const first = (when) => [...classes].sort((a, b) => b[when] - a[when] || a.index - b.index)[0].index;
  const [was, is] = [first("before"), first("after")];
  const verdict =
    was === is ? `Still ${net.classes[is]}.` : `The answer changes from ${net.classes[was]} to ${net.classes[is]}.`;
  return el("p", { class: "verdict" }, verdict);
}

/**
 * The likeliest classes before and after, and those that change most.
 * @param {Network} net @param {Answer[]} classes @param {number | null} [about]  whose arithmetic is shown
 * @param {(index: number) => void} [choose]
 */
export function answerList(net, classes, about = null, choose = undefined) {
  const byBefore = [...classes].sort((a, b) => b.before - a.before || a.index - b.index);
  const byAfter = [...classes].sort((a, b) => b.after - a.after || a.index - b.index);
  const shown = [...new Set([...byBefore.slice(0, 3), ...byAfter.slice(0, 3), ...strongest(classes)])].slice(
    0,
    CLASSES,
  );
  shown.sort((a, b) => b.after - a.after);
  return el(
    "ul",
    { class: "answers", "aria-label": "Answers before and after" },
    ...shown.map((one) => answerRow(net, one, one.index === about, choose)),
  );
}

/** The classes that change most. @param {{before: number, after: number, index: number}[]} classes */
const strongest = (classes) =>
  [...classes].sort((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before)).slice(0, 2);

/** @param {Network} net @param {Answer} one @param {boolean} chosen @param {(index: number) => void} [choose] */
function answerRow(net, { index, before, after }, chosen, choose) {
  const name = net.classes[index];
  /** @param {number} p @param {string} kind */
  const bar = (p, kind) =>
    el("div", { class: "track" }, el("div", { class: `fill ${kind}`, style: { transform: `scaleX(${p})` } }));
  return el(
    "li",
    {},
    choose
      ? el(
          "button",
          {
            class: "quiet cut",
            "aria-pressed": String(chosen),
            "aria-label": `${name}: ${percent(before)} before, ${percent(after)} after. Show the arithmetic`,
            title: name,
            onclick: () => choose(index),
          },
          name,
        )
      : el("span", { class: "cut" }, name),
    el("div", { class: "two-bars" }, bar(before, "before"), bar(after, "after")),
    el("data", {}, `${percent(before)} → ${percent(after)}`),
  );
}

/** Why the score of a class changed, term by term. @param {Network} net @param {any} answer */
function arithmetic(net, { terms, about }) {
  const total = number(terms.sum_of_changes);
  const [before, after] = [number(terms.before), number(terms.after)];
  const decimals = Math.min(6, Math.max(3, decimalsFor([before, after, total], 4)));
  /** @param {string} label @param {string} note @param {number} value @param {string} [kind] */
  const line = (label, note, value, kind = "") =>
    el(
      "div",
      { class: `total ${kind}` },
      el("span", { class: "cut" }, label),
      el("span", { class: "caption" }, note),
      el("data", { title: whole(value) }, figure(value, decimals, kind ? fixed : signed)),
    );
  const left = terms.count - terms.terms.length;
  const off = after - before - total;
  return [
    el("h4", {}, `Why the score of ${net.classes[about]} changes`),
    el(
      "ul",
      { class: "parts" },
      ...terms.terms.map((/** @type {any} */ term) => {
        const place = term.location;
        const name = place ? spotName(net, place) : term.source;
        const to = place && { layer: place.row, map: place.map, row: place.y, col: place.x };
        return el(
          "li",
          {},
          to
            ? el("button", { class: "quiet cut", onclick: () => go({ place: to, layer: to.layer, trail: [] }) }, name)
            : el("span", { class: "cut" }, name),
          el(
            "span",
            { class: "caption product" },
            `(${fixed(number(term.after), 3)} − ${wrapped(number(term.before))}) × ${wrapped(number(term.weight))}`,
          ),
          el("data", { title: whole(number(term.change)) }, signed(number(term.change), decimals)),
        );
      }),
    ),
    ...(left > 0 ? [line(several(left, "other term"), "", number(terms.rest))] : []),
    line("the sum", `${terms.operation}[${about}] was ${figure(before, decimals)}`, total),
    line(
      `${terms.operation}[${about}] is`,
      off ? `rounding of the network ${off.toExponential(1).replaceAll("-", "−")}` : "",
      after,
      "rule",
    ),
  ];
}
