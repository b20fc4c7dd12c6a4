/** Another image: a file, dropped or pasted; drawn by hand; from the camera. */

/** @import { Network } from "./types.js" */

import { give } from "./api.js";
import { dialog, el, messageOf, say } from "./element.js";
import { go } from "./state.js";

/** The ways to give an image, in a dialog. @param {Network} net */
export function another(net) {
  /** @param {string} title @param {Blob} image */
  const use = (title, image) => send(net, title, image);
  const file = el("input", { type: "file", accept: "image/*,.dcm,.dicom,.ima", hidden: true });
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    box.close();
    if (chosen) use(chosen.name, chosen);
  });
  /** @param {() => void} act */
  const then = (act) => () => {
    box.close();
    act();
  };
  const box = dialog(
    "Another image",
    el("h3", {}, "Another image"),
    el("p", { class: "caption" }, "Drop an image anywhere on the page, or paste one. It stays on this machine."),
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
 * Give the network the image and show it, at the same place as before.
 * @param {Network} net @param {string} title @param {Blob} image
 */
export async function send(net, title, image) {
  const wait = setTimeout(() => notice(`Reading ${title}: the network runs once and every number is kept.`), 300);
  try {
    const given = await give(net.id, title, image);
    document.getElementById("notice")?.remove();
    say(`${given.title} was read.`);
    go({ image: given.id });
  } catch (error) {
    notice(messageOf(error), true);
  } finally {
    clearTimeout(wait);
  }
}

/** A sentence over the page, until it is read or replaced. @param {string} sentence @param {boolean} [stays] */
export function notice(sentence, stays = false) {
  document.getElementById("notice")?.remove();
  /** @type {HTMLElement} */
  const shown = el(
    "div",
    { class: "notice card", id: "notice", role: stays ? "alert" : "status" },
    el("p", {}, sentence),
    stays ? el("button", { class: "pill", onclick: () => shown.remove() }, "Close") : null,
  );
  document.body.append(shown);
}

/** Dropping and pasting work on the whole page. @param {() => Network | null} current */
export function listen(current) {
  /** @param {DragEvent} event */
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  /** @param {DataTransfer | null} data */
  const take = (data) => {
    const net = current();
    const file = [...(data?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (!net || !data?.files.length) return false;
    document.querySelector("dialog")?.close();
    if (file) send(net, file.name || "a pasted image", file);
    else
      notice(
        `${data.files[0].name} is not an image. The lab reads JPEG, PNG and other formats that browsers show.`,
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
