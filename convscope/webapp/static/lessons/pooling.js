/** Lesson: pooling, what it keeps of a map, and whether it notices a shift. */

/** @import { Lesson, LessonState, PoolingAnswer, SetState } from "./types.js" */

import { peakOf } from "../color.js";
import { el, styles } from "../element.js";
import { fixed, several } from "../numbers.js";
import { again, columnHeads, controls, factor, figure, formula, pills, remark, scene, stepper } from "./parts.js";
import { decimalsOf, lattice, put } from "./lattice.js";

await styles("lesson_figures.css");

const LECTURE = [
  5, 1, 7, 7, 8, 1, 7, 2, 5, 7, 8, 1, 5, 3, 5, 4, 4, 2, 4, 4, 3, 3, 2, 1, 3, 3, 4, 7, 8, 1, 5, 7, 8, 2, 3, 1,
];
/** @param {number} place */
const point = (place) => Array.from({ length: 36 }, (_, i) => (i === place ? 9 : 0));
const WAVE = [
  0, 1, 2, 3, 3, 2, 1, 0, 1, 3, 5, 6, 6, 5, 3, 1, 2, 5, 8, 9, 9, 8, 5, 2, 3, 6, 9, 4, 4, 9, 6, 3, 3, 6, 9, 4, 4, 9, 6,
  3, 2, 5, 8, 9, 9, 8, 5, 2, 1, 3, 5, 6, 6, 5, 3, 1, 0, 1, 2, 3, 3, 2, 1, 0,
];
/** @type {Record<string, { side: number, map: number[], shift?: string }>} */
const MAPS = {
  "lecture's": { side: 6, map: LECTURE },
  "a point inside a window": { side: 6, map: point(14), shift: "right" },
  "a point at a window's edge": { side: 6, map: point(15), shift: "right" },
  "8×8": { side: 8, map: WAVE },
};
/** @type {Record<string, Record<string, number>>} */
const WINDOWS = {
  "2, stride 2": { window: 2, stride: 2, padding: 0 },
  "AlexNet's 3, stride 2": { window: 3, stride: 2, padding: 0 },
  "3, stride 1, padding 1": { window: 3, stride: 1, padding: 1 },
};

/** @type {Lesson<PoolingAnswer>} */
export const lesson = {
  lead:
    "Pooling has no weights. It takes one number from each window: the largest, the mean, the smallest, or the " +
    "root of the sum of squares. The map gets smaller, and the exact position of the number is lost. Change a cell " +
    "and see when the result changes.",
  start: { side: 6, map: LECTURE, kind: "max", window: 2, stride: 2, padding: 0, shift: "right", at: 0 },

  fit(state) {
    const [side, window] = [Number(state.side), Math.min(Number(state.window), Number(state.side))];
    return {
      ...state,
      window,
      stride: Math.min(Number(state.stride), side),
      padding: Math.min(Number(state.padding), Math.floor(window / 2)),
    };
  },

  draw(answer, state, set) {
    const [side, window, stride, padding] = [state.side, state.window, state.stride, state.padding].map(Number);
    const held =
      Object.keys(MAPS).find((name) => MAPS[name].map.join() === /** @type {number[]} */ (state.map).join()) ?? "";
    const known =
      Object.keys(WINDOWS).find((name) =>
        Object.entries(WINDOWS[name]).every(([part, value]) => state[part] === value),
      ) ?? "";
    return [
      controls(
        pills("Take the", ["max", "average", "min", "L2"], String(state.kind), (kind) => set({ kind })),
        stepper("Window", window, { low: 1, high: side, set: (value) => set({ window: value }) }),
        stepper("Stride", stride, { low: 1, high: side, set: (value) => set({ stride: value }) }),
        stepper("Padding", padding, { low: 0, high: Math.floor(window / 2), set: (value) => set({ padding: value }) }),
      ),
      controls(
        pills("Map", Object.keys(MAPS), held, (name) => set({ ...MAPS[name], at: 0 })),
        pills("Try", Object.keys(WINDOWS), known, (name) => set(WINDOWS[name])),
        again(() => set({ ...lesson.start })),
      ),
      pooled(answer, state, set),
      el(
        "p",
        {
          class: "card sentence",
          "data-said": `The result is ${fixed(answer.unit.value, decimalsOf([answer.unit.value]))}.`,
        },
        ...one(answer.unit, String(state.kind)),
      ),
      remark(kept(answer, state)),
      shifted(answer, state, set),
    ];
  },
};

/**
 * The map, the pooled map, and which cells determine it.
 * @param {PoolingAnswer} answer @param {LessonState} state @param {SetState} set
 */
