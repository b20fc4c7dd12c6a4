/** Lesson: one step of training a small network on one image: forward, backward, update, forward again. */

/** @import { BackpropAnswer, Lesson, LessonState, SetState } from "./types.js" */

import { peakOf } from "../color.js";
import { el, styles } from "../element.js";
import { count, fixed, percent, several, signed } from "../numbers.js";
import { lattice } from "./lattice.js";
import { lossCurve } from "./loss_curve.js";
import { numberField } from "./number_field.js";
import { again, columnHeads, controls, figure, pills, remark } from "./parts.js";
import { sideways } from "./sideways.js";

await styles("lesson_learning.css");
await styles("lesson_motives.css");

const IMAGES = ["a vertical line", "a horizontal line", "a corner", "a cross"];
const DIGITS = 3;

/** @type {Lesson<BackpropAnswer>} */
export const lesson = {
  lead:
    "Forward: the image goes through a filter, ReLU, pooling and a dense layer, and the loss says how wrong the answer " +
    "is. Backward: from layer to layer, how much the loss changes with every number. Then each weight takes a small " +
    "step against its gradient, and the image goes forward again.",
  start: { image: "a vertical line", right: "vertical", rate: 0.5, step: 0, at: 0, dense_at: 0 },

  draw(answer, state, set) {
    /** @param {number} by */
    const step = (by) =>
      el(
        "button",
        {
          class: `pill${by === 1 ? " main" : ""}`,
          disabled: answer.step + by > answer.most,
          onclick: () => set({ step: answer.step + by }),
        },
        several(by, "step"),
      );
    return [
      controls(
        pills("Image", IMAGES, String(state.image), (image) => set({ image })),
        pills("Its class", answer.names, String(state.right), (right) => set({ right })),
      ),
      controls(
        el(
          "div",
          { class: "row actions" },
          step(1),
          step(10),
          el("button", { class: "pill", disabled: answer.step === 0, onclick: () => set({ step: 0 }) }, "Reset"),
        ),
        numberField("Learning rate", Number(state.rate), { low: 0, high: 10, set: (rate) => set({ rate }) }),
        again(() => set({ ...lesson.start })),
      ),
      forward(answer),
      backward(answer, state, set),
      chosen(answer),
      update(answer, state),
    ];
  },
};

/**
 * @param {string} title @param {string} size @param {number[]} values @param {number} columns
 * @param {Partial<import("./types.js").Lattice>} [more]
 */
const grid = (title, size, values, columns, more = {}) =>
  sideways(
    title,
    figure(
      title,
      size,
      lattice({ columns, values, label: title, decimals: 2, paint: peakOf(values), size: "small", ...more }),
    ),
  );

/** @param {BackpropAnswer} answer */
function forward({ pixels, now, forward: made, names, right, step }) {
  return el(
    "section",
    { class: "card lesson-card", "aria-label": "Forward" },
    el("h3", {}, step ? `Forward, after ${several(step, "step")}` : "Forward"),
    el(
      "div",
      { class: "learned" },
      grid("Image", "6×6", pixels, 6, { decimals: 0 }),
      grid("Filter", `3×3, bias ${fixed(now.bias[0], 2)}`, now.filter, 3),
      grid("Sums", "4×4", made.sums, 4),
      grid("After ReLU", "4×4, the maxima outlined", made.active, 4, { marked: made.winners }),
      grid("Pooled", "2×2", made.pooled, 2),
      grid(
        "Dense weights",
        `a row for each class, biases ${now.dense_bias.map((b) => fixed(b, 2)).join(" and ")}`,
        now.dense,
        4,
      ),
    ),
    sideways(
      "scores",
      el(
        "table",
        { class: "shares" },
        columnHeads(["class", "score", "softmax"]),
        el(
          "tbody",
          {},
          ...names.map((name, i) =>
            el(
              "tr",
              { class: i === right ? "right" : null },
              el("th", { scope: "row" }, i === right ? `${name}, the right one` : name),
              el("td", {}, fixed(made.scores[i], DIGITS)),
              el("td", {}, percent(made.shares[i])),
            ),
          ),
        ),
      ),
    ),
    el(
      "p",
      { "data-said": `The loss is ${fixed(made.loss, 4)}.` },
      `loss = −ln ${fixed(made.shares[right], 4)} = `,
      el("strong", {}, fixed(made.loss, 4)),
    ),
  );
}

