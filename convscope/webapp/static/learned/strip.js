/** The patches that excite a filter most: a row of small pictures, each of which opens its image at the unit. */

/** @import { Patch } from "./types.js" */

import { forgetNetwork } from "../api.js";
import { el, messageOf } from "../element.js";
import { travel } from "../state.js";
import { showImage, strip } from "./api.js";
import { unitAddress } from "./address.js";
import { short } from "./words.js";

/**
 * @typedef {{net: string, data: string, row: string, filter: number, patches: Patch[], of?: number,
 *   name: string, captions?: boolean}} Strip  `of` is how many patches the filter has, where not all are shown; `name`
 *   is what is read of the filter
 */

/**
 * The patches as a list of buttons.
 * @param {Strip} shown
 */
export function patchStrip({ net, data, row, filter, patches, of = patches.length, name, captions = true }) {
  const views = patches.map(() => el("span", { class: "pixels" }));
  const list = el(
    "ol",
    { class: `patch-list${captions ? "" : " brief"}`, "aria-label": `The patches that excite ${name} most` },
    ...patches.map((patch, place) =>
      el(
        "li",
        {},
        el(
          "button",
          {
            class: "patch-button",
            title: titleOf(patch),
            "aria-label": `Patch ${place + 1} of ${patches.length}: ${titleOf(patch)}. Open its image at this unit.`,
            onclick: (event) => openPatch(event.target, { net, data, row }, patch),
          },
          views[place],
          captions ? el("span", { class: "peak" }, short(patch.value)) : null,
          captions ? el("span", { class: "of-class" }, patch.label) : null,
        ),
      ),
    ),
  );
  if (patches.length)
    strip(net, row, filter, data).then(
      (picture) => paint(views, picture, of),
      (error) => list.after(el("p", { class: "caption" }, messageOf(error))),
    );
  return list;
}

/** "test/00012, class 7, value 5.32" @param {Patch} patch */
const titleOf = ({ image, label, value, alike }) =>
  `${image}, ${label}, value ${short(value)}${alike ? `, ${alike} more alike` : ""}`;

/**
 * Each view shows its square of the picture, the first ones first.
 * @param {HTMLElement[]} views @param {string} picture @param {number} [of]  squares of the picture
 */
export function paint(views, picture, of = views.length) {
  const last = Math.max(of - 1, 1);
  for (const [place, view] of views.entries()) {
    view.style.backgroundImage = `url(${picture}), var(--outside)`;
    view.style.backgroundSize = `${100 * of}% 100%, auto`;
    view.style.backgroundPosition = `${(100 * place) / last}% 0, 0 0`;
  }
}

/**
 * Open the image of a patch in Look inside, at the unit that answered there.
 * @param {EventTarget | null} pressed
 * @param {{net: string, data: string, row: string}} where
 * @param {Pick<Patch, "image" | "unit">} patch
 */
export function openPatch(pressed, { net, data, row }, patch) {
  return openImage(pressed, { net, data, key: patch.image }, (id) => unitAddress(net, id, row, patch.unit));
}

/**
 * Show the network an image of the data set, and go where it is then.
 * @param {EventTarget | null} pressed  what was pressed, beside which a refusal is said
 * @param {{net: string, data: string, key: string}} image
 * @param {(id: string) => string} to
 */
export async function openImage(pressed, { net, data, key }, to) {
  const button = pressed instanceof Element ? (pressed.closest("button") ?? pressed) : null;
  button?.setAttribute("aria-busy", "true");
  try {
    const id = await showImage(net, key, data);
    forgetNetwork(net);
    travel(to(id));
  } catch (error) {
    const list = button?.closest("ol, ul, .map-of-images");
    list?.after(el("p", { class: "note", role: "alert" }, messageOf(error)));
  } finally {
    button?.removeAttribute("aria-busy");
  }
}