function pooled(answer, state, set) {
  const map = /** @type {number[]} */ (state.map);
  const [side, peak] = [Number(state.side), peakOf([...map, ...answer.pooled])];
  const small = side === 8 || answer.output > 4 ? "small" : undefined;
  const silent = answer.say.flatMap((times, place) => (times ? [] : [place]));
  return scene(
    figure(
      "Map",
      `${side}×${side}`,
      lattice({
        columns: side,
        values: map,
        label: "map",
        size: small,
        marked: answer.unit.window,
        missed: answer.unread,
        edit: (i, v) => set({ map: put(map, i, v) }),
      }),
    ),
    "→",
    figure(
      "Pooled",
      `${answer.output}×${answer.output}`,
      lattice({
        columns: answer.output,
        values: answer.pooled,
        label: "pooled",
        size: small,
        paint: peak,
        marked: [answer.unit.at],
        choose: (at) => set({ at }),
      }),
    ),
    figure(
      "Which cells matter",
      "in any window",
      lattice({
        columns: side,
        values: map,
        label: "say",
        size: small,
        missed: silent,
        corner: (i) => (answer.say[i] > 1 && answer.output > 1 ? `${answer.say[i]}×` : null),
      }),
    ),
  );
}

/** How the chosen unit came about. @param {PoolingAnswer["unit"]} unit @param {string} kind */
function one({ values, value, takers, outside }, kind) {
  const digits = decimalsOf(values);
  const result = el("strong", {}, ` = ${fixed(value, decimalsOf([value]))}`);
  /** @param {(value: number) => string} text */
  const terms = (text) =>
    values.flatMap((v, i) => [i ? " " : "", el("span", { class: "term" }, `${i ? "+ " : ""}${text(v)}`)]);
  const zeros = outside ? ` + ${several(outside, "zero")} of the padding` : "";
  if (kind === "average")
    return ["(", ...terms((v) => factor(v, digits)), zeros, `) / ${values.length + outside}`, result];
  if (kind === "L2") return ["√(", ...terms((v) => `${factor(v, digits)}²`), ")", result];
  const tied = takers.length > 1 ? ` ${takers.length} cells are tied; each of them counts.` : "";
  return [
    `${kind}(`,
    values.map((v) => fixed(v, digits)).join(", "),
    ")",
    result,
    tied ? el("span", { class: "caption" }, tied) : null,
  ].filter((part) => part !== null);
}

/** @param {PoolingAnswer} answer @param {LessonState} state */
function kept(answer, state) {
  const cells = Number(state.side) ** 2;
  const all = answer.with_say === cells ? "All" : `${answer.with_say} of ${cells}`;
  const left =
    answer.kept > 1
      ? `${cells} numbers become ${answer.units}`
      : `${answer.units} of ${cells} numbers are left, ${Number((100 * answer.kept).toFixed(1))}%`;
  const other =
    /** @type {Record<string, string>} */ ({ max: "smaller", min: "larger" })[String(state.kind)] ?? "other";
  const lost =
    answer.with_say === cells ? "" : ` The hatched ones could have any ${other} value without changing the result.`;
  const unread = answer.unread.length
    ? ` ${several(answer.unread.length, "cell")} ${answer.unread.length === 1 ? "is" : "are"} in no window: ` +
      `${formula(answer.formula)}.`
    : "";
  return `${left}. ${all} cells count.${lost}${unread}`;
}

/** The same map one cell further. @param {PoolingAnswer} answer @param {LessonState} state @param {SetState} set */
function shifted(answer, state, set) {
  const { moved } = answer;
  const side = Number(state.side);
  const peak = peakOf([.../** @type {number[]} */ (state.map), ...answer.pooled, ...moved.pooled]);
  const most = answer.pooled.length;
  const mine = moved.changed.length;
  const changed = `${several(moved.changed_cells, "cell")} of the map changed`;
  let verdict = `${changed}, and ${mine} of the ${most} results (outlined).`;
  if (!moved.changed_cells) verdict = "The shifted map is the same map: nothing can change.";
  else if (!mine)
    verdict = `${changed}, but none of the ${most} results: the cells that matter are still in their windows.`;
  return el(
    "section",
    { class: "card moved", "aria-label": "The map shifts by one cell" },
    el(
      "div",
      { class: "row spread" },
      el("h3", {}, "The map shifts by one cell"),
      pills("To the", ["right", "down", "left", "up"], String(state.shift), (shift) => set({ shift })),
    ),
    el(
      "div",
      { class: "moved-scene" },
      figure(
        "Map, shifted",
        "zeros shift in",
        lattice({ columns: side, values: moved.map, label: "moved map", size: "small" }),
      ),
      figure(
        "Pooled",
        "changed cells outlined",
        lattice({
          columns: answer.output,
          values: moved.pooled,
          label: "moved pooled",
          size: "small",
          paint: peak,
          marked: moved.changed,
        }),
      ),
      el(
        "table",
        { class: "figures" },
        columnHeads(["Pooling", "results changed", "largest change"]),
        el(
          "tbody",
          {},
          ...moved.kinds.map(({ kind, changed, largest }) =>
            el(
              "tr",
              { class: kind === state.kind ? "now" : null },
              el("th", { scope: "row" }, kind),
              el("td", {}, `${changed} of ${most}`),
              el("td", {}, fixed(largest, decimalsOf([largest]))),
            ),
          ),
        ),
      ),
    ),
    remark(
      verdict,
      " ",
      "Max pooling ignores a small shift within a window, but not one across its border. Try the two single points.",
    ),
  );
}
