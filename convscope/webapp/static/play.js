/** The map that a unit is part of, and the filter sliding over it. */

/** @import { Position, Row } from "./types.js" */
/** @import { Scene } from "./ledger.js" */

import { unit as explain } from "./api.js";
import { picture } from "./color.js";
import { el, say } from "./element.js";
import { canSlide } from "./live.js";
import { legend } from "./planes.js";
import { count, percent } from "./numbers.js";
import { go, read, slideTo } from "./state.js";
import { back } from "./matrix.js";
import { spotName, toPlace } from "./spots.js";
import { weighted } from "./unit_text.js";

const LONGEST = 400; // steps of a way back
const STOPS = 240; // of one pass over a large map
let timer = 0;
let playing = ""; // the layer whose map is being filled
let shown = Infinity; // the units of the map that the filter has reached

/** Leave nothing running and nothing hidden. */
export function stop() {
  clearTimeout(timer);
  [timer, playing, shown] = [0, "", Infinity];
}

/**
 * A unit is opened: if it is not the one that the filter has just reached, the person went elsewhere.
 * @param {Position} place @param {Row} row
 */
export function arrive(place, row) {
  if (playing && (playing !== row.name || place.row * row.shape[2] + place.col !== shown)) stop();
}

/**
 * Beside the ledger: the output map with the unit outlined, and the way on.
 * @param {Scene} scene
 * @returns {HTMLElement}
 */
export function side(scene) {
  const { row, place } = scene;
  const [maps, height, width] = row.shape;
  const one = height * width === 1;
  const name = one ? `Unit ${place.map} of ${row.name}` : `Map ${place.map} of ${row.name}`;
  /** @param {number} step @param {string} text @param {string} label */
  const turn = (step, text, label) =>
    el(
      "button",
      {
        class: "quiet",
        "aria-label": label,
        disabled: place.map + step < 0 || place.map + step >= maps,
        onclick: () => move({ map: place.map + step }),
      },
      text,
    );
  const noun = one ? "unit" : "map";
  return el(
    "aside",
    { class: "side" },
    el(
      "div",
      {
        class: "row",
        style: { "flex-wrap": "nowrap", "justify-content": "space-between", gap: "0", "grid-column": "1 / -1" },
      },
      el("h3", { style: { "overflow-wrap": "anywhere" } }, name),
      maps > 1
        ? el(
            "span",
            { style: { "white-space": "nowrap" } },
            turn(-1, "‹", `Previous ${noun}`),
            turn(1, "›", `Next ${noun}`),
          )
        : null,
    ),
    ...(one
      ? []
      : [
          board(scene),
          legend(scene.board.peak, scene.board.lowest < 0, scene.board.all ? "" : "of this map"),
          controls(scene),
        ]),
    ...onwards(scene),
  );
}

/** @param {Partial<Position>} change */
const move = (change) => {
  stop();
  const { place } = read();
  if (place) slideTo({ place: { ...place, ...change } });
};

/** The map, as far as the filter has come; a click or an arrow key moves the unit. @param {Scene} scene */
function board(scene) {
  const { row, place } = scene;
  const map = scene.board.of(place.map);
  const [high, wide] = [map.height, map.width];
  const style = {
    left: `${(100 * place.col) / wide}%`,
    top: `${(100 * place.row) / high}%`,
    width: `${100 / wide}%`,
    height: `${100 / high}%`,
  };
  const node = el(
    "div",
    {
      class: "board",
      tabindex: 0,
      role: "application",
      "aria-label": `Map ${place.map} of ${row.name}. Arrow keys move the unit${canSlide(scene) ? ", space slides the filter" : ""}.`,
    },
    picture(map.data, high, wide, scene.board.peak, shown + 1),
    el("span", { class: "mark", style }),
  );
  /** @param {number} y @param {number} x */
  const to = (y, x) => y >= 0 && x >= 0 && y < high && x < wide && move({ row: y, col: x });
  node.addEventListener("click", (event) => {
    const box = node.getBoundingClientRect();
    to(
      Math.min(high - 1, Math.floor(((event.clientY - box.top) / box.height) * high)),
      Math.min(wide - 1, Math.floor(((event.clientX - box.left) / box.width) * wide)),
    );
  });
  node.addEventListener("keydown", (event) => pressed(event, scene, to));
  return node;
}

/** @param {KeyboardEvent} event @param {Scene} scene @param {(y: number, x: number) => void} to */
function pressed(event, scene, to) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { place, row } = scene;
  /** @type {Record<string, [dy: number, dx: number]>} */
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const along =
    place.row * row.shape[2] + place.col + /** @type {Record<string, number>} */ ({ ".": 1, ",": -1 })[event.key];
  if (steps[event.key]) to(place.row + steps[event.key][0], place.col + steps[event.key][1]);
  else if (along >= 0) to(Math.floor(along / row.shape[2]), along % row.shape[2]);
  else if (event.key === " " && canSlide(scene)) toggle(scene);
  else return;
  event.preventDefault();
}

