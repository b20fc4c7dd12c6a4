/** Lesson: what the filters of a trained network have learned, and repeat. */

import { cell, peakOf, picture } from "../color.js";
import { el, styles } from "../element.js";
import { count, fixed, percent } from "../numbers.js";
import { gray } from "./gray_picture.js";
import { again, controls, pills, remark } from "./parts.js";
import { sideways } from "./sideways.js";

styles("lesson_learning.css");

const NAMES = { conv1: "first convolution", conv2: "second convolution" };
const AGAIN = 700; // milliseconds until a training is asked for again

/** @type {import("./screen.js").Lesson} */
export const lesson = {
  lead: "This LeNet-5 was trained on digits just now. Nobody told its filters what to look for. Some have become edges, and some say what another says already. Remove filters, one and two, and see what the network can do without.",
  start: { layer: "conv1", filter: 1, digit: 3, removed: [] },

  fit: (state) => ({
    ...state,
    removed: /** @type {number[]} */ (state.removed).filter((place) => place < (state.layer === "conv1" ? 6 : 16)),
  }),

  draw(told, state, set) {
    if (!told.ready) return [waiting(told, set)];
    return [
      controls(
        pills(
          "Layer",
          Object.keys(NAMES),
          String(state.layer),
          (layer) => set({ layer, filter: 0, removed: [] }),
          (name) => NAMES[name],
        ),
        digits(told, state, set),
        again(() => set({ ...lesson.start })),
      ),
      el(
        "div",
        { class: "card lesson-card" },
        filters(told, state, set),
        el("p", { class: "caption" }, "Under each filter: how many test digits it costs to remove it alone."),
        score(told, set),
      ),
      el("div", { class: "pairs-and-patches" }, alike(told), patches(told)),
    ];
  },
};

/** While the network is being trained. */
function waiting({ step, steps, epochs }, set) {
  const note = el(
    "div",
    { class: "card lesson-card", role: "status" },
    el("p", {}, "Training a small network on 1,797 digits. It takes some seconds, and only the first time."),
    el("progress", { value: step, max: Math.max(1, steps), "aria-label": "Training" }),
    el(
      "p",
      { class: "caption" },
      steps ? `Step ${count(step)} of ${count(steps)}, ${epochs} times through the digits.` : "Reading the digits.",
    ),
  );
  const { pathname } = location;
  setTimeout(() => note.isConnected && location.pathname === pathname && set({}), AGAIN);
  return note;
}

const digits = (told, state, set) =>
  el(
    "div",
    { class: "row digits", role: "group", "aria-label": "Digit" },
    el("span", { class: "label" }, "Digit"),
    ...told.digits.map((bytes, i) =>
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

/** A card for each filter: its slices, its map, what it is worth, and whether it is there. */
function filters(told, state, set) {
  const weights = peakOf(told.filters.flatMap((one) => one.slices.flat()));
  const values = peakOf(told.filters.flatMap((one) => one.map));
  const toggle = (i) => (told.removed.includes(i) ? told.removed.filter((place) => place !== i) : [...told.removed, i]);
  return el(
    "ul",
    { class: `learned-filters${told.filters.length > 8 ? " many" : ""}` },
    ...told.filters.map((one, i) => {
      const gone = told.removed.includes(i);
      const lost = told.whole - one.right;
      return el(
        "li",
        { class: `${i === told.chosen ? "chosen" : ""}${gone ? " gone" : ""}` },
        el(
          "button",
          {
            class: "look-at",
            "aria-label": `filter ${i}`,
            "aria-pressed": String(i === told.chosen),
            onclick: () => set({ filter: i }),
          },
          el("b", {}, `filter ${i}${one.dead ? ", dead" : ""}`),
          el("span", { class: "kernel-slices" }, ...one.slices.map((slice) => picture(slice, 5, 5, weights))),
          picture(one.map, one.side, one.side, values),
        ),
        el(
          "span",
          { class: "caption", title: `${one.right} of ${told.tested} read right without filter ${i} alone` },
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

/** How many digits are read right with what is left. */
function score({ whole, left, tested, removed }, set) {
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
        ` of ${count(tested)} test digits right, ${percent(whole / tested)}`,
        bar(whole),
      ),
    ),
    el(
      "div",
      {},
      el("dt", {}, removed.length ? `without ${removed.join(", ")}` : "nothing is removed"),
      el(
        "dd",
        {},
        el("strong", { class: "left" }, count(left)),
        ` right, ${percent(left / tested)}`,
        removed.length ? `: ${difference(whole - left)} ` : "",
        removed.length ? el("button", { class: "quiet", onclick: () => set({ removed: [] }) }, "Put all back") : null,
        bar(left),
      ),
    ),
  );
}

const difference = (lost) =>
  lost === 0 ? "as many as before" : lost > 0 ? `${count(lost)} fewer` : `${count(-lost)} more`;

/** Who goes with whom: above the diagonal the maps, below it the filters. */
function alike({ alike: { correlation, cosine, pairs, correlated, threshold }, pair, chosen, whole, compared }) {
  const size = correlation.length;
  const decimals = size > 8 ? 1 : 2;
  const value = (i, k) => (k > i ? correlation[i][k] : cosine[i][k]);
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
                    class: k > i && Math.abs(value(i, k)) >= bound ? "twin" : "",
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
  const sign = pair.correlation < 0 ? "the other way round" : "together";
  const best = pairs[0];
  return el(
    "div",
    { class: "card lesson-card" },
    el("h3", {}, "Which say the same?"),
    el(
      "p",
      { class: "caption" },
      `Above the diagonal: correlation of the maps over ${compared} digits. Below: cosine of the filters. Outlined: correlations of ${threshold} or more, in either direction.`,
    ),
    sideways("alike", grid),
    remark(
      `${correlated === 0 ? "No pair correlates so much" : correlated === 1 ? "One pair correlates so much" : `${correlated} pairs correlate so much`}; the closest are ${best.pair.join(" and ")}, whose maps correlate by ${fixed(best.correlation, 2)} while the filters' cosine is ${fixed(best.cosine, 2)}. `,
      `Filter ${chosen} goes ${sign} with ${pair.nearest} (${fixed(pair.correlation, 2)}). With all filters ${whole} digits are right; without ${chosen}: ${whole - one}, without ${pair.nearest}: ${whole - other}, without both: `,
      el("strong", { class: "both" }, String(whole - both)),
      both >= 10 && both > 2 * (one + other) ? ": either can stand in for the other, nobody for both." : ".",
    ),
  );
}

/** The pieces of digits to which the chosen filter answers most. */
function patches({ patches: found, field, chosen, learned }) {
  return el(
    "div",
    { class: "card lesson-card" },
    el("h3", {}, `What excites filter ${chosen} most`),
    el(
      "p",
      { class: "caption" },
      `The nine pieces of ${field}×${field} pixels with the largest sums, from ${count(learned)} digits that it learned from; one a digit. Black is below zero to the network, so that a dark piece can excite too.`,
    ),
    el(
      "ul",
      { class: "patches" },
      ...found.map((patch) =>
        el(
          "li",
          { "aria-label": `piece of a ${patch.digit}, sum ${fixed(patch.value, 2)}` },
          gray(patch.pixels, field),
          el("span", { class: "caption" }, `${patch.digit}: ${fixed(patch.value, 2)}`),
        ),
      ),
    ),
  );
}
