/** The loss of a classifier: three logits, softmax, cross-entropy. */

/** @import { LessonState, SetState, TrainingAnswer } from "./types.js" */

import { el } from "../element.js";
import { percent } from "../numbers.js";
import { numberInput } from "./number_field.js";
import { put } from "./lattice.js";
import { columnHeads } from "./parts.js";
import { sideways } from "./sideways.js";
import { number } from "./training_numbers.js";

const CLASSES = ["three", "five", "eight"];

/**
 * The loss of a classifier: three logits, softmax, cross-entropy.
 * @param {TrainingAnswer["softmax"]} answer @param {LessonState} state @param {SetState} set
 */
export function softmax({ largest, powers, sum, shares, loss, gradient }, state, set) {
  const logits = /** @type {number[]} */ (state.logits);
  const right = Number(state.right);
  /** @param {number} place */
  const field = (place) => {
    /** @param {number} value */
    const change = (value) => set({ logits: put(logits, place, value) });
    return numberInput(
      `logit of ${CLASSES[place]}`,
      logits[place],
      { low: -1e6, high: 1e6, set: change },
      { class: "cell" },
    );
  };
  const rows = CLASSES.map((name, i) =>
    el(
      "tr",
      { class: i === right ? "right" : "" },
      el(
        "th",
        { scope: "row" },
        el(
          "button",
          {
            class: "pill",
            "aria-label": `true class ${name}`,
            "aria-pressed": String(i === right),
            onclick: () => set({ right: i }),
          },
          i === right ? `${name} ✓` : name,
        ),
      ),
      el("td", {}, field(i)),
      el("td", {}, number(powers[i])),
      el(
        "td",
        {},
        percent(shares[i]),
        " ",
        el("span", { class: "bar-track" }, el("i", { style: { width: `${100 * shares[i]}%` } })),
      ),
      el("td", {}, `${number(shares[i])} − ${i === right ? 1 : 0}`),
      el("td", {}, el("strong", {}, number(gradient[i]))),
    ),
  );
  return el(
    "div",
    { class: "card lesson-card" },
    el("h3", {}, "And in a classifier?"),
    el(
      "p",
      { class: "remark" },
      "There the last layer outputs a logit for each class. Softmax turns the logits into probabilities p, and " +
        "the loss is the cross-entropy: −ln of the true class's probability. Everything else stays as above. " +
        "Change a logit, or choose another true class.",
    ),
    sideways(
      "softmax",
      el(
        "table",
        { class: "shares", "aria-label": "Softmax of three logits" },
        columnHeads(["true class", "logit z", "e^(z − largest)", "probability p", "p − y", "gradient"]),
        el("tbody", {}, ...rows),
      ),
    ),
    el(
      "p",
      { "aria-live": "polite" },
      `p = e^(z − ${number(largest)}) ÷ ${number(sum)}; the loss is −ln ${number(shares[right])} = `,
      el("strong", { class: "cross-entropy" }, number(loss)),
      ". The gradients add up to 0: what one class gains, the others lose.",
    ),
  );
}
