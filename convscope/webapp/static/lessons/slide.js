/** A button that slides the filter over all positions, step by step. */

import { el } from "../element.js";

const PAUSE = 650; // ms at each place, long enough to read a sum
let timer = 0;
let going = { of: "", at: -1 }; // what slides, and the position that it moves to or has reached

/** Stop the animation. */
export function stop() {
  clearTimeout(timer);
  going = { of: "", at: -1 };
}

/**
 * The button, and how far the map is filled: `reached` is the last position shown. Navigating elsewhere
 * stops it. If reduced motion is preferred, a press is one step.
 * @param {string} of  the lesson
 * @param {{at: number, count: number, set: (at: number) => void}} how
 *   the position, their number, and a function that moves to one
 */
export function slide(of, { at, count, set }) {
  clearTimeout(timer);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (going.of && (going.of !== of || going.at !== at || calm)) stop();
  if (going.of && at < count - 1) timer = setTimeout(() => to(at + 1), PAUSE);
  else if (going.of) stop();
  /** @param {number} place */
  const to = (place) => {
    going = { of, at: place };
    set(place);
  };
  const playing = going.of === of;
  const pressed = () => {
    if (calm) return set((at + 1) % count);
    if (!playing) return to(at < count - 1 && at > 0 ? at : 0);
    stop();
    return set(at);
  };
  const text = calm ? "Next position" : playing ? "❚❚ Pause" : "▶ Slide the filter";
  const button = el(
    "button",
    {
      class: "pill slide",
      "aria-label": calm ? "Next position of the filter" : "Slide the filter, or pause",
      "aria-pressed": calm ? null : String(playing),
      onclick: pressed,
    },
    text,
  );
  return {
    button: el("span", { class: "row" }, button, el("span", { class: "caption" }, `${at + 1} of ${count}`)),
    reached: playing ? at : Infinity,
  };
}

/** Whether the animation runs; then nothing is announced. */
export const sliding = () => going.of !== "";

/**
 * The map, filled up to the filter's position.
 * @param {number[]} sums @param {number} reached
 * @returns {(number | null)[]}
 */
export const filled = (sums, reached) => sums.map((value, place) => (place <= reached ? value : null));
