/** What the network would be shown: a few images in the first epochs, drawn by the server for the form as it is. */

import { ask } from "../api.js";
import { el, messageOf, write } from "../element.js";

/** @param {() => {data: string, settings: Record<string, unknown>}} asked  the form as it would be sent */
export function preview(asked) {
  const note = el("p", { class: "caption", role: "status" });
  const picture = el("img", { class: "augmented", alt: "", hidden: true });
  const show = el("button", { class: "pill", type: "button" }, "Show augmented images");

  async function draw() {
    show.disabled = true;
    write(note, "Drawing …");
    try {
      const answer = await ask("/training/augmented", { method: "POST", body: JSON.stringify(asked()) });
      const drawn = URL.createObjectURL(await answer.blob());
      picture.addEventListener("load", () => URL.revokeObjectURL(drawn), { once: true });
      picture.src = drawn;
      picture.alt = "Training images in rows: whole, as they are evaluated, and as five epochs show them.";
      picture.hidden = false;
      write(note, "Whole, as evaluated, and as the first epochs show them, before normalization.");
    } catch (error) {
      picture.hidden = true;
      write(note, messageOf(error));
    }
    show.disabled = false;
  }

  show.addEventListener("click", draw);
  return el("div", { class: "setting" }, el("div", { class: "row" }, show), note, picture);
}
