/**
 * Two filters walk over a volume of three channels, padding 1 and stride 2, one position after the other: the numbers
 * are Python's.
 */

import { peakOf } from "../color.js";
import { el, write } from "../element.js";
import { fixed } from "../numbers.js";
import { factor, figure } from "./parts.js";
import { lattice, windowed } from "./lattice.js";
import { WALK } from "./walk_numbers.js";

const PAUSE = 1400; // milliseconds at a position
const COLORS = ["Red", "Green", "Blue"];
let at = 0; // the step, which stays while the lesson is drawn again
let timer = 0;

/** The animation, with its own buttons. */
export function walk() {
  clearInterval(timer);
  timer = 0;
  const place = el("div", { class: "walk", "aria-label": "Two filters over a volume", role: "region", tabindex: 0 });
  const told = el("p", { class: "caption", role: "status" });
  const play = el("button", { class: "pill", onclick: () => (timer ? stop() : start()) }, "▶ Play");
  const back = el("button", { class: "pill", onclick: () => to(at - 1) }, "◀ Back");
  const next = el("button", { class: "pill", onclick: () => to(at + 1) }, "Next ▶");

  function stop() {
    clearInterval(timer);
    timer = 0;
    write(play, "▶ Play");
  }
  function start() {
    write(play, "❚❚ Pause");
    if (at === WALK.steps.length - 1) show(0);
    timer = setInterval(() => {
      if (!place.isConnected || at === WALK.steps.length - 1) return stop();
      show(at + 1);
    }, PAUSE);
  }
  /** @param {number} step */
  function to(step) {
    stop();
    show(step);
  }
  /** @param {number} step */
  function show(step) {
    at = Math.max(0, Math.min(WALK.steps.length - 1, step));
    place.replaceChildren(...drawn());
    back.disabled = at === 0;
    next.disabled = at === WALK.steps.length - 1;
    const { filter, row, column, total } = WALK.steps[at];
    write(
      told,
      `Step ${at + 1} of ${WALK.steps.length}: filter ${filter + 1} at row ${row}, column ${column} gives ${fixed(total, 0)}.`,
    );
  }
  show(at);
  return el(
    "div",
    { class: "card" },
    el("b", {}, "Two filters over a volume, step by step"),
    el(
      "p",
      { class: "caption" },
      "The volume has 5×5 pixels and three channels; a border of zeros, the padding, lies around it. Each filter has a slice for " +
        "each channel and moves two pixels at a time, the stride. Two filters make two maps.",
    ),
    el("div", { class: "row" }, back, next, play, told),
    place,
  );
}

function drawn() {
  const step = WALK.steps[at];
  const window = {
    row: step.row * WALK.stride,
    column: step.column * WALK.stride,
    size: WALK.kernel,
    kind: /** @type {const} */ ("now"),
  };
  const before = (/** @type {number} */ map) =>
    WALK.maps[map].map((value, i) => (map * WALK.maps[0].length + i <= at ? value : null));
  return [
    column(
      "Volume with padding",
      ...WALK.volume.map((values, c) =>
        figure(
          COLORS[c],
          `${WALK.side}×${WALK.side}`,
          windowed(
            lattice({
              columns: WALK.side,
              values,
              label: `${COLORS[c]} with padding`,
              marked: step.cells,
              outside: WALK.outside,
              size: "small",
            }),
            WALK.side,
            [window],
          ),
        ),
      ),
    ),
    ...WALK.filters.map((slices, k) =>
      column(
        `Filter ${k + 1}`,
        ...slices.map((values, c) =>
          figure(
            COLORS[c],
            "3×3",
            lattice({
              columns: WALK.kernel,
              values,
              label: `filter ${k + 1} for ${COLORS[c].toLowerCase()}`,
              paint: 1.3 * peakOf(values),
              size: "small",
            }),
          ),
        ),
        el("p", { class: k === step.filter ? "bias now" : "bias" }, `bias ${fixed(WALK.biases[k], 0)}`),
      ),
    ),
    column(
      "Maps",
      ...WALK.maps.map((_, k) =>
        figure(
          `Map ${k + 1}`,
          `${WALK.columns}×${WALK.columns}`,
          lattice({
            columns: WALK.columns,
            values: before(k),
            label: `map ${k + 1}`,
            paint: peakOf(WALK.maps.flat()),
            marked: k === step.filter ? [step.row * WALK.columns + step.column] : [],
            size: "small",
          }),
        ),
      ),
      arithmetic(),
    ),
  ];
}

/** @param {string} title @param {...Node} children */
const column = (title, ...children) => el("div", { class: "walk-column" }, el("b", {}, title), ...children);

/** The sums of the three channels, and what they add up to. */
function arithmetic() {
  const { parts, total, filter } = WALK.steps[at];
  const whole = (/** @type {number} */ value) => fixed(value, 0);
  return el(
    "div",
    { class: "walk-sums" },
    ...parts.map(({ terms, sum }, c) =>
      el(
        "p",
        {},
        el("b", {}, `${COLORS[c]}: `),
        `${terms.map(([value, weight]) => `${whole(value)}·${factor(weight, 0)}`).join(" + ")} = `,
        el("b", {}, whole(sum)),
      ),
    ),
    el(
      "p",
      {},
      `${parts.map(({ sum }, c) => (c ? factor(sum, 0) : whole(sum))).join(" + ")} + ${whole(WALK.biases[filter])} (bias) = `,
      el("strong", { class: "walk-total" }, whole(total)),
    ),
  );
}
