/** Lesson: a filter that responds to an eye finds it anywhere. */

/** @import { DetectorAnswer, Lesson, LessonState, SetState } from "./types.js" */

import { peakOf } from "../color.js";
import { el, styles } from "../element.js";
import { count, several } from "../numbers.js";
import { lattice } from "./lattice.js";
import { again, controls, figure, pills, remark, scene, stepper, sum } from "./parts.js";
import { colored, gray, pixels } from "./pixels.js";
import { sideways } from "./sideways.js";

await styles("lesson_figures.css");
await styles("lesson_networks.css");
await styles("lesson_motives.css");

const SHOWN = 224; // screen pixels of the picture's side
const LIGHT = 255 / 9; // of a gray level

/** @type {Lesson<DetectorAnswer>} */
export const lesson = {
  lead:
    "This filter looks for an eye: dark above, bright below, a dark pupil. The same 25 weights look at every place, so " +
    "it finds both eyes, and finds them again when the face moves. Move the face and watch the maximum of the map.",
  start: { right: 0, down: 0, turn: "0", pool: "4", at: 289 },

  draw(answer, state, set) {
    const { side, made, unit } = answer;
    const peak = peakOf(answer.map);
    return [
      controls(
        stepper("Face to the right", Number(state.right), { low: -5, high: 5, set: (right) => set({ right }) }),
        stepper("Face down", Number(state.down), { low: -5, high: 5, set: (down) => set({ down }) }),
        pills(
          "Turned by",
          ["0", "90"],
          String(state.turn),
          (turn) => set({ turn }),
          (t) => `${t}°`,
        ),
        again(() => set({ ...lesson.start })),
      ),
      scene(
        figure(
          "Face",
          `${side}×${side}`,
          pixels({
            canvas: gray(
              answer.picture.map((level) => Math.round(level * LIGHT)),
              side,
            ),
            side,
            scale: SHOWN / side,
            label: "The face, with the window of the chosen unit",
            mark: { row: unit.row, column: unit.column, size: 5 },
          }),
        ),
        "∗",
        sideways(
          "filter",
          figure(
            "Filter",
            "5×5, sum 0",
            lattice({ columns: 5, values: answer.template, label: "filter", paint: 3, size: "small" }),
          ),
        ),
        "=",
        figure(
          "Map",
          `${made}×${made}`,
          marked(
            pixels({
              canvas: colored(answer.map, made, peak),
              side: made,
              scale: (SHOWN * made) / side / made,
              label: "The map. Arrow keys move the unit.",
              mark: { row: unit.row, column: unit.column, size: 1 },
              choose: (row, column) => set({ at: row * made + column }),
            }),
            answer.peaks,
            made,
            3,
          ),
        ),
      ),
      sum(unit.terms, unit.total),
      el("p", { "data-said": true }, found(answer, state)),
      pooling(answer, state, set),
      remark(
        "A convolution is equivariant to shifts: shift in, shift out. The maximum of the whole map is invariant: it says " +
          "that there is an eye, and not where. Neither holds for turns: for an eye that stands upright, a network needs " +
          "another filter.",
      ),
    ];
  },
};

/**
 * Rings around the peaks, `wide` units across.
 * @param {HTMLElement} board @param {number[][]} peaks @param {number} side @param {number} wide
 */
function marked(board, peaks, side, wide) {
  const out = (wide - 1) / 2;
  const share = (/** @type {number} */ n) => `${(100 * n) / side}%`;
  for (const [row, column] of peaks)
    board.append(
      el("span", {
        class: "peak",
        style: { top: share(row - out), left: share(column - out), width: share(wide), height: share(wide) },
      }),
    );
  return board;
}

/** @param {DetectorAnswer} answer @param {LessonState} state */
function found({ most, peaks, start_peaks, moved }, state) {
  const places = (/** @type {number[][]} */ all) =>
    all.map(([row, column]) => `row ${row}, column ${column}`).join(" and ");
  const here = `The largest response is ${count(most)}, at ${places(peaks)}`;
  if (state.turn === "90") return `${here}: of the turned face the filter finds less.`;
  if (!Number(state.right) && !Number(state.down)) return `${here}: the two eyes.`;
  return `${here}. Before the shift it was at ${places(start_peaks)}: ${
    moved ? "the map moved along with the face, pixel by pixel." : "it did not move along."
  }`;
}

/** @param {DetectorAnswer} answer @param {LessonState} state @param {SetState} set */
function pooling({ pooled, changed, made }, state, set) {
  const still = !Number(state.right) && !Number(state.down);
  const whole = pooled.side === 1;
  return el(
    "section",
    { class: "card lesson-card", "aria-label": "Max pooling of the map" },
    controls(
      pills(
        "Max pooling of",
        ["1", "2", "4", "7", "28"],
        String(state.pool),
        (pool) => set({ pool }),
        (p) => (p === "1" ? "none" : p === "28" ? "the whole map" : `${p}×${p}`),
      ),
    ),
    el(
      "div",
      { class: "picture-and-cloud" },
      figure(
        "Pooled map",
        `${pooled.side}×${pooled.side}`,
        marked(
          pixels({
            canvas: colored(pooled.values, pooled.side, peakOf(pooled.values)),
            side: pooled.side,
            scale: 196 / pooled.side,
            label: `The pooled map, ${pooled.side}×${pooled.side}`,
          }),
          whole ? [] : pooled.peaks,
          pooled.side,
          pooled.side > 14 ? 3 : 1.3,
        ),
      ),
      remark(
        still
          ? "Move the face to see what changes."
          : `The shift changes ${several(changed, "unit")} of ${count(made * made)} in the map, and ${count(pooled.changed)} ` +
              `of ${count(pooled.units)} after pooling. ` +
              (whole && !pooled.changed
                ? `One number, and it stays${state.turn === "90" ? "" : ": there is an eye"}. `
                : "") +
              (pooled.changed && !whole
                ? "A peak that stays in its window leaves its unit as it is; one that crosses a border moves to the next."
                : ""),
      ),
    ),
  );
}