/** @param {BackpropAnswer} answer @param {LessonState} state @param {SetState} set */
function backward({ backward: by, names, right }, state, set) {
  return el(
    "section",
    { class: "card lesson-card", "aria-label": "Backward" },
    el("h3", {}, "Backward: the gradient of the loss by each number"),
    el(
      "p",
      {},
      "By the scores it is softmax − 1 for the right class, softmax for the other: ",
      names.map((name, i) => `${name} ${signed(by.scores[i], DIGITS)}${i === right ? " (right)" : ""}`).join(", "),
      ".",
    ),
    el(
      "div",
      { class: "learned" },
      grid("Gradient by dense weights", "score × pooled value", by.dense, 4, {
        marked: [Number(state.dense_at)],
        choose: (dense_at) => set({ dense_at }),
      }),
      grid("Gradient by pooled", "sum over both classes", by.pooled, 2),
      grid("Gradient by the map", "only the maxima get any", by.active, 4),
      grid("Gradient by sums", "none where ReLU gave 0", by.sums, 4),
      grid("Gradient by the filter", "sum over all positions", by.filter, 3, {
        marked: [Number(state.at)],
        choose: (at) => set({ at }),
      }),
    ),
  );
}

/** Where the gradients of the chosen weights come from. @param {BackpropAnswer} answer */
function chosen({ chosen: one, names }) {
  const terms = one.terms.filter(({ product }) => product);
  const [row, column] = [Math.floor(one.at / 3), one.at % 3];
  return el(
    "section",
    { class: "card lesson-card", "aria-label": "Chosen weights" },
    el("h3", {}, "Two of them, worked out"),
    el(
      "dl",
      { class: "ledger-step" },
      line(
        `dense weight ${one.input} of ${names[one.unit]}`,
        `${fixed(one.score_gradient, DIGITS)}×${factored(one.value)}`,
        one.dense_total,
      ),
      line(
        `filter, row ${row}, column ${column}`,
        terms.length
          ? terms.map(({ value, weight }) => `${factored(value)}×${fixed(weight, 0)}`).join(" + ")
          : "all products are 0",
        one.total,
      ),
    ),
    remark(
      "A weight of the filter works at 16 positions: its gradient is the sum over them of the gradient by the sum there " +
        "times the pixel that it met. Products of 0 are left out. Choose another weight above.",
    ),
  );
}

/** A factor: in parentheses if it reads as negative. @param {number} value */
function factored(value) {
  const text = fixed(value, DIGITS);
  return text.startsWith("−") ? `(${text})` : text;
}

/** @param {string} name @param {string} formula @param {number} value */
const line = (name, formula, value) =>
  el("div", {}, el("dt", {}, name), el("dd", {}, `${formula} = `, el("strong", {}, fixed(value, DIGITS + 1))));

/** Every parameter before and after the step. @param {BackpropAnswer} answer @param {LessonState} state */
function update(answer, state) {
  const { now, then, backward: by, losses, after, forward: made, right, step } = answer;
  /** @param {"filter" | "bias" | "dense" | "dense_bias"} group @param {number} place @param {string} name */
  const row = (group, place, name) =>
    line(name, `${fixed(now[group][place], DIGITS)} − ${state.rate}×${factored(by[group][place])}`, then[group][place]);
  const fell = after.loss < made.loss;
  const change =
    after.loss === made.loss ? "It stays as it is." : fell ? "It fell." : "It rose: the step was too large.";
  return el(
    "section",
    { class: "card lesson-card", "aria-label": "Update" },
    el("h3", {}, "Update, and forward again"),
    el(
      "div",
      { class: "learned" },
      el(
        "dl",
        { class: "ledger-step updates" },
        ...now.filter.map((_, i) => row("filter", i, `filter ${Math.floor(i / 3)}, ${i % 3}`)),
        row("bias", 0, "its bias"),
      ),
      el(
        "dl",
        { class: "ledger-step updates" },
        ...now.dense.map((_, i) => row("dense", i, `${answer.names[Math.floor(i / 4)]} ${i % 4}`)),
        ...now.dense_bias.map((_, i) => row("dense_bias", i, `${answer.names[i]}, bias`)),
      ),
    ),
    el(
      "p",
      { class: "sentence", "data-said": `The loss goes from ${fixed(made.loss, 4)} to ${fixed(after.loss, 4)}.` },
      `With the ${several(answer.parameters, "new parameter")}, the right class has ${percent(after.shares[right])} ` +
        `instead of ${percent(made.shares[right])}, and the loss goes from ${fixed(made.loss, 4)} to `,
      el("strong", { class: "loss" }, fixed(after.loss, 4)),
      `. ${change}`,
    ),
    el(
      "figure",
      { class: "curve" },
      el("figcaption", {}, el("b", {}, "Loss"), " ", el("span", { class: "caption" }, "of this image, log scale")),
      lossCurve(
        losses.map((loss, i) => [i, loss]),
        `Loss: ${fixed(losses[0], 4)} at first, ${fixed(after.loss, 4)} after ${count(step + 1)} steps`,
      ),
    ),
  );
}