/** Pause stays at the unit that was reached, with the map whole again. @param {Scene} scene */
function toggle(scene) {
  if (!playing) return play(scene);
  stop();
  slideTo({});
}

/** @param {Scene} scene */
function controls(scene) {
  const { row, place } = scene;
  const [, height, width] = row.shape;
  const at = place.row * width + place.col + 1;
  return el(
    "div",
    { class: "row" },
    canSlide(scene)
      ? el(
          "button",
          {
            class: "pill slide",
            "aria-label": "Slide the filter, or pause",
            "aria-pressed": String(Boolean(playing)),
            onclick: () => toggle(scene),
          },
          playing ? "❚❚ Pause" : "▶ Slide the filter",
        )
      : null,
    el("span", { class: "caption" }, `${count(at)} of ${count(height * width)}`),
  );
}

/** Start at the first unit; every step is shown before the next one is asked for. @param {Scene} scene */
function play(scene) {
  stop();
  [playing, shown] = [scene.row.name, 0];
  slideTo({ place: { ...scene.place, row: 0, col: 0 } });
}

/**
 * The screen shows the unit that the filter has reached: wait, then go on. Large maps are passed in strides, and
 * with reduced motion every map is, by rows.
 * @param {Scene} scene
 */
export function goOn({ row }) {
  if (!playing) return;
  const [, height, width] = row.shape;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const stride = calm ? width : Math.ceil((height * width) / STOPS);
  clearTimeout(timer);
  timer = setTimeout(
    () => {
      const { place } = read();
      shown += stride;
      if (!place || place.layer !== row.name) return stop();
      if (shown >= height * width) {
        stop();
        return slideTo({ place: { ...place, row: height - 1, col: width - 1 } });
      }
      return slideTo({ place: { ...place, row: Math.floor(shown / width), col: shown % width } });
    },
    calm ? 900 : 90,
  );
}

/** Alone back to the pixels: the operand that contributes most. @param {Scene} scene */
function onwards(scene) {
  const { unit, net } = scene;
  const { largest, ends_at: end } = unit;
  if (!largest && end)
    return [el("p", { class: "caption" }, `What contributes most is ${end}: the way back ends there.`)];
  if (!largest) return [el("p", { class: "caption" }, "Nothing leads from this number back to the image.")];
  /** @type {Record<string, string>} */
  const words = {
    maximum: "largest operand",
    minimum: "smallest operand",
    identity: "copy",
    expression: ["softmax", "sigmoid"].includes(unit.kind) ? "score" : "operand",
    sum: weighted(unit) ? "largest product" : "largest value",
  };
  const leave = () => {
    say(spotName(net, largest));
    stop();
    back(scene, largest);
  };
  const share = unit.largest_share === null ? "" : `: ${percent(unit.largest_share)} of all magnitudes`;
  const most = unit.decomposition === "sum" && unit.count > 1 ? `, which contributes most${share}` : "";
  /** @type {HTMLButtonElement} */
  const direct = el(
    "button",
    { class: "pill direct", onclick: () => toPixel(scene, direct) },
    "⇤ To the pixel at once",
  );
  return [
    el(
      "button",
      { class: "pill main follow", title: "F", onclick: leave },
      `← Follow the ${words[unit.decomposition] ?? "largest value"}`,
    ),
    largest.row === "image" ? "" : direct,
    el(
      "p",
      { class: "caption" },
      `One step back, to ${spotName(net, largest)}${most}. Keep following, and you end at a pixel.`,
    ),
  ];
}

/**
 * Follow the largest operand, and its largest operand, to where that ends: all steps stand in the trail.
 * @param {Scene} scene @param {HTMLButtonElement} button
 */
async function toPixel({ net, image, place, unit }, button) {
  button.disabled = true;
  const trail = [...read().trail, place];
  let spot = unit.largest;
  try {
    while (spot && spot.row !== "image" && trail.length < LONGEST) {
      const here = toPlace(spot);
      trail.push(here);
      spot = (await explain(net.id, image.id, here.layer, [here.map, here.row, here.col])).largest;
    }
  } catch {
    spot = null; // it leads to a unit that is not here: as far as it goes
  }
  const last = spot ? toPlace(spot) : trail.pop();
  const now = read().place;
  const isHere =
    now && [now.layer, now.map, now.row, now.col].join() === [place.layer, place.map, place.row, place.col].join();
  if (last && isHere) go({ place: last, layer: last.layer, trail });
}
