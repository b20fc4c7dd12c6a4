/** Draw an image by hand: a digit for a network of digits, a sketch for others. */

import { contextOf, dialog, el } from "./element.js";

const SIDE = 280;

/**
 * @param {{channels: number}} net  which gives the size of the pen, and the color
 * @param {(title: string, image: Blob) => void} use
 */
export function draw(net, use) {
  const ofDigits = net.channels === 1; // which are white on black, as in MNIST
  const [ground, ink] = ofDigits ? ["#000000", "#ffffff"] : ["#ffffff", "#000000"];
  const canvas = el("canvas", { class: "board-to-draw", width: SIDE, height: SIDE, "aria-label": "Draw here" });
  const pen = contextOf(canvas);
  const done = el("button", { class: "pill main", disabled: true, onclick: send }, "Use this drawing");
  const clear = () => {
    pen.fillStyle = ground;
    pen.fillRect(0, 0, SIDE, SIDE);
    done.disabled = true;
  };
  follow(canvas, pen, () => (done.disabled = false));
  const box = dialog(
    "Draw an image",
    el("h3", {}, ofDigits ? "Draw a digit, large and centered" : "Draw something"),
    canvas,
    el(
      "div",
      { class: "row" },
      done,
      el("button", { class: "pill", onclick: clear }, "Clear"),
      el("button", { class: "pill", onclick: () => box.close() }, "Cancel"),
    ),
  );
  function send() {
    canvas.toBlob((drawing) => drawing && use("a drawing", drawing));
    box.close();
  }
  clear();
  Object.assign(pen, { lineWidth: ofDigits ? 20 : 6, lineCap: "round", lineJoin: "round", strokeStyle: ink });
}

/**
 * The pen follows the pointer.
 * @param {HTMLCanvasElement} canvas @param {CanvasRenderingContext2D} pen @param {() => void} started
 */
function follow(canvas, pen, started) {
  /** @type {[x: number, y: number] | null} */
  let last = null;
  /** @param {PointerEvent} event @returns {[x: number, y: number]} */
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  };
  /** @param {PointerEvent} event */
  const stroke = (event) => {
    if (!last) return;
    pen.beginPath();
    pen.moveTo(...last);
    last = at(event);
    pen.lineTo(...last);
    pen.stroke();
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    stroke(event);
    started();
  });
  canvas.addEventListener("pointermove", stroke);
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
}
