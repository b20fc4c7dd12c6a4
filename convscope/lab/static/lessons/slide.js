/** A button that slides the filter over all its places, one step after another. */

import { el } from "../element.js";

const PAUSE = 650; // ms at each place, long enough to read a sum
let timer = 0;
let going = { of: "", at: -1 }; // what slides, and the place that it is on its way to or has reached

/** Leave nothing running. */
export function stop() {
  clearTimeout(timer);
  going = { of: "", at: -1 };
}

/**
 * The button, and how far the map is filled: `reached` is the last place that is shown. Whoever goes elsewhere
 * meanwhile has stopped it. Where motion is to be reduced a press is one step.
 * @param {string} of  the lesson
 * @param {{at: number, count: number, set: (at: number) => void}} how
 *   the place, how many there are, and how to go to one
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
  const text = calm ? "Next place" : playing ? "❚❚ Pause" : "▶ Slide the filter";
  const button = el(
    "button",
    {
      class: "pill slide",
      "aria-label": calm ? "Next place of the filter" : "Slide the filter, or pause",
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

/** Is a filter sliding by itself? Then nothing is read out. */
export const sliding = () => going.of !== "";

/**
 * The map as far as the filter has come.
 * @param {number[]} sums @param {number} reached
 * @returns {(number | null)[]}
 */
export const filled = (sums, reached) => sums.map((value, place) => (place <= reached ? value : null));
