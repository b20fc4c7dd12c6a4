/** The canvas of a map of images: pan, zoom, the image under the pointer, and a walk with the arrow keys. */

/** @import { ImageMap } from "./types.js" */
/** @import { Window } from "./points.js" */

import { hue } from "../color.js";
import { contextOf, el, say, write } from "../element.js";
import { ahead, colorOf, fitted, nearest, placeOf, shapeOf, zoomed } from "./points.js";

const STILL = 4; // pixels that a pointer may move and still press

/**
 * @typedef {{found: ImageMap, sheet: string, name: (i: number) => {image: string, text: string},
 *   open: (i: number, pressed: EventTarget | null) => void,
 *   kept: {hidden: Set<number>, thumbs: boolean, wrong: boolean}}} MapScene
 * @typedef {{scene: MapScene, canvas: HTMLCanvasElement, card: HTMLElement, view: HTMLCanvasElement, words: HTMLElement,
 *   picture: HTMLImageElement, width: number, height: number, at: Window, chosen: number, isFitted: boolean}} Board
 */

/** @param {MapScene} scene */
export function imageCanvas(scene) {
  const canvas = el("canvas", {
    class: "image-map",
    tabindex: 0,
    role: "application",
    "aria-label": `Map of ${scene.found.images} images; arrow keys go from image to image, Enter opens one`,
  });
  const view = el("canvas", { width: 96, height: 96, "aria-hidden": "true" });
  const words = el("p", {});
  const card = el("div", { class: "card under-pointer", hidden: true }, view, words);
  const node = el("div", { class: "map-of-images" }, canvas, card);
  const picture = new Image();
  /** @type {Board} */
  const board = {
    scene, canvas, card, view, words, picture,
    width: 0, height: 0, at: { scale: 1, left: 0, top: 0 }, chosen: -1, isFitted: false,
  }; // prettier-ignore
  picture.onload = () => paint(board);
  picture.src = scene.sheet;
  new ResizeObserver(() => measure(board)).observe(node);
  point(board);
  canvas.addEventListener("keydown", (event) => walk(board, event));
  return {
    node,
    draw: () => paint(board),
    fit: () => fit(board),
    /** @param {number} factor */
    zoom: (factor) => zoom(board, factor, board.width / 2, board.height / 2),
  };
}

/** @param {Board} board */
function measure(board) {
  const { canvas } = board;
  const ratio = devicePixelRatio || 1;
  [board.width, board.height] = [canvas.clientWidth, canvas.clientHeight];
  [canvas.width, canvas.height] = [Math.round(board.width * ratio), Math.round(board.height * ratio)];
  if (board.width && !board.isFitted) fit(board);
  else paint(board);
}

/** @param {Board} board */
function fit(board) {
  board.at = fitted(board.scene.found, board.width, board.height);
  board.isFitted = true;
  paint(board);
}

/** @param {Board} board @param {number} factor @param {number} x @param {number} y */
function zoom(board, factor, x, y) {
  board.at = zoomed(board.at, factor, x, y);
  paint(board);
}

/** The images that are shown. @param {Board} board */
function shownOf({ scene: { found, kept } }) {
  return found.labels.flatMap((label, i) =>
    kept.hidden.has(label) || (kept.wrong && label === found.predicted[i]) ? [] : [i],
  );
}

/** @param {Board} board */
function paint(board) {
  const { canvas, width, height, at, scene, picture } = board;
  const { found, kept } = scene;
  const context = contextOf(canvas);
  const ratio = devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const size = Math.max(16, Math.min(48, at.scale / 24));
  const thumbs = kept.thumbs && picture.complete;
  for (const i of shownOf(board)) {
    const [x, y] = placeOf(found, i, at);
    if (x < -50 || y < -50 || x > width + 50 || y > height + 50) continue;
    context.fillStyle = context.strokeStyle = colorOf(found.labels[i]);
    context.lineWidth = 2;
    if (thumbs) {
      thumbnail(context, board, i, x - size / 2, y - size / 2, size);
      context.strokeRect(x - size / 2, y - size / 2, size, size);
    } else {
      mark(context, shapeOf(found.labels[i]), x, y, 3.5);
      context.fill();
    }
    if (found.labels[i] !== found.predicted[i])
      ring(context, x, y, thumbs ? size * 0.75 : 7, colorOf(found.predicted[i]));
  }
  if (board.chosen < 0) return;
  const [x, y] = placeOf(found, board.chosen, at);
  ring(context, x, y, thumbs ? size * 0.9 : 11, hue("accent"));
}

