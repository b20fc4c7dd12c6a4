/**
 * The boxes that a network finds, drawn on the image: each opens its numbers, from the units of its cell to
 * edges and score, and the comparisons by which non-maximum suppression kept it or not.
 */

/** @import { FoundBoxes, LabImage, Network, OpenBox, State } from "../types.js" */

import { imageAddress } from "../api.js";
import { el, messageOf } from "../element.js";
import { percent } from "../numbers.js";
import { link } from "../state.js";
import { overlay, readBoxes, toBox } from "./overlay.js";

const LISTED = 12;

/** @param {Network} net @param {LabImage} image @param {State} state @returns {Promise<Node | null>} */
export async function boxesCard(net, image, state) {
  /** @type {FoundBoxes} */
  const found = await readBoxes(net, image);
  const first = found.boxes.find((box) => box.is_kept);
  const chosen = state.box || first?.name || "";
  const card = el("section", { class: "card boxes", "aria-label": "Boxes" }, el("h3", {}, "Boxes"));
  if (!first) {
    card.append(el("p", { class: "lead" }, "No box has a score of 5% or more."));
    return card;
  }
  const open = readBoxes(net, image, chosen).then(
    (/** @type {OpenBox} */ box) => detail(found, box),
    (error) => [el("p", { class: "note" }, messageOf(error))],
  );
  card.append(
    el(
      "div",
      { class: "two" },
      el("div", {}, figure(net, image, found, chosen), list(found, chosen)),
      el("div", { class: "numbers" }, ...(await open)),
    ),
  );
  return card;
}

/** @param {Network} net @param {LabImage} image @param {FoundBoxes} found @param {string} chosen */
function figure(net, image, found, chosen) {
  const [height, width] = net.size;
  const picture = el("img", { alt: "", class: width < 120 ? "cells" : null, draggable: "false" });
  imageAddress(net.id, image.id).then(
    (url) => (picture.src = url),
    (error) => (picture.alt = messageOf(error)),
  );
  const style = { "aspect-ratio": `${width} / ${height}` };
  return el("div", { class: "frame", style }, picture, overlay(net, found, chosen));
}

/** @param {FoundBoxes} found @param {string} chosen */
function list({ boxes, others }, chosen) {
  const listed = boxes.slice(0, LISTED);
  const rest = boxes.length - listed.length + others;
  return el(
    "div",
    {},
    el(
      "ul",
      { class: "list" },
      ...listed.map((box) =>
        el(
          "li",
          { class: box.is_kept ? null : "gone" },
          el(
            "a",
            {
              ...toBox(box.name),
              "aria-current": box.name === chosen ? "true" : null,
            },
            el("b", {}, box.class),
            ` ${box.name}`,
          ),
          el("data", {}, percent(box.score)),
          el("small", {}, box.is_kept ? "" : "suppressed"),
        ),
      ),
    ),
    rest ? el("p", { class: "caption" }, `${rest} more with lower scores.`) : null,
  );
}

/** @param {FoundBoxes} found @param {OpenBox} box @returns {Node[]} */
function detail(found, box) {
  const [row, column, index] = box.cell;
  const where = `Box ${index} of the cell in row ${row}, column ${column}. What is underlined is a unit: open it and walk on to the pixels.`;
  return [
    el("h4", {}, `${box.name}: class ${box.class}, ${percent(box.score)}`),
    el("p", { class: "caption" }, where),
    el(
      "div",
      { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Numbers of the box" },
      el("table", {}, el("tbody", {}, ...box.steps.map((step) => el("tr", {}, ...cells(step))))),
    ),
    el("h4", {}, "Suppression"),
    el("p", { class: "caption" }, rule(box)),
    comparisons(found, box),
  ];
}

/** @param {OpenBox["steps"][number]} step */
function cells({ name, text, value, unit }) {
  const place = unit && { layer: unit.row, map: unit.map, row: unit.y, col: unit.x };
  const shown = place ? el("a", link({ place, layer: place.layer, trail: [] }), text) : text;
  return [
    el("th", { scope: "row" }, name.replaceAll("_", " ")),
    el("td", { class: "value" }, el("data", { value: String(value) }, figureOf(value))),
    el("td", {}, "= ", shown),
  ];
}

/** @param {number | string} value */
const figureOf = (value) => String(typeof value === "number" ? Number(value.toPrecision(6)) : value).replace("-", "−");

/** @param {OpenBox} box */
function rule({ comparisons: made, max_overlap: limit }) {
  if (!made.length) return "It was compared with no other box.";
  return `Of two boxes of a class whose IoU is above ${limit}, the one with the higher score stays.`;
}

/** @param {FoundBoxes} found @param {OpenBox} box */
function comparisons(found, { name, comparisons: made }) {
  const known = new Set(found.boxes.map((box) => box.name));
  return el(
    "ol",
    { class: "made" },
    ...made.slice(0, LISTED).map(({ boxes: [one, other], classes, iou, verdict, arithmetic }) => {
      const partner = one === name ? other : one;
      const shown = known.has(partner) ? el("a", toBox(partner), partner) : partner;
      const label = classes[one === name ? 1 : 0];
      return el(
        "li",
        {},
        el(
          "details",
          {},
          el("summary", {}, "IoU ", el("data", {}, iou.toFixed(4)), ` with ${partner} (${label}): ${verdict}`),
          el("ul", {}, el("li", {}, shown), ...arithmetic.map((line) => el("li", {}, line))),
        ),
      );
    }),
    made.length > LISTED ? el("li", { class: "caption" }, `${made.length - LISTED} more with a lower IoU.`) : null,
  );
}
