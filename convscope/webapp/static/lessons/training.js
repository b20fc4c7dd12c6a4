/** Lesson: a filter learns to reproduce another filter. */

/** @import { Lesson, LessonState, SetState, TrainingAnswer } from "./types.js" */

import { peakOf, picture } from "../color.js";
import { el, styles } from "../element.js";
import { count, decimalsFor, percent, several } from "../numbers.js";
import { lossCurve } from "./loss_curve.js";
import { numberField } from "./number_field.js";
import { again, controls, figure, pills, remark, stepper } from "./parts.js";
import { lattice, put } from "./lattice.js";
import { sideways } from "./sideways.js";
import { softmax } from "./softmax.js";
import { brackets, number } from "./training_numbers.js";

styles("lesson_learning.css");

/** @type {Record<string, number[]>} */
const TARGETS = {
  "vertical edges": [1, 0, -1, 2, 0, -2, 1, 0, -1],
  "horizontal edges": [1, 2, 1, 0, 0, 0, -1, -2, -1],
  "a point": [0, -1, 0, -1, 4, -1, 0, -1, 0],
  mean: [1, 1, 1, 1, 1, 1, 1, 1, 1],
};

/** @type {Record<string, string>} */
const IMAGES = { ring: "a ring", noise: "noise", stripes: "stripes", gray: "one gray" };

/** @type {Lesson<TrainingAnswer>} */
export const lesson = {
  lead:
    "A filter with random weights learns to make the same map of the image as the target filter. The loss says how " +
    "far off it is: the mean squared difference of the maps. The gradient says, for each weight, in which " +
    "direction the loss rises; a step goes the other way.",
  start: {
    image: "ring",
    target: TARGETS["vertical edges"],
    weights_seed: 1,
    step: 0,
    rate: 0.05,
    momentum: 0.9,
    decay: 0,
    batch: 100,
    at: 0,
    logits: [2, 1, -1],
    right: 0,
  },

  draw(answer, state, set) {
    /** @param {number} by */
    const step = (by) =>
      el(
        "button",
        {
          class: `pill${by === 1 ? " main" : ""}`,
          disabled: answer.next === null || answer.step + by > answer.most,
          onclick: () => set({ step: answer.step + by }),
        },
        `${count(by)} ${by === 1 ? "step" : "steps"}`,
      );
    return [
      figures(answer, state, set),
      controls(
        el(
          "div",
          { class: "row actions" },
          step(1),
          step(10),
          step(100),
          el("button", { class: "pill", disabled: answer.step === 0, onclick: () => set({ step: 0 }) }, "Reset"),
        ),
        stepper("Random seed", Number(state.weights_seed), {
          low: 0,
          high: 999,
          set: (weights_seed) => set({ weights_seed }),
        }),
        again(() => set({ ...lesson.start })),
        el(
          "span",
          { "aria-live": "polite" },
          `After ${several(answer.step, "step")} the loss is `,
          el("strong", { class: "loss" }, number(answer.loss)),
          ".",
        ),
      ),
      nextStep(answer, state),
      settings(answer, state, set),
      verdict(answer, state),
      softmax(answer.softmax, state, set),
    ];
  },
};

/**
 * The image, both filters and the gradient; below them the maps and the loss curve.
 * @param {TrainingAnswer} answer @param {LessonState} state @param {SetState} set
 */
function figures(answer, state, set) {
  const target = /** @type {number[]} */ (state.target);
  /** @param {number} place @param {number} value */
  const edit = (place, value) => set({ target: put(target, place, value) });
  const peak = peakOf([...target, ...answer.weights]);
  const [wanted, own, apart] = answer.maps;
  const shade = peakOf([...wanted, ...own]);
  /** @param {string} title @param {string} size @param {number[]} values @param {number} side @param {number} most */
  const small = (title, size, values, side, most) =>
    el(
      "figure",
      { class: "swatch" },
      el("figcaption", {}, el("b", {}, title), " ", el("span", { class: "caption" }, size)),
      picture(values, side, side, most),
    );
  const decimals = Math.max(2, Math.min(3, decimalsFor(answer.weights, 3)));
  return el(
    "div",
    { class: "card lesson-card" },
    el(
      "div",
      { class: "learned" },
      small("Image", "12×12", answer.image, 12, peakOf(answer.image)),
      sideways(
        "target",
        figure(
          "Target",
          "to be learned",
          lattice({ columns: 3, values: target, label: "target", paint: 1.3 * peak, edit }),
        ),
      ),
      sideways(
        "weights",
        figure(
          "Weights",
          "learned so far",
          lattice({
            columns: 3,
            values: answer.weights,
            label: "weights",
            paint: 1.3 * peak,
            decimals,
            marked: [Number(state.at)],
            choose: (at) => set({ at }),
          }),
        ),
      ),
      sideways(
        "gradient",
        figure(
          "Gradient",
          "where the loss rises",
          lattice({
            columns: 3,
            values: answer.gradient,
            label: "gradient",
            paint: peakOf(answer.gradient),
            decimals: Math.min(3, decimalsFor(answer.gradient, 3)),
            marked: [Number(state.at)],
            choose: (at) => set({ at }),
          }),
        ),
      ),
    ),
    el(
      "div",
      { class: "learned" },
      small("Map of the target", "10×10", wanted, 10, shade),
      small("Map of the weights", "10×10", own, 10, shade),
      small("Difference", "10×10", apart, 10, shade),
      el(
        "figure",
        { class: "curve" },
        el(
          "figcaption",
          {},
          el("b", {}, "Loss"),
          " ",
          el("span", { class: "caption" }, "over all 100 positions, log scale"),
        ),
        lossCurve(
          answer.curve,
          `Loss: ${number(answer.curve[0][1])} at first, ${number(answer.loss)} after ${several(answer.step, "step")}`,
        ),
      ),
    ),
  );
}

