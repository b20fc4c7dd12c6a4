/** Lesson: what the filters of a trained network have learned, and which are redundant. */

/** @import { FiltersAnswer, FiltersReady, FiltersTraining, Lesson, LessonState, SetState } from "./types.js" */

import { cell, peakOf, picture } from "../color.js";
import { el, styles } from "../element.js";
import { count, fixed, percent } from "../numbers.js";
import { path } from "../place.js";
import { gray } from "./gray_picture.js";
import { again, controls, pills, remark } from "./parts.js";
import { sideways } from "./sideways.js";

styles("lesson_learning.css");

/** @type {Record<string, string>} */
const NAMES = { conv1: "first convolution", conv2: "second convolution" };
const AGAIN = 700; // milliseconds until a training is asked for again

/** @type {Lesson<FiltersAnswer>} */
export const lesson = {
  lead:
    "The lab trains a LeNet-5 on digits. Nobody tells its filters what to look for. Some become edge detectors, " +
    "and some " +
    "duplicate others. Remove a filter, then a second one, and see which ones the network can do without.",
  start: { layer: "conv1", filter: 1, digit: 3, removed: [] },

  fit: (state) => ({
    ...state,
    removed: /** @type {number[]} */ (state.removed).filter((place) => place < (state.layer === "conv1" ? 6 : 16)),
  }),

  draw(answer, state, set) {
    if (!answer.ready) return [waiting(answer, set)];
    return [
      controls(
        pills(
          "Layer",
          Object.keys(NAMES),
          String(state.layer),
          (layer) => set({ layer, filter: 0, removed: [] }),
          (name) => NAMES[name],
        ),
        digits(answer, state, set),
        again(() => set({ ...lesson.start })),
      ),
      el(
        "div",
        { class: "card lesson-card" },
        filterCards(answer, set),
        el(
          "p",
          { class: "caption" },
          "Below each filter: by how much the number of correct test digits drops when only this filter is removed.",
        ),
        score(answer, set),
      ),
      el("div", { class: "pairs-and-patches" }, alike(answer), patches(answer)),
    ];
  },
};

/** While the network is being trained. @param {FiltersTraining} training @param {SetState} set */
function waiting({ step, steps, epochs }, set) {
  const note = el(
    "div",
    { class: "card lesson-card", role: "status" },
    el("p", {}, "Training a small network on 1,797 digits. This takes a few seconds, and only the first time."),
    el("progress", { value: step, max: Math.max(1, steps), "aria-label": "Training" }),
    el(
      "p",
      { class: "caption" },
      steps ? `Step ${count(step)} of ${count(steps)}, ${epochs} times through the digits.` : "Reading the digits.",
    ),
  );
  const place = path();
  setTimeout(() => note.isConnected && path() === place && set({}), AGAIN);
  return note;
}

/** @param {FiltersReady} answer @param {LessonState} state @param {SetState} set */
const digits = (answer, state, set) =>
  el(
    "div",
    { class: "row digits", role: "group", "aria-label": "Digit" },
    el("span", { class: "label" }, "Digit"),
    ...answer.digits.map((bytes, i) =>
      el(
        "button",
        {
          class: "digit",
          "aria-label": `Digit ${i}`,
          "aria-pressed": String(i === Number(state.digit)),
          onclick: () => set({ digit: i }),
        },
        gray(bytes, Math.sqrt(bytes.length)),
      ),
    ),
  );

/**
 * A card for each filter: its slices, its map, the accuracy without it, and whether it is removed.
 * @param {FiltersReady} answer @param {SetState} set
 */
function filterCards(answer, set) {
  const weights = peakOf(answer.filters.flatMap((one) => one.slices.flat()));
  const values = peakOf(answer.filters.flatMap((one) => one.map));
  /** @param {number} i */
  const toggle = (i) =>
    answer.removed.includes(i) ? answer.removed.filter((place) => place !== i) : [...answer.removed, i];
  return el(
    "ul",
    { class: `learned-filters${answer.filters.length > 8 ? " many" : ""}` },
    ...answer.filters.map((one, i) => {
      const gone = answer.removed.includes(i);
      const lost = answer.whole - one.right;
      return el(
        "li",
        { class: `${i === answer.chosen ? "chosen" : ""}${gone ? " gone" : ""}` },
        el(
          "button",
          {
            class: "look-at",
            "aria-label": `filter ${i}`,
            "aria-pressed": String(i === answer.chosen),
            onclick: () => set({ filter: i }),
          },
          el("b", {}, `filter ${i}${one.dead ? ", dead" : ""}`),
          el("span", { class: "kernel-slices" }, ...one.slices.map((slice) => picture(slice, 5, 5, weights))),
          picture(one.map, one.side, one.side, values),
        ),
        el(
          "span",
          { class: "caption", title: `${one.right} of ${answer.tested} correct without filter ${i} alone` },
          `alone: ${lost < 0 ? `gains ${-lost}` : `costs ${lost}`}`,
        ),
        el(
          "button",
          {
            class: "pill",
            "aria-label": `remove filter ${i}`,
            "aria-pressed": String(gone),
            onclick: () => set({ removed: toggle(i) }),
          },
          gone ? "Removed" : "Remove",
        ),
      );
    }),
  );
}

