/** Lesson: the size of the map by the formula, and the windows that produce a desired size. */

/** @import { Lesson, LessonState, SetState, SizeAnswer } from "./types.js" */

import { el, styles } from "../element.js";
import { count, several } from "../numbers.js";
import { axisRow, key } from "./axis_row.js";
import { wholeNumber } from "./number_field.js";
import { again, columnHeads, controls, formula, pills, remark } from "./parts.js";

await styles("lesson_figures.css");

const MOST = 10_000;
/** Example layers: what differs from `PLAIN`. */
const PLAIN = { stride: 1, padding: 0, dilation: 1, rounding: "down" };
/** @type {Record<string, LessonState>} */
const LAYERS = {
  "LeNet-5, 32": { size: 32, kernel: 5, wanted: 28 },
  "AlexNet, 227": { size: 227, kernel: 11, stride: 4, wanted: 55 },
  "AlexNet, 224": { size: 224, kernel: 11, stride: 4, wanted: 54 },
  "ResNet, 224": { size: 224, kernel: 7, stride: 2, padding: 3, wanted: 112 },
  "pooling, rounded up": { size: 12, kernel: 3, stride: 2, rounding: "up", wanted: 6 },
  "dilation 3": { size: 16, kernel: 3, dilation: 3, wanted: 10 },
  "stride beyond filter": { size: 13, kernel: 2, stride: 3, wanted: 4 },
};

/** @type {Lesson<SizeAnswer>} */
export const lesson = {
  lead:
    "How many positions does the filter have along one side? It starts at the left edge of the padded input and " +
    "moves by the stride until it no longer fits. Count the steps, and add one for the first position. Height and " +
    "width follow the same rule, independently.",
  start: { size: 10, kernel: 3, ...PLAIN, stride: 2, wanted: 5 },

  draw(answer, state, set) {
    /** @param {string} name @param {string} label @param {string} letter @param {number} [low] */
    const field = (name, label, letter, low = 1) =>
      wholeNumber(label, Number(state[name]), { low, high: MOST, letter, set: (value) => set({ [name]: value }) });
    const known =
      Object.keys(LAYERS).find((name) =>
        Object.entries({ ...PLAIN, ...LAYERS[name] }).every(
          ([part, value]) => part === "wanted" || state[part] === value,
        ),
      ) ?? "";
    return [
      controls(
        field("size", "Input size", "N"),
        field("kernel", "Filter size", "F"),
        field("stride", "Stride", "S"),
        field("padding", "Padding", "P", 0),
        field("dilation", "Dilation", "D"),
        pills("Round", ["down", "up"], String(state.rounding), (rounding) => set({ rounding })),
      ),
      controls(
        pills("Try", Object.keys(LAYERS), known, (name) => set({ ...PLAIN, ...LAYERS[name] })),
        again(() => set({ ...lesson.start })),
      ),
      answer.problem ? el("p", { class: "note", "data-said": true }, answer.problem) : output(answer, state),
      span(answer, state),
      inverse(answer, state, set),
    ];
  },
};

/** The formula, and the row of cells. @param {SizeAnswer} answer @param {LessonState} state */
function output(answer, state) {
  const { drawing, unread } = answer;
  const letters = "(N − F + 2·P)/S + 1";
  const padded = drawing.cells.some(({ kind }) => kind === "padding");
  const shown =
    drawing.gap === null
      ? ""
      : ` The ${count(drawing.hidden)} cells in the middle are not drawn, nor are the windows that lie there entirely.`;
  return el(
    "section",
    { class: "card axis-card", "aria-label": "The output size" },
    el(
      "p",
      { class: "sentence", "data-said": `The output size is ${count(answer.output)}.` },
      el("span", { class: "letters" }, letters, " → "),
      ...bold(formula(answer.formula)),
    ),
    el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "The axis" }, axisRow(drawing)),
    key(unread > 0, padded),
    remark(
      [
        unread ? `${capital(answer.unread_sentence)}.` : "Every cell is read.",
        answer.next_exact === state.size
          ? "The stride fits exactly."
          : `The stride fits exactly again at an input of ${count(answer.next_exact)}.`,
      ].join(" ") + shown,
    ),
  );
}

/** The last number of the formula is what was asked for. @param {string} text */
function bold(text) {
  const [, before, number] = /^(.*?)([\d.]+)$/.exec(text) ?? ["", text, ""];
  return [el("span", {}, before), el("strong", {}, number)];
}

/** @param {string} text */
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** @param {SizeAnswer} answer @param {LessonState} state */
function span(answer, state) {
  if (state.dilation === 1) return null;
  return remark(
    `With dilation ${count(Number(state.dilation))} the cells that the filter reads are ` +
      `${count(Number(state.dilation))} apart. So it spans D·(F − 1) + 1 = ${count(answer.span)} cells with ` +
      `${several(Number(state.kernel), "weight")}; in the formula F is this span.`,
  );
}

/** Which windows make a wanted output. @param {SizeAnswer} answer @param {LessonState} state @param {SetState} set */
function inverse(answer, state, set) {
  const rows = answer.fitting;
  /** @param {SizeAnswer["fitting"][number]} row */
  const take = (row) => set({ ...PLAIN, kernel: row.kernel, stride: row.stride, padding: row.padding });
  const head = ["Filter", "Stride", "Padding", "Formula", "Never read", ""];
  return el(
    "section",
    { class: "card inverse", "aria-label": "The reverse question" },
    el("h3", {}, "The reverse question"),
    el(
      "div",
      { class: "row" },
      wholeNumber("Wanted output", Number(state.wanted), { low: 1, high: MOST, set: (wanted) => set({ wanted }) }),
      el(
        "p",
        { class: "caption", "data-said": true },
        `${rows.length ? several(rows.length, "window") : "No window"} ${rows.length > 1 ? "give" : "gives"} an ` +
          `output of ${count(Number(state.wanted))} for ${several(Number(state.size), "cell")}. Tried: ` +
          `${answer.tried}, padding up to half the filter.`,
      ),
    ),
    rows.length
      ? el(
          "div",
          {
            class: "scroll listed",
            tabindex: 0,
            role: "region",
            "aria-label": "Windows that produce the desired output size",
          },
          el(
            "table",
            { class: "figures" },
            columnHeads(head),
            el(
              "tbody",
              {},
              ...rows.map((row) =>
                el(
                  "tr",
                  {
                    class:
                      row.kernel === state.kernel &&
                      row.stride === state.stride &&
                      row.padding === state.padding &&
                      state.dilation === 1
                        ? "now"
                        : null,
                  },
                  ...[row.kernel, row.stride, row.padding].map((n) => el("td", {}, count(n))),
                  el("td", { class: "text" }, formula(row.formula)),
                  el("td", {}, row.unread ? several(row.unread, "cell") : "–"),
                  el(
                    "td",
                    {},
                    el(
                      "button",
                      {
                        class: "quiet",
                        "aria-label": `Take filter ${row.kernel}, stride ${row.stride}, padding ${row.padding}`,
                        onclick: () => take(row),
                      },
                      "Take",
                    ),
                  ),
                ),
              ),
            ),
          ),
        )
      : null,
  );
}
