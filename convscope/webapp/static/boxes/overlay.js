/** The boxes that a network finds, drawn on its image: each leads to its numbers. */

/** @import { FoundBox, FoundBoxes, LabImage, Network } from "../types.js" */

import { ask } from "../api.js";
import { styles, svg } from "../element.js";
import { percent } from "../numbers.js";
import { link } from "../state.js";

await styles("boxes.css");

/** What was read, by its address; of the last image alone. @type {Map<string, Promise<any>>} */
const kept = new Map();

/** @param {Network} net @param {LabImage} image */
const address = (net, image) => `/networks/${encodeURIComponent(net.id)}/images/${encodeURIComponent(image.id)}/boxes`;

/** The boxes of an image, or one of them. @param {Network} net @param {LabImage} image @param {string} [name] @returns {Promise<any>} */
export function readBoxes(net, image, name = "") {
  const of = address(net, image);
  if (![...kept.keys()].every((path) => path.startsWith(of))) kept.clear();
  const path = name ? `${of}/${encodeURIComponent(name)}` : of;
  const found = kept.get(path) ?? ask(path).then((answer) => answer.json());
  kept.set(path, found);
  found.catch(() => kept.delete(path));
  return found;
}

/** @param {FoundBox} box */
const title = (box) => `${box.name}: ${box.class}, ${percent(box.score)}`;

/** Where a box leads to. @param {string} name */
export const toBox = (name) => link({ box: name, layer: "", place: null, trail: [], why: null });

/**
 * Those with a score of a half or more, and the one that is open, on top of the others.
 * @param {Network} net @param {FoundBoxes} found @param {string} open
 */
export function overlay({ size: [height, width] }, { boxes }, open) {
  const over = svg("svg", {
    class: "boxes-over",
    viewBox: `0 0 ${width} ${height}`,
    role: "group",
    "aria-label": "Boxes on the image",
  });
  const drawn = boxes.filter((box) => box.is_shown || box.name === open);
  const last = drawn.filter((box) => box.name === open);
  for (const box of [...drawn.filter((each) => each.name !== open), ...last]) over.append(frame(box, open));
  return over;
}

/** @param {FoundBox} box @param {string} open */
function frame(box, open) {
  const sides = { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
  return svg(
    "a",
    { ...toBox(box.name), "aria-label": title(box), "aria-current": box.name === open ? "true" : null },
    svg("title", {}, title(box)),
    svg("rect", { class: "halo", ...sides }),
    svg("rect", { class: box.is_kept ? "kept" : "gone", ...sides }),
  );
}
