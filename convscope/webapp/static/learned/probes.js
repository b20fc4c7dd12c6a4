/** How directly the classes can be read from each level: a linear classifier for each, with its interval. */

/** @import { LayerProbe, Probes } from "./types.js" */
/** @import { Scene } from "./screen.js" */

import { el } from "../element.js";
import { count, fixed } from "../numbers.js";
import * as api from "./api.js";
import { studyCard } from "./study.js";
import { imagesOf } from "./words.js";

const TITLE = "How directly the classes can be read";
const SHOWN = 8; // labels, where an image may have several

/** @param {number} share */
const percent = (share) => `${fixed(100 * share, 1)}%`;

/** @param {Scene} scene @returns {Promise<Node>} */
export async function probesCard({ net, state, status, late, redo }) {
  const found = await api.probes(net.id, state.data);
  return el(
    "section",
    { class: "level", "aria-label": TITLE },
    el("h3", {}, TITLE),
    ...(found
      ? drawn(found)
      : [
          studyCard(
            net.id,
            status,
            { kind: "probes" },
            {
              sentence:
                "A linear classifier on the means of each level's maps: what it gets right is how directly the classes " +
                "can be read there. It is fitted to training images and tested on test images.",
              label: "Fit classifiers",
              done: redo,
              late,
            },
          ),
        ]),
  );
}

/** @param {Probes} found */
function drawn(found) {
  const shown = found.labels.slice(0, SHOWN);
  const more = found.labels.length - shown.length;
  return [
    el(
      "p",
      { class: "lead" },
      `Fitted to ${count(found.num_train)} training images, tested on ${imagesOf(found)}. The bar is the accuracy, the ` +
        "line its 95% interval.",
    ),
    ...shown.map((one) => table(one)),
    more > 0 ? el("p", { class: "caption" }, `and ${count(more)} more labels`) : null,
    found.notes.length ? el("p", { class: "caption" }, found.notes.join(" ")) : null,
  ].filter((node) => node !== null);
}

/** @param {Probes["labels"][number]} label */
function table({ label, layers, majority, network }) {
  const heads = ["Level", "Accuracy (95% interval)", "", "On its training images", "Features"];
  return el(
    "div",
    { class: "card scroll", tabindex: 0, role: "region", "aria-label": label || TITLE },
    label ? el("h4", {}, label) : null,
    el(
      "table",
      { class: "rows probes" },
      el(
        "thead",
        {},
        el("tr", {}, ...heads.map((text, i) => el("th", { scope: "col", class: i === 1 || i > 2 ? "n" : null }, text))),
      ),
      el(
        "tbody",
        {},
        ...layers.map(line),
        plain("The network itself", network),
        plain(label ? "Always the same answer" : "Always the most frequent class", majority),
      ),
    ),
  );
}

/** @param {LayerProbe} probe */
const line = ({ layer, accuracy, low, high, train_accuracy, features }) =>
  el(
    "tr",
    {},
    el("th", { scope: "row" }, layer),
    el("td", { class: "n" }, `${percent(accuracy)} (${percent(low)} to ${percent(high)})`),
    el("td", {}, bar(accuracy, [low, high])),
    el("td", { class: "n" }, percent(train_accuracy)),
    el("td", { class: "n" }, count(features)),
  );

/** @param {string} name @param {number} share */
const plain = (name, share) =>
  el(
    "tr",
    { class: "beside" },
    el("th", { scope: "row" }, name),
    el("td", { class: "n" }, percent(share)),
    el("td", {}, bar(share)),
    el("td", {}),
    el("td", {}),
  );

/** @param {number} share @param {[number, number]} [interval] */
function bar(share, interval) {
  const node = el("span", { class: "share", "aria-hidden": "true" });
  const parts = [["of", 0, share], ...(interval ? [["sure", ...interval]] : [])];
  for (const [name, from, to] of /** @type {[string, number, number][]} */ (parts)) {
    const part = el("i", { class: name });
    [part.style.left, part.style.width] = [`${100 * from}%`, `${100 * (to - from)}%`];
    node.append(part);
  }
  return node;
}
