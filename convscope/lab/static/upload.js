/** Another image: a file, dropped or pasted; drawn by hand; from the camera. */

import { give } from "./api.js";
import { dialog, el, say } from "./element.js";
import { go } from "./state.js";

/** The ways to give an image, in a dialog. @param {import("./api.js").Network} net */
export function another(net) {
  const use = (title, picture) => send(net, title, picture);
  const file = /** @type {HTMLInputElement} */ (el("input", { type: "file", accept: "image/*", hidden: true }));
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    box.close();
    if (chosen) use(chosen.name, chosen);
  });
  const then = (act) => () => {
    box.close();
    act();
  };
  const box = dialog(
    "Another image",
    el("h3", {}, "Another image"),
    el("p", { class: "caption" }, "Drop a picture anywhere on the page, or paste one. It stays on this machine."),
    file,
    el(
      "div",
      { class: "row" },
      el("button", { class: "pill main", onclick: () => file.click() }, "Choose a file"),
      el(
        "button",
        { class: "pill", onclick: then(async () => (await import("./draw.js")).draw(net, use)) },
        net.channels === 1 ? "Draw a digit" : "Draw",
      ),
      el("button", { class: "pill", onclick: then(async () => (await import("./camera.js")).camera(use)) }, "Camera"),
      el("button", { class: "pill", onclick: () => box.close() }, "Cancel"),
    ),
  );
}

/**
 * Give the network the picture and look at it, at the same place as before.
 * @param {import("./api.js").Network} net @param {string} title @param {Blob} picture
 */
export async function send(net, title, picture) {
  const wait = setTimeout(() => notice(`Reading ${title}: the network runs once and every number is kept.`), 300);
  try {
    const image = await give(net.id, title, picture);
    document.getElementById("notice")?.remove();
    say(`${image.title} is read.`);
    go({ image: image.id });
  } catch (error) {
    notice(error.message, true);
  } finally {
    clearTimeout(wait);
  }
}

/** A sentence over the page, until it is read or replaced. @param {string} sentence @param {boolean} [stays] */
export function notice(sentence, stays = false) {
  document.getElementById("notice")?.remove();
  const shown = el(
    "div",
    { class: "notice card", id: "notice", role: stays ? "alert" : "status" },
    el("p", {}, sentence),
    stays ? el("button", { class: "pill", onclick: () => shown.remove() }, "Close") : null,
  );
  document.body.append(shown);
}

/** Dropping and pasting work on the whole page. @param {() => import("./api.js").Network | null} current */
export function listen(current) {
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const take = (data) => {
    const net = current();
    const file = [...(data?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (!net || !data?.files.length) return false;
    document.querySelector("dialog")?.close();
    if (file) send(net, file.name || "a pasted picture", file);
    else
      notice(
        `${data.files[0].name} is no picture. The lab reads JPEG, PNG and what else a browser calls an image.`,
        true,
      );
    return true;
  };
  let depth = 0;
  const mark = () => document.body.classList.toggle("dropping", depth > 0);
  addEventListener("dragenter", (event) => files(event) && (depth++, mark()));
  addEventListener("dragleave", (event) => files(event) && (depth--, mark()));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    depth = 0;
    mark();
    if (files(event)) event.preventDefault();
    take(event.dataTransfer);
  });
  addEventListener("paste", (event) => take(event.clipboardData) && event.preventDefault());
}
