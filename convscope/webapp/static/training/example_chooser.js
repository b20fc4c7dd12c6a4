/** Which image is looked at: one of the run's own, a drawing, a photo, a file. */

/** @import { Examples } from "../types.js" */

import { ask } from "../api.js";
import { el, messageOf } from "../element.js";
import { replaceChildren } from "../focus.js";
import { photo } from "./canvas.js";

/**
 * @param {string} run
 * @param {() => void} chosen  what follows a choice
 * @param {(sentence: string) => void} refused
 */
export function chooser(run, chosen, refused) {
  const path = `/runs/${encodeURIComponent(run)}`;
  const row = el("div", { class: "row choices", role: "group", "aria-label": "The image" });
  let drawn = "";
  let marked = "";
  let channels = 1;

  /** @param {() => Promise<unknown>} send */
  async function choose(send) {
    try {
      await send();
      chosen();
    } catch (error) {
      refused(messageOf(error));
    }
  }

  /** @param {string} title @param {Blob} image */
  const use = (title, image) =>
    choose(() => ask(`${path}/example?title=${encodeURIComponent(title)}`, { method: "POST", body: image }));

  const file = el("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "An image file" });
  file.addEventListener("change", () => {
    const [one] = file.files ?? [];
    if (one) use(one.name, one);
    file.value = "";
  });
  const own = [
    el("button", { class: "pill", onclick: async () => (await import("../draw.js")).draw({ channels }, use) }, "Draw"),
    el("button", { class: "pill", onclick: async () => (await import("../camera.js")).camera(use) }, "Camera"),
    el("button", { class: "pill", onclick: () => file.click() }, "File"),
    file,
  ];

  /** @param {string} name */
  function mark(name) {
    marked = name;
    for (const button of row.querySelectorAll("button[data-name]"))
      button.setAttribute("aria-pressed", String(button.getAttribute("data-name") === name));
  }

  return {
    element: row,
    mark,
    /** @param {Examples} examples */
    async draw(examples) {
      const { count, height, width, images, split } = examples;
      channels = examples.channels || 1;
      const wanted = JSON.stringify(images);
      if (wanted === drawn) return;
      const bytes = new Uint8Array(await (await ask(`${path}/examples.bin`, { cache: "no-store" })).arrayBuffer());
      const size = height * width * channels;
      if (bytes.length !== count * size) return;
      const kind = split === "val" ? "validation" : "test";
      const buttons = images.map((one, i) =>
        el(
          "button",
          {
            class: "example",
            "data-name": one.name,
            "aria-pressed": String(one.name === marked),
            "aria-label": `${one.truth}: ${kind} image ${one.name}`,
            title: `${one.truth}: ${kind} image ${one.name}`,
            onclick: () => choose(() => ask(`${path}/examples/${i}`, { method: "POST", body: "{}" })),
          },
          photo(bytes.subarray(i * size), height, width, channels),
        ),
      );
      replaceChildren(row, ...buttons, ...own);
      drawn = wanted;
    },
  };
}
