/** The levels of a network, the classes first: each filter with its patches, its classes, and what it is made of. */

/** @import { Drawn, Level, LevelFilter, Levels, Part } from "./types.js" */
/** @import { Scene } from "./screen.js" */

import { contextOf, el } from "../element.js";
import * as api from "./api.js";
import { probesCard } from "./probes.js";
import { openPatch, paint, patchStrip } from "./strip.js";
import { studyCard } from "./study.js";
import { amount, imagesOf, levelText, listed, selectivityOf, short } from "./words.js";

const NAMED = 3; // classes of a filter
const SMALL = 0.005; // share of a value up to which a rest is not worth a word
const PATCHES = 6;

/** @param {Scene} scene @returns {Promise<(Node | null)[]>} */
export async function show(scene) {
  const { net, state, status, late, redo } = scene;
  const found = await api.levels(net.id, status.data);
  if (!found)
    return [
      studyCard(
        net.id,
        status,
        { kind: "filters" },
        {
          sentence:
            "For each level the filters that say most: their weights, the patches that excite them, the classes they " +
            "respond to, and which lower filters they are made of.",
          label: "Look through the images",
          done: redo,
          late,
        },
      ),
    ];
  const levels = found.levels.map((level, place) => section({ net: net.id, data: state.data, found, place }, level));
  return [
    found.note ? el("p", { class: "note" }, found.note) : null,
    el(
      "p",
      { class: "lead" },
      "Read downwards: each class, and each filter, with the filters of the level below that its value is made of. A " +
        "percentage is what a lower filter adds to the value before the activation function, over all of its units, as " +
        "a mean over its strongest patches; a minus subtracts. The small square beside a number is the weights for that " +
        "filter's map, where one layer reads the other directly. Press a patch to open its image at the unit, a part to " +
        "go to that filter.",
    ),
    ...levels.reverse(),
    found.levels.length ? await probesCard(scene) : null,
    el("p", { class: "caption" }, [`Patches of ${imagesOf(found)}.`, ...found.notes].join(" ")),
  ];
}

/** @typedef {{net: string, data: string, found: Levels, place: number}} LevelScene */

/** @param {LevelScene} scene @param {Level} level */
function section(scene, level) {
  const count = scene.found.levels.length;
  const title = level.is_classes ? "Classes" : `${level.layer}, level ${scene.place + 1} of ${count}`;
  const dead = level.dead.length ? ` Dead: ${listed(level.dead)}.` : "";
  return el(
    "section",
    { class: "level", "aria-label": title },
    el("h3", {}, title),
    el("p", { class: "lead" }, `${levelText(level)}${dead}`),
    el("ul", { class: "level-filters" }, ...level.filters.map((one) => card(scene, level, one))),
  );
}

/** @param {number} place @param {number} filter */
const idOf = (place, filter) => `level-${place}-${filter}`;

/** @param {LevelScene} scene @param {Level} level @param {LevelFilter} one */
function card(scene, level, one) {
  const { net, data, place } = scene;
  const name = level.is_classes ? one.name : `filter ${one.filter}`;
  const [strongest] = one.patches;
  const title = strongest
    ? el(
        "button",
        {
          class: "as-link",
          title: "Open its strongest unit",
          "aria-label": `Open ${name} of ${level.layer} at its strongest unit`,
          onclick: (event) => openPatch(event.target, { net, data, row: level.row }, strongest),
        },
        name,
      )
    : name;
  return el(
    "li",
    { class: "card level-filter", id: idOf(place, one.filter), tabindex: -1 },
    el("h4", {}, title),
    el(
      "div",
      { class: "evidence" },
      one.weights ? pixels(one.weights, "weights", `Weights of ${name}`) : null,
      patchStrip({
        net,
        data,
        row: level.row,
        filter: one.filter,
        patches: one.patches.slice(0, PATCHES),
        of: one.patches.length,
        name,
        captions: false,
      }),
    ),
    level.is_classes ? null : el("p", { class: "caption" }, classesOf(one)),
    one.parts ? parts(scene, one) : null,
  );
}

/** A picture of weights. @param {Drawn} drawn @param {string} kind @param {string} title */
function pixels({ height, width, rgb }, kind, title) {
  const canvas = el("canvas", { class: kind, role: "img", "aria-label": title, title });
  [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([...rgb.slice(3 * i, 3 * i + 3), 255], 4 * i);
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}

/** @param {LevelFilter} one */
function classesOf(one) {
  const named = one.top_classes.slice(0, NAMED).map(([name, number]) => `${name} (${number})`);
  const more = one.num_top_classes - named.length;
  return `Of its ${one.num_top} strongest images: ${named.join(", ")}${more > 0 ? `, ${more} more` : ""}. ${selectivityOf(one)}`;
}

/** What its value is made of. @param {LevelScene} scene @param {LevelFilter} one */
function parts(scene, one) {
  const { parts: made } = one;
  const lower = scene.found.levels[scene.place - 1];
  if (!made || !lower) return null;
  const rest = [
    made.others.count > 0 ? `${made.others.count} other filters ${amount(made.others)}` : "",
    `bias ${amount(made.bias)}`,
    Math.abs(made.rest.share ?? 0) > SMALL ? `not divided ${amount(made.rest)}` : "",
  ].filter(Boolean);
  return el(
    "div",
    {},
    el(
      "ol",
      { class: "made-of", "aria-label": `Made of filters of ${lower.layer}` },
      ...made.strongest.map((part) => el("li", {}, partButton(scene, lower, part))),
    ),
    el("p", { class: "caption" }, `${rest.join(", ")}. Value ${short(made.value)}.`),
  );
}

/** @param {LevelScene} scene @param {Level} lower @param {Part} part */
function partButton({ net, data, place }, lower, part) {
  const said = amount(part);
  const shown = lower.filters.find((one) => one.filter === part.filter);
  const view = el("span", { class: "pixels" });
  const count = shown?.patches.length ?? 0;
  if (shown && count)
    api.strip(net, lower.row, part.filter, data).then(
      (picture) => paint([view], picture, count),
      () => view.remove(),
    );
  /** @param {EventTarget} pressed */
  const act = async (pressed) => {
    const target = document.getElementById(idOf(place - 1, part.filter));
    if (target) {
      target.scrollIntoView({ block: "center" });
      return target.focus({ preventScroll: true });
    }
    const [patch] = (await api.filter(net, lower.row, part.filter, data))?.patches ?? [];
    if (patch) await openPatch(pressed, { net, data, row: lower.row }, patch);
  };
  const where = shown ? "Go to it." : "Open it at its strongest unit.";
  return el(
    "button",
    {
      class: `part${said.startsWith("−") ? " minus" : ""}${shown ? "" : " elsewhere"}`,
      "aria-label": `Filter ${part.filter} of ${lower.layer}, ${said}. ${where}`,
      title: `Filter ${part.filter} of ${lower.layer}. ${where}`,
      onclick: (event) => act(event.target),
    },
    shown && count ? view : null,
    el("b", {}, String(part.filter)),
    part.kernel ? pixels(part.kernel, "kernel", `Weights for filter ${part.filter} of ${lower.layer}`) : null,
    el("span", { class: "of-value" }, said),
  );
}
