/** The images of a list, each opening in Look inside. */

/** @import { Results, ResultsState } from "./types.js" */
/** @import { Scene } from "./screen.js" */

import { el } from "../element.js";
import { unitAddress } from "../learned/address.js";
import { thumbnail } from "../learned/api.js";
import { openImage } from "../learned/strip.js";
import { count, fixed, several } from "../numbers.js";
import { travel } from "../state.js";
import { address } from "./address.js";

const SHOWN = 48; // images of a list

/** @type {[string, string][]} */
const LISTS = [
  ["confident", "Most confident mistakes"],
  ["uncertain", "Least certain answers"],
];

/** @param {Scene} scene */
export function gallery(scene) {
  const { state, found } = scene;
  const { title, indices } = listed(state, found);
  const shown = indices.slice(0, SHOWN);
  const more = indices.length - shown.length;
  return el(
    "div",
    { id: "images", class: "level" },
    el(
      "div",
      { class: "row", role: "group", "aria-label": "Which images" },
      ...LISTS.map(([list, name]) =>
        el(
          "button",
          {
            class: "pill",
            "aria-pressed": String(list === state.list),
            onclick: () => travel(address({ ...state, list })),
          },
          name,
        ),
      ),
    ),
    el("p", { class: "caption" }, `${title}: ${several(indices.length, "image")}. Press one to look inside.`),
    el("ul", { class: "patch-list answers" }, ...shown.map((index) => el("li", {}, answer(scene, index)))),
    more > 0 ? el("p", { class: "caption" }, `and ${count(more)} more, in \`convscope evaluate --csv\``) : null,
  );
}

/** @param {ResultsState} state @param {Results} found @returns {{title: string, indices: number[]}} */
function listed({ list, truth, predicted }, found) {
  if (list === "cell") {
    const indices = found.names.flatMap((_, i) =>
      found.truths[i] === truth && found.answers[i] === predicted ? [i] : [],
    );
    indices.sort((a, b) => found.confidence[b] - found.confidence[a]);
    return { title: `${truth}, predicted as ${predicted}`, indices };
  }
  const slice = found.slices.found[Number(/^slice-(\d+)$/.exec(list)?.[1] ?? -1)];
  if (slice) return { title: slice.title, indices: slice.indices.filter((i) => !found.correct[i]) };
  if (list === "uncertain") return { title: LISTS[1][1], indices: found.uncertain };
  return { title: LISTS[0][1], indices: found.confident };
}

/** @param {Scene} scene @param {number} index */
function answer({ net, state, found }, index) {
  const key = found.names[index];
  const [truth, predicted] = [found.truths[index], found.answers[index]];
  const picture = el("img", { alt: "", width: 96, height: 96 });
  thumbnail(net.id, key, state.data).then(
    (url) => {
      picture.onload = () => URL.revokeObjectURL(url);
      picture.src = url;
    },
    () => picture.replaceWith(el("span", { class: "caption" }, "gone")),
  );
  return el(
    "button",
    {
      class: found.correct[index] ? "answer" : "answer miss",
      "aria-label": `${key}: predicted ${predicted}, true ${truth}. Look inside.`,
      title: key,
      onclick: (event) =>
        openImage(event.target, { net: net.id, data: state.data, key }, (id) => unitAddress(net.id, id, "")),
    },
    picture,
    el("span", {}, el("b", {}, predicted), ` ${fixed(100 * found.confidence[index], 1)}%`),
    el("span", {}, "true ", el("b", {}, truth)),
    el("small", {}, key),
  );
}