/** How many digits are read right with what is left. @param {FiltersReady} answer @param {SetState} set */
function score({ whole, left, tested, removed }, set) {
  /** @param {number} right */
  const bar = (right) =>
    el("span", { class: "bar-track score" }, el("i", { style: { width: `${(100 * right) / tested}%` } }));
  return el(
    "dl",
    { class: "ledger-step scores", "aria-live": "polite" },
    el(
      "div",
      {},
      el("dt", {}, "with all filters"),
      el(
        "dd",
        {},
        el("strong", {}, count(whole)),
        ` of ${count(tested)} test digits correct, ${percent(whole / tested)}`,
        bar(whole),
      ),
    ),
    el(
      "div",
      {},
      el("dt", {}, removed.length ? `without ${removed.join(", ")}` : "nothing removed"),
      el(
        "dd",
        {},
        el("strong", { class: "left" }, count(left)),
        ` correct, ${percent(left / tested)}`,
        removed.length ? `: ${difference(whole - left)} ` : "",
        removed.length ? el("button", { class: "quiet", onclick: () => set({ removed: [] }) }, "Restore all") : null,
        bar(left),
      ),
    ),
  );
}

/** @param {number} lost */
function difference(lost) {
  if (lost === 0) return "as many as before";
  return lost > 0 ? `${count(lost)} fewer` : `${count(-lost)} more`;
}

/** Who goes with whom: above the diagonal the maps, below it the filters. @param {FiltersReady} answer */
function alike({ alike: { correlation, cosine, pairs, correlated, threshold }, pair, chosen, whole, compared }) {
  const size = correlation.length;
  const decimals = size > 8 ? 1 : 2;
  /** @param {number} i @param {number} k */
  const value = (i, k) => (k > i ? correlation[i][k] : cosine[i][k]);
  /** @param {number} i @param {"row" | "col"} scope */
  const head = (i, scope) => el("th", { scope, class: i === chosen ? "chosen" : "" }, String(i));
  const grid = el(
    "table",
    {
      class: `alike${size > 8 ? " many" : ""}`,
      "aria-label": "Above the diagonal correlation of the maps, below it cosine of the filters",
    },
    el("thead", {}, el("tr", {}, el("th", {}, ""), ...correlation.map((_, k) => head(k, "col")))),
    el(
      "tbody",
      {},
      ...correlation.map((_, i) =>
        el(
          "tr",
          {},
          head(i, "row"),
          ...correlation.map((__, k) =>
            i === k
              ? el("td", { class: "self" })
              : el(
                  "td",
                  {
                    style: cell(value(i, k), 1.15),
                    class: k > i && Math.abs(value(i, k)) >= threshold ? "twin" : "",
                    title: `${k > i ? "maps" : "filters"} ${i} and ${k}: ${fixed(value(i, k), 3)}`,
                  },
                  fixed(value(i, k), decimals),
                ),
          ),
        ),
      ),
    ),
  );
  const [one, other, both] = pair.without.map((right) => whole - right);
  const together = pair.correlation < 0 ? "opposite to" : "most similar to";
  const [best] = pairs;
  const replaceable = both >= 10 && both > 2 * (one + other);
  let found = `${correlated} pairs are correlated`;
  if (correlated < 2) found = correlated === 0 ? "No pair is correlated" : "One pair is correlated";
  return el(
    "div",
    { class: "card lesson-card" },
    el("h3", {}, "Which filters are similar?"),
    el(
      "p",
      { class: "caption" },
      `Above the diagonal: correlation of the maps over ${compared} digits. Below: cosine similarity of the filters. `,
      `Outlined: correlated pairs, ${threshold} or more in magnitude.`,
    ),
    sideways("alike", grid),
    remark(
      `${found}; the closest are ${best.pair.join(" and ")}: their maps have a correlation of ` +
        `${fixed(best.correlation, 2)}, `,
      `their filters a cosine similarity of ${fixed(best.cosine, 2)}. `,
      `Filter ${chosen} is ${together} ${pair.nearest} (${fixed(pair.correlation, 2)}). With all filters ` +
        `${whole} digits `,
      `are correct; without ${chosen}: ${whole - one}, without ${pair.nearest}: ${whole - other}, without both: `,
      el("strong", { class: "both" }, String(whole - both)),
      replaceable ? ": each can replace the other, but nothing replaces both." : ".",
    ),
  );
}

/** The patches of digits that activate the chosen filter most. @param {FiltersReady} answer */
function patches({ patches: found, field, chosen, learned }) {
  return el(
    "div",
    { class: "card lesson-card" },
    el("h3", {}, `What activates filter ${chosen} most`),
    el(
      "p",
      { class: "caption" },
      `The nine patches of ${field}×${field} pixels with the largest sums, from ${count(learned)} training ` +
        "digits, at most ",
      "one per digit. Black is below zero for the network, so a dark patch can activate a filter, too.",
    ),
    el(
      "ul",
      { class: "patches" },
      ...found.map((patch) =>
        el(
          "li",
          { "aria-label": `patch of a ${patch.digit}, sum ${fixed(patch.value, 2)}` },
          gray(patch.pixels, field),
          el("span", { class: "caption" }, `${patch.digit}: ${fixed(patch.value, 2)}`),
        ),
      ),
    ),
  );
}