/** What the next step makes of the chosen weight. @param {TrainingAnswer} answer @param {LessonState} state */
function nextStep({ next }, state) {
  if (!next) return el("p", { class: "card sentence" }, "There is no next step: the weights have diverged.");
  const patches = next.patches === 1 ? "1 patch" : `${count(next.patches)} patches`;
  /** @type {[name: string, formula: string, value: number][]} */
  const rows = [
    ["gradient g", `the mean of 2·(output − target)·pixel over ${patches}`, next.gradient],
    ...decayed(state, next),
    [
      "velocity v ← momentum·v + g",
      `${state.momentum}×${brackets(next.velocity)} + ${brackets(next.decayed)}`,
      next.after,
    ],
    ["weight w ← w − lr·v", `${number(next.weight)} − ${state.rate}×${brackets(next.after)}`, next.then],
  ];
  return el(
    "div",
    { class: "card" },
    el("h3", {}, `The next step of the weight in row ${Math.floor(next.at / 3)}, column ${next.at % 3}`),
    el(
      "dl",
      { class: "ledger-step", "aria-live": "polite" },
      ...rows.map(([name, formula, value]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, `${formula} = `, el("strong", {}, number(value)))),
      ),
    ),
  );
}

/**
 * The line that weight decay adds.
 * @param {LessonState} state @param {NonNullable<TrainingAnswer["next"]>} next
 * @returns {[name: string, formula: string, value: number][]}
 */
function decayed(state, next) {
  if (!Number(state.decay)) return [];
  const formula = `${number(next.gradient)} + ${state.decay}×${brackets(next.weight)}`;
  return [["with weight decay", `g + ${state.decay}·w = ${formula}`, next.decayed]];
}

/** @param {TrainingAnswer} answer @param {LessonState} state @param {SetState} set */
function settings(answer, state, set) {
  const { offered } = answer.rates;
  const words = ["very slow", "good", "at the limit", "too large"];
  const known =
    Object.keys(TARGETS).find((name) => TARGETS[name].join() === /** @type {number[]} */ (state.target).join()) ?? "";
  return el(
    "div",
    { class: "card lesson-card" },
    controls(
      numberField("Learning rate", Number(state.rate), { low: 1e-6, high: 1000, set: (rate) => set({ rate }) }),
      pills(
        "Try",
        offered,
        Number(state.rate),
        (rate) => set({ rate }),
        (rate) => `${rate}, ${words[offered.indexOf(rate)]}`,
      ),
    ),
    controls(
      pills("Momentum", [0, 0.5, 0.9, 0.99], Number(state.momentum), (momentum) => set({ momentum })),
      pills("Weight decay", [0, 0.0005, 0.1, 1], Number(state.decay), (decay) => set({ decay })),
      pills(
        "Patches per step",
        [1, 10, 100],
        Number(state.batch),
        (batch) => set({ batch }),
        (n) => (n === 100 ? "all 100" : String(n)),
      ),
    ),
    controls(
      pills(
        "Image",
        Object.keys(IMAGES),
        String(state.image),
        (image) => set({ image }),
        (name) => IMAGES[name],
      ),
      pills("Target", Object.keys(TARGETS), known, (name) => set({ target: TARGETS[name] })),
    ),
  );
}

/**
 * What the curvature says about the learning rate.
 * @param {TrainingAnswer} answer @param {LessonState} state
 */
function verdict({ rates, diverged, lowest, step, loss }, state) {
  const { limit, largest, smallest, halving, slowest, unseen } = rates;
  const parts = [];
  const batch = Number(state.batch) < 100;
  parts.push(
    `The loss is shaped like a bowl. In its steepest direction the curvature is ${number(largest)}, and with a ` +
      `learning rate above 2·(1 + momentum) ÷ ${number(largest)} = ${number(limit)} the weights diverge. `,
  );
  if (diverged !== null) parts.push(`That happened here: training was stopped after ${several(diverged, "step")}. `);
  else if (Number(state.rate) > limit)
    parts.push(`The learning rate of ${state.rate} is above this limit: take some steps and watch. `);
  else if (halving) {
    const steps = halving < 1 ? "less than one step" : several(Math.round(halving), "step");
    const ratio = count(Math.round(largest / smallest));
    const valley = smallest < largest / 20 ? `: the bowl is a valley, ${ratio} times steeper across than along` : "";
    parts.push(
      `In the slowest direction a step leaves ${percent(slowest)} of the error, so it halves in ${steps}${valley}. `,
    );
  }
  if (batch)
    parts.push(
      "With fewer patches per step, each step sees a different bowl: the path is noisy, and the limit may be lower. ",
    );
  if (unseen)
    parts.push(
      `For this image, the loss is flat in ${unseen} of 9 directions: other weights make the same map, so the loss ` +
        "can fall although the filter stays different from the target. ",
    );
  if (Number(state.decay))
    parts.push(
      `Weight decay pulls towards zero: the weights end where the loss is ${number(lowest)}, not at the target. `,
    );
  if (diverged === null && step && loss < 1e-8) parts.push("The maps are the same now: the loss is below 10⁻⁸. ");
  return remark(...parts);
}