/** @param {CanvasRenderingContext2D} context @param {string} shape @param {number} x @param {number} y @param {number} r */
function mark(context, shape, x, y, r) {
  context.beginPath();
  if (shape === "disc") context.arc(x, y, r, 0, 7);
  else if (shape === "square") context.rect(x - r, y - r, 2 * r, 2 * r);
  else {
    context.moveTo(x, y - r);
    context.lineTo(x + r, y + r);
    context.lineTo(x - r, y + r);
    context.closePath();
  }
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} r @param {string} color */
function ring(context, x, y, r, color) {
  context.beginPath();
  context.arc(x, y, r, 0, 7);
  context.lineWidth = 2;
  context.strokeStyle = color;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context @param {Board} board @param {number} i
 * @param {number} x @param {number} y @param {number} size
 */
function thumbnail(context, { scene: { found }, picture }, i, x, y, size) {
  const { side, columns } = found;
  const [row, column] = [Math.floor(i / columns), i % columns];
  context.drawImage(picture, column * side, row * side, side, side, x, y, size, size);
}

/** What is under the pointer, or chosen by the keyboard. @param {Board} board @param {number} i */
function choose(board, i) {
  const { card, view, words, scene, at, width, height } = board;
  board.chosen = i;
  card.hidden = i < 0;
  board.canvas.style.cursor = i < 0 ? "" : "pointer";
  if (i >= 0) {
    const context = contextOf(view);
    context.imageSmoothingEnabled = false;
    thumbnail(context, board, i, 0, 0, 96);
    const { image, text } = scene.name(i);
    write(words, `${text}\n${image}`);
    const [x, y] = placeOf(scene.found, i, at);
    card.style.left = `${Math.max(4, Math.min(x + 16, width - card.offsetWidth - 4))}px`;
    card.style.top = `${Math.max(4, Math.min(y + 16, height - card.offsetHeight - 4))}px`;
  }
  paint(board);
}

/** The pointer shows, drags, zooms and opens. @param {Board} board */
function point(board) {
  const { canvas } = board;
  /** @type {Map<number, [number, number]>} */
  const pressed = new Map();
  let travelled = 0;
  /** @param {PointerEvent | WheelEvent} event @returns {[number, number]} */
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  /** @param {[number, number]} place */
  const under = (place) => nearest(board.scene.found, shownOf(board), board.at, ...place);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, at(event));
    travelled = pressed.size > 1 ? Infinity : 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [now, before] = [at(event), pressed.get(event.pointerId)];
    if (!before) return choose(board, under(now));
    const other = [...pressed].find(([id]) => id !== event.pointerId)?.[1];
    travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    pressed.set(event.pointerId, now);
    if (other) return zoom(board, spanOf(now, other) / spanOf(before, other), ...other);
    board.at = { ...board.at, left: board.at.left + now[0] - before[0], top: board.at.top + now[1] - before[1] };
    board.card.hidden = true;
    paint(board);
  });
  canvas.addEventListener("pointerup", (event) => {
    pressed.delete(event.pointerId);
    const i = under(at(event));
    if (travelled > STILL || i < 0) return;
    choose(board, i);
    board.scene.open(i, canvas);
  });
  canvas.addEventListener("pointercancel", (event) => pressed.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => pressed.size || choose(board, -1));
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(board, Math.exp(-event.deltaY / 400), ...at(event));
    },
    { passive: false },
  );
}

/** @param {[number, number]} a @param {[number, number]} b */
const spanOf = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;

/** @type {Record<string, [number, number]>} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Arrow keys go to the next image in their direction, Enter opens it. @param {Board} board @param {KeyboardEvent} event */
function walk(board, event) {
  const { scene, canvas } = board;
  if (event.key === "Enter" && board.chosen >= 0) {
    event.preventDefault();
    return scene.open(board.chosen, canvas);
  }
  const direction = DIRECTIONS[event.key];
  if (!direction) return;
  event.preventDefault();
  event.stopPropagation();
  const shown = shownOf(board);
  if (!shown.length) return;
  const to = shown.includes(board.chosen) ? ahead(scene.found, shown, board.chosen, direction) : shown[0];
  if (to < 0) return;
  bring(board, to);
  choose(board, to);
  const { image, text } = scene.name(to);
  say(`${text}, ${image}`);
}

/** A point outside of the canvas comes into it. @param {Board} board @param {number} i */
function bring(board, i) {
  const [x, y] = placeOf(board.scene.found, i, board.at);
  const [left, top] = [
    Math.max(0, 40 - x) + Math.min(0, board.width - 40 - x),
    Math.max(0, 40 - y) + Math.min(0, board.height - 40 - y),
  ];
  board.at = { ...board.at, left: board.at.left + left, top: board.at.top + top };
}
