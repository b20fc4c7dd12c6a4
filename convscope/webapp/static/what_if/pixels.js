/** The image, to be painted on. */

/** @import { Scene } from "./card.js" */

import { imageAddress } from "../api.js";
import { contextOf, el } from "../element.js";
import { COLORS, blockOf, dotOf } from "./address.js";

let color = 2;

/** @param {Scene} scene */
export function pixelPart({ net, image, row, place, supposed, changed }) {
  const [high, wide] = net.size;
  const dot = dotOf(net.size);
  const canvas = el("canvas", { width: wide, height: high });
  const pen = contextOf(canvas);
  const picture = new Image();
  let [cursorY, cursorX] = row.op === "image" ? [place.row, place.col] : [Math.floor(high / 2), Math.floor(wide / 2)];
  const mark = el("span", { class: "mark" });
  const board = el(
    "div",
    {
      class: `board paint ${wide < 120 ? "cells" : ""}`,
      tabindex: 0,
      role: "application",
      "aria-label": "The image. Arrow keys move, space paints.",
    },
    canvas,
    mark,
  );
  const draw = () => {
    if (picture.complete && picture.naturalWidth) pen.drawImage(picture, 0, 0);
    for (const { y, x, height, width, bytes } of supposed.blocks.values()) {
      pen.fillStyle = `rgb(${bytes.length === 1 ? [bytes[0], bytes[0], bytes[0]] : bytes})`;
      pen.fillRect(x, y, width, height);
    }
    for (const [name, value] of Object.entries({
      left: cursorX / wide,
      top: cursorY / high,
      width: dot / wide,
      height: dot / high,
    }))
      mark.style.setProperty(name, `${100 * value}%`);
  };
  const dab = () => {
    const block = blockOf(net, color, cursorY, cursorX);
    supposed.blocks.set(`${block.y},${block.x}`, block);
  };
  const paint = () => {
    dab();
    draw();
    changed();
  };
  /** A stroke to the pointer, from where it was seen last. @param {PointerEvent} event @param {boolean} [begins] */
  const to = (event, begins = false) => {
    const box = canvas.getBoundingClientRect();
    const y = Math.max(0, Math.min(high - 1, Math.floor(((event.clientY - box.top) / box.height) * high)));
    const x = Math.max(0, Math.min(wide - 1, Math.floor(((event.clientX - box.left) / box.width) * wide)));
    const [fromY, fromX] = begins ? [y, x] : [cursorY, cursorX];
    const steps = Math.max(1, Math.ceil(Math.max(Math.abs(y - fromY), Math.abs(x - fromX)) / dot));
    for (let step = 1; step <= steps; step++) {
      cursorY = Math.round(fromY + ((y - fromY) * step) / steps);
      cursorX = Math.round(fromX + ((x - fromX) * step) / steps);
      dab();
    }
    paint();
  };
  board.addEventListener("pointerdown", (event) => {
    board.setPointerCapture(event.pointerId);
    to(event, true);
  });
  board.addEventListener("pointermove", (event) => event.buttons && to(event));
  board.addEventListener("keydown", (event) => {
    /** @type {Record<string, [dy: number, dx: number]>} */
    const steps = { ArrowUp: [-dot, 0], ArrowDown: [dot, 0], ArrowLeft: [0, -dot], ArrowRight: [0, dot] };
    const step = steps[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault();
    if (!step) return paint();
    cursorY = Math.max(0, Math.min(high - 1, cursorY + step[0]));
    cursorX = Math.max(0, Math.min(wide - 1, cursorX + step[1]));
    draw();
  });
  imageAddress(net.id, image.id).then((url) => {
    picture.onload = draw;
    picture.src = url;
  });
  draw();
  const swatches = COLORS.map(([name, bytes], index) =>
    el("button", {
      class: "swatch",
      style: { background: `rgb(${bytes})` },
      "aria-label": `Paint ${name.toLowerCase()}`,
      "aria-pressed": String(index === color),
      onclick: (/** @type {any} */ event) => {
        color = index;
        for (const other of event.target.parentElement.children) other.setAttribute("aria-pressed", "false");
        event.target.setAttribute("aria-pressed", "true");
      },
    }),
  );
  return el(
    "div",
    {},
    el("h4", {}, dot === 1 ? "A pixel" : `${dot}×${dot} pixels`),
    board,
    el("div", { class: "row", role: "group", "aria-label": "Color to paint with" }, ...swatches),
  );
}
