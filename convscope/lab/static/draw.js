/** Draw an image by hand: a digit for a network of digits, a sketch for others. */

import { dialog, el } from "./element.js";

const SIDE = 280;

/**
 * @param {import("./api.js").Network} net
 * @param {(title: string, picture: Blob) => void} use
 */
export function draw(net, use) {
  const [ground, ink] = net.channels === 1 ? ["#000000", "#ffffff"] : ["#ffffff", "#000000"]; // digits are white on black, as in MNIST
  const canvas = /** @type {HTMLCanvasElement} */ (
    el("canvas", { class: "board-to-draw", width: SIDE, height: SIDE, "aria-label": "Draw here" })
  );
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const done = /** @type {HTMLButtonElement} */ (
    el("button", { class: "pill main", disabled: true, onclick: send }, "Look at this")
  );
  const clear = () => {
    pen.fillStyle = ground;
    pen.fillRect(0, 0, SIDE, SIDE);
    done.disabled = true;
  };
  follow(canvas, pen, () => (done.disabled = false));
  const box = dialog(
    "Draw an image",
    el("h3", {}, net.channels === 1 ? "Draw a digit, large and in the middle" : "Draw something"),
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
    canvas.toBlob((picture) => picture && use("a drawing", picture));
    box.close();
  }
  clear();
  Object.assign(pen, { lineWidth: net.channels === 1 ? 20 : 6, lineCap: "round", lineJoin: "round", strokeStyle: ink });
}

/** The pen follows the pointer. */
function follow(canvas, pen, started) {
  let last = null;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  };
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
