/** What changes do over the test images of a run: accuracy before and after, of all and by class. */

/** @import { Change } from "./changes.js" */

import { compute, progressBar } from "../computation.js";
import { el, messageOf } from "../element.js";
import { replaceChildren } from "../focus.js";
import { count, fixed, signed } from "../numbers.js";

/**
 * The same over the test images of the run, in the background.
 * @param {string} path @param {string} reason  why it is not possible
 * @param {() => Change[]} changes
 */
export function dataCard(path, reason, changes) {
  const progress = progressBar();
  const result = el("div", { role: "status" });
  let turn = 0;
  const start = async () => {
    const mine = ++turn;
    button.disabled = true;
    try {
      await compute(
        `${path}/data`,
        { changes: changes() },
        (now) => {
          progress.show(now);
          if (now.result) replaceChildren(result, ...accuracy(now.result));
        },
        () => mine !== turn || !button.isConnected,
      );
    } catch (error) {
      if (mine === turn) result.replaceChildren(el("p", { class: "note" }, messageOf(error)));
    } finally {
      if (mine === turn) progress.show(null);
      button.disabled = false;
    }
  };
  const button = el("button", { class: "pill", onclick: start }, "Over all test images");
  const node = el(
    "div",
    { class: "over-test", hidden: true },
    reason
      ? el("p", { class: "caption" }, `Over a data set: ${reason}`)
      : el("div", { class: "row" }, button, progress.node),
    result,
  );
  return {
    node,
    clear: () => {
      turn += 1;
      progress.show(null);
      button.disabled = false;
      result.replaceChildren();
    },
  };
}

/** Accuracy before and after, of all images and of each class. @param {any} found */
function accuracy({ accuracy: total, classes, data }) {
  /** @param {string} name @param {any} one */
  const row = (name, one) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", class: "cut" }, name),
      el("td", { class: "n" }, count(one.num_images)),
      el("td", { class: "n" }, `${fixed((100 * one.before) / one.num_images, 2)}%`),
      el("td", { class: "n" }, `${fixed((100 * one.after) / one.num_images, 2)}%`),
      el("td", { class: "n" }, `${signed(100 * one.change, 2)}`),
      el(
        "td",
        { class: "n" },
        one.interval ? `${signed(100 * one.interval[0], 2)} to ${signed(100 * one.interval[1], 2)}` : "–",
      ),
      el("td", { class: "n" }, `${count(one.lost)} / ${count(one.gained)}`),
    );
  const heads = ["", "images", "before", "after", "points", "95% interval", "lost / gained"];
  const entries = Object.entries(classes).sort(([, a], [, b]) => a.change - b.change);
  const shown = entries.length > 40 ? [...entries.slice(0, 20), ...entries.slice(-10)] : entries;
  return [
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Accuracy before and after" },
      el(
        "table",
        { class: "rows" },
        el(
          "thead",
          {},
          el("tr", {}, ...heads.map((head, i) => el("th", { scope: "col", class: i ? "n" : null }, head))),
        ),
        el("tbody", {}, row("all images", total), ...shown.map(([name, one]) => row(name, one))),
      ),
    ),
    el(
      "p",
      { class: "caption" },
      `Accuracy on ${data}, in points; the classes that lose most first` +
        `${shown.length < entries.length ? `, ${count(entries.length - shown.length)} in between left out` : ""}.`,
    ),
  ];
}
