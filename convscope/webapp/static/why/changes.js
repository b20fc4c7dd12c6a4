/** Change a unit, its map or its filter, and see the answers change, with the arithmetic of the change. */

/** @import { LabImage, Network, Position, Row } from "../types.js" */
/** @import { Scene } from "../ledger.js" */

import { ask, post } from "../api.js";
import { el, messageOf, styles } from "../element.js";
import { replaceChildren } from "../focus.js";
import { spotName } from "../spots.js";
import { whole } from "../numbers.js";
import { visible } from "../words.js";
import { effects } from "./effects.js";
import { dataCard } from "./over_test.js";
import { excitingPicture } from "./pictures.js";

/**
 * A change as the server takes it.
 * @typedef {{row: string, map: number, at: [number, number] | null, part: string, action: string, value: number,
 *   image: string}} Change
 */

const MOST = 16;
/** What the last answers were about: nothing is asked again while the unit moves. */
let last = { row: "", possible: /** @type {any} */ (null), changes: "", answer: /** @type {any} */ (null) };
/** The changes that were made, for as long as the network is looked at. */
let kept = { of: "", open: false, changes: /** @type {Change[]} */ ([]), about: /** @type {number | null} */ (null) };

/** @type {[string, string, string][]} what it is called, the action, and what the value is called */
const ACTIONS = [
  ["Silence it (0)", "set 0", ""],
  ["Scale it by", "scale", "factor"],
  ["Set it to", "set", "value"],
  ["Add to it", "add", "amount"],
  ["Replace by its mean", "mean", ""],
];

/**
 * What can be changed of a layer: the name of its filters, its settings, the module that ends in it; why its changes
 * cannot be tried over a data set.
 * @typedef {{filter: string, settings: Record<string, number>, module: string, no_data: string}} Possible
 */

/** @param {Network} net @param {LabImage} image */
const pathOf = (net, image) => `/networks/${encodeURIComponent(net.id)}/images/${encodeURIComponent(image.id)}/changes`;

/** @param {Network} net @param {LabImage} image @param {Row} row @returns {Promise<Possible>} */
export async function possibleOf(net, image, row) {
  const asked = `${pathOf(net, image)}/${encodeURIComponent(row.name)}`;
  if (last.row !== asked) last = { ...last, row: asked, possible: await ask(asked).then((answer) => answer.json()) };
  return last.possible;
}

/**
 * The sections of a unit's panel: changes, and the picture that excites it.
 * @param {Scene} scene @returns {Promise<Node[]>}
 */
export async function changesPanel({ net, image, row, place }) {
  if (!image.predictions.length && net.classes.length) return [];
  const path = pathOf(net, image);
  const [possible] = await Promise.all([possibleOf(net, image, row), styles("why.css")]);
  if (kept.of !== net.id) kept = { of: net.id, open: false, changes: [], about: null };
  return [
    el(
      "div",
      { class: "unit-panel" },
      changer({ net, image, row, place }, path, possible),
      picture(net, image, row, place, possible.module),
    ),
  ];
}

/** @param {Network} net @param {LabImage} image @param {Row} row @param {Position} place @param {string} module */
function picture(net, image, row, place, module) {
  const isMap = row.shape[1] * row.shape[2] > 1;
  const name = isMap ? `map ${place.map} of ${row.name}` : `${row.name}[${place.map}]`;
  if (module) return excitingPicture(net, image, { row: row.name, map: place.map, at: null, name });
  return el(
    "section",
    { class: "card why-card" },
    el("h3", {}, `The image that excites ${name} most`),
    el(
      "p",
      { class: "caption" },
      `${row.name} is computed by a function and ends no module, so no such image is computed here.`,
    ),
  );
}

/**
 * @param {{net: Network, image: LabImage, row: Row, place: Position}} scene
 * @param {string} path @param {Possible} possible
 */
