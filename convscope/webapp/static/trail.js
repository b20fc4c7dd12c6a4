/** Where you are, and how you came: network › layer › unit ← unit ← pixel. */

/** @import { Network, Position, State, WhyAsked } from "./types.js" */

import { unitAt } from "./ahead.js";
import { pixel } from "./api.js";
import { el, write } from "./element.js";
import { spotName } from "./spots.js";
import { fixed, whole } from "./numbers.js";
import { go } from "./state.js";

/**
 * @param {Network} net
 * @param {State} state
 * @returns {Node[]}
 */
export function trailBar(net, state) {
  if (!state.layer && !state.why) return [];
  const start = el("button", { onclick: () => go({ layer: "", place: null, trail: [], why: null }) }, "Network");
  const asked = state.why
    ? el(
        "button",
        {
          class: "asked",
          "aria-current": state.layer ? null : "page",
          onclick: () => go({ layer: "", place: null, trail: [] }),
        },
        whyName(net, state.why),
      )
    : null;
  if (!state.layer && asked) return [start, arrow("›"), asked];
  const parts = [
    start,
    ...(asked ? [arrow("›"), asked] : []),
    arrow("›"),
    el(
      "button",
      { "aria-current": state.place ? null : "page", onclick: () => go({ place: null, trail: [] }) },
      layerName(net, state.layer),
    ),
  ];
  if (!state.place) return parts;
  const way = [...state.trail, state.place];
  parts.push(el("span", { class: "gap" }));
  for (const [i, place] of way.entries()) {
    if (i) parts.push(arrow("←"));
    parts.push(
      el(
        "button",
        {
          "aria-current": i === way.length - 1 ? "step" : null,
          onclick: () => go({ place, layer: place.layer, trail: way.slice(0, i) }),
        },
        placeName(net, place),
        value(net, state, place),
      ),
    );
  }
  return parts;
}

/** @param {string} sign */
const arrow = (sign) => el("span", { class: "arrow", "aria-hidden": "true" }, sign);

/** "Why 3 and not 8?"; without a class where it is the network's first. @param {Network} net @param {WhyAsked} why */
export function whyName(net, { target, other }) {
  const [name, instead] = [target, other].map((index) => (index === null ? "" : (net.classes[index] ?? String(index))));
  const of = name ? `Why ${name}` : "Why this";
  if (instead) return `${of} and not ${instead}?`;
  return name ? `${of}?` : "Why?";
}

/** A long trail shows its end. @param {Element | null} trail */
export function toEnd(trail) {
  const last = /** @type {HTMLElement | null | undefined} */ (trail?.querySelector("[aria-current]"));
  if (trail && last) trail.scrollLeft = last.offsetLeft + last.offsetWidth - trail.clientWidth + 24;
}

/**
 * "conv2 maps", "fc1 units", "layer 3 maps" where a layer has only a number.
 * @param {Network} net @param {string} layer
 */
function layerName(net, layer) {
  if (layer === "image") return "image";
  const [, high, wide] = net.byName.get(layer)?.shape ?? [0, 2, 2];
  return `${/^\d+$/.test(layer) ? "layer " : ""}${layer} ${high * wide === 1 ? "units" : "maps"}`;
}

/** conv2[5,3,7]; a unit of a vector is fc2[4]; the end is a pixel. @param {Network} net @param {Position} place */
export function placeName(net, { layer, map, row, col }) {
  if (layer === "image")
    return `pixel (${row}, ${col})${net.channels > 1 ? ` ${["red", "green", "blue"][map] ?? map}` : ""}`;
  return spotName(net, { row: layer, map, y: row, x: col });
}

/**
 * The number beside the name, as soon as it is known.
 * @param {Network} net @param {State} state @param {Position} place
 */
function value(net, state, place) {
  const { layer, map, row, col } = place;
  const shown = el("span", { class: "value" });
  /** @param {string} text @param {string} full */
  const put = (text, full) => {
    write(shown, text);
    shown.title = full;
    toEnd(shown.closest(".trail"));
  };
  const asked =
    layer === "image"
      ? pixel(net.id, state.image, row, col).then(({ channels }) =>
          put(String(channels[map]?.byte ?? ""), `${channels[map]?.byte} of 255`),
        )
      : unitAt(net, state.image, place).then((u) => put(fixed(u.value, 3), whole(u.value)));
  asked.catch(() => put("", "")); // the stage says what is wrong
  return shown;
}