function changer(scene, path, possible) {
  const { net, image, row, place } = scene;
  const isMap = row.shape[1] * row.shape[2] > 1;
  const name = spotName(net, { row: row.name, map: place.map, y: place.row, x: place.col });
  /** @type {[string, string][]} */
  const parts = [
    ...(isMap ? [/** @type {[string, string]} */ (["map", `map ${place.map} of ${row.name}`])] : []),
    ["unit", isMap ? `the unit ${name}` : name],
    ...(possible.filter
      ? [/** @type {[string, string]} */ (["filter", `the filter ${possible.filter}[${place.map}]`])]
      : []),
  ];
  const part = el("select", { class: "pill", "aria-label": "What is changed" }, ...options(parts));
  const value = el("input", {
    type: "number",
    class: "pill",
    value: 2,
    step: "any",
    "aria-label": "Value",
    hidden: true,
  });
  const others = net.images.filter(({ id }) => id !== image.id);
  const action = el(
    "select",
    { class: "pill", "aria-label": "How it is changed", onchange: () => adapt() },
    ...options(ACTIONS.map(([text, key]) => [key, text])),
    ...others.map(({ id, title }) => el("option", { value: `patch ${id}` }, `As it is for ${title}`)),
  );
  const adapt = () => {
    const [, , label] = ACTIONS.find(([, key]) => key === action.value) ?? ["", "", ""];
    value.hidden = !label;
    value.setAttribute("aria-label", visible(label || "Value"));
  };
  const result = el("div", { class: "changed" });
  const status = el("div", { role: "status" });
  const list = el("ul", { class: "parts", "aria-label": "Changes" });
  const data = dataCard(path, possible.no_data, () => kept.changes);
  let latest = 0;
  const draw = async () => {
    const mine = ++latest;
    replaceChildren(list, ...kept.changes.map((change, i) => changeRow(net, change, () => remove(i))));
    data.node.hidden = !kept.changes.length;
    data.clear();
    if (!kept.changes.length) return replaceChildren(result);
    try {
      const key = JSON.stringify([path, kept.changes, kept.about]);
      const answer =
        last.changes === key ? last.answer : await post(path, { changes: kept.changes, about: kept.about });
      if (mine !== latest) return;
      last = { ...last, changes: key, answer };
      replaceChildren(result, ...effects(net, answer, choose));
      status.replaceChildren();
    } catch (error) {
      if (mine === latest) status.replaceChildren(el("p", { class: "note" }, messageOf(error)));
    }
  };
  /** @param {number} index */
  const choose = (index) => {
    kept.about = index;
    draw();
  };
  /** @param {number} index */
  const remove = (index) => {
    kept.changes = kept.changes.filter((_, i) => i !== index);
    draw();
  };
  const add = () => {
    const typed = value.valueAsNumber;
    if (!value.hidden && !Number.isFinite(typed)) return value.focus();
    const [kind, given] = action.value.split(" ");
    kept.changes = [
      ...kept.changes.slice(1 - MOST),
      {
        row: row.name,
        map: place.map,
        at: part.value === "unit" && isMap ? [place.row, place.col] : null,
        part: part.value === "filter" ? "filter" : "activation",
        action: kind,
        value: kind === "set" && given === "0" ? 0 : value.hidden ? 0 : typed,
        image: kind === "patch" ? given : "",
      },
    ];
    draw();
  };
  const node = el(
    "details",
    { class: "card why-card changer", open: kept.open || kept.changes.length > 0 },
    el("summary", {}, "Change it, and see the answers change"),
    el("p", { class: "caption" }, "The network itself stays as it is; a changed copy runs."),
    el("div", { class: "row" }, part, action, value, el("button", { class: "pill main", onclick: add }, "Apply")),
    status,
    list,
    result,
    data.node,
  );
  node.addEventListener("toggle", () => (kept.open = node.open));
  adapt();
  draw();
  return node;
}

/** @param {[string, string][]} list */
const options = (list) => list.map(([value, text]) => el("option", { value }, text));

/** @param {Network} net @param {Change} change @param {() => void} remove */
function changeRow(net, change, remove) {
  const { row, map, at, part, action, value, image } = change;
  const unit = at
    ? spotName(net, { row, map, y: at[0], x: at[1] })
    : `${part === "filter" ? "filter " : ""}${row}[${map}]`;
  const title = net.images.find(({ id }) => id === image)?.title ?? "another image";
  /** @type {Record<string, string>} */
  const texts = {
    set: `= ${whole(value)}`,
    scale: `× ${whole(value)}`,
    add: `+ ${whole(value)}`,
    mean: "= its mean",
    patch: `as for ${title}`,
  };
  return el(
    "li",
    {},
    el("span", { class: "cut" }, `${unit} ${texts[action]}`),
    el("button", { class: "quiet", "aria-label": `Undo ${unit} ${texts[action]}`, onclick: remove }, "Undo"),
  );
}
