/** Change a unit, its map or its filter, and see the answers change, with the arithmetic of the change. */

/** @import { LabImage, Network, Position, Row } from "../types.js" */
/** @import { Scene } from "../ledger.js" */

import { ask, post } from "../api.js";
import { compute, progressBar } from "../computation.js";
import { el, messageOf, styles } from "../element.js";
import { replaceChildren } from "../focus.js";
import { figure, spotName } from "../matrix.js";
import { count, decimalsFor, fixed, percent, several, signed, whole, wrapped } from "../numbers.js";
import { number } from "../planes.js";
import { go } from "../state.js";
import { visible } from "../words.js";
import { excitingPicture } from "./pictures.js";

/**
 * A change as the server takes it.
 * @typedef {{row: string, map: number, at: [number, number] | null, part: string, action: string, value: number,
 *   image: string}} Change
 */

const MOST = 16;
const CLASSES = 5; // that are listed
/** What the last answers were about: nothing is asked again while the unit moves. */
let last = { row: "", possible: /** @type {any} */ (null), changes: "", answer: /** @type {any} */ (null) };
/** The picture of a map stays while its units are walked through. */
let drawn = { of: "", node: /** @type {HTMLElement | null} */ (null) };
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
 * The sections of a unit's panel: changes, and the picture that excites it.
 * @param {Scene} scene @returns {Promise<Node[]>}
 */
export async function changesPanel({ net, image, row, place }) {
  if (!image.predictions.length && net.classes.length) return [];
  const path = `/networks/${encodeURIComponent(net.id)}/images/${encodeURIComponent(image.id)}/changes`;
  const asked = `${path}/${encodeURIComponent(row.name)}`;
  await styles("why.css");
  if (last.row !== asked) last = { ...last, row: asked, possible: await ask(asked).then((answer) => answer.json()) };
  const { possible } = last;
  if (kept.of !== net.id) kept = { of: net.id, open: false, changes: [], about: null };
  return [
    el(
      "div",
      { class: "unit-panel" },
      changer({ net, image, row, place }, path, possible),
      keptPicture(net, image, row, place, possible.module),
    ),
  ];
}

/** @param {Network} net @param {LabImage} image @param {Row} row @param {Position} place @param {string} module */
function keptPicture(net, image, row, place, module) {
  const of = JSON.stringify([net.id, row.name, place.map]);
  const node = drawn.of === of && drawn.node ? drawn.node : picture(net, image, row, place, module);
  drawn = { of, node };
  return node;
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
 * @param {string} path @param {{filter: string, no_data: string}} possible
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
  const data = dataCard(path, possible.no_data);
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

/** @param {Network} net @param {any} answer @param {(index: number) => void} choose */
function effects(net, answer, choose) {
  if (!answer.is_changed) return [el("p", { class: "note" }, "Nothing changes: these numbers were so already.")];
  const far = answer.rows
    .slice(0, 6)
    .map((/** @type {any} */ row) => `${row.row} (${count(row.changed)} of ${count(row.units)})`)
    .join(", ");
  const more = answer.num_rows > 6 ? ` and ${count(answer.num_rows - 6)} more` : "";
  const spread = el("p", { class: "caption" }, `Units that change: ${far}${more}.`);
  if (!answer.classes) return [el("p", { class: "note" }, "The network has no output of one number a class."), spread];
  const byBefore = [...answer.classes].sort((a, b) => b.before - a.before || a.index - b.index);
  const byAfter = [...answer.classes].sort((a, b) => b.after - a.after || a.index - b.index);
  const shown = [...new Set([...byBefore.slice(0, 3), ...byAfter.slice(0, 3), ...strongest(answer.classes)])].slice(
    0,
    CLASSES,
  );
  shown.sort((a, b) => b.after - a.after);
  const [was, is] = [byBefore[0].index, byAfter[0].index];
  const verdict =
    was === is ? `Still ${net.classes[is]}.` : `The answer changes from ${net.classes[was]} to ${net.classes[is]}.`;
  return [
    el("p", { class: "verdict" }, verdict),
    el(
      "ul",
      { class: "answers", "aria-label": "Answers before and after" },
      ...shown.map((one) => answerRow(net, one, one.index === answer.about, choose)),
    ),
    ...(answer.terms ? arithmetic(net, answer) : []),
    spread,
  ];
}

/** The classes that change most. @param {{before: number, after: number, index: number}[]} classes */
const strongest = (classes) =>
  [...classes].sort((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before)).slice(0, 2);

/**
 * @param {Network} net @param {{index: number, before: number, after: number}} one @param {boolean} chosen
 * @param {(index: number) => void} choose
 */
function answerRow(net, { index, before, after }, chosen, choose) {
  const name = net.classes[index];
  /** @param {number} p @param {string} kind */
  const bar = (p, kind) =>
    el("div", { class: "track" }, el("div", { class: `fill ${kind}`, style: { transform: `scaleX(${p})` } }));
  return el(
    "li",
    {},
    el(
      "button",
      {
        class: "quiet cut",
        "aria-pressed": String(chosen),
        "aria-label": `${name}: ${percent(before)} before, ${percent(after)} after. Show the arithmetic`,
        title: name,
        onclick: () => choose(index),
      },
      name,
    ),
    el("div", { class: "two-bars" }, bar(before, "before"), bar(after, "after")),
    el("data", {}, `${percent(before)} → ${percent(after)}`),
  );
}

/** Why the score of a class changed, term by term. @param {Network} net @param {any} answer */
function arithmetic(net, { terms, about }) {
  const total = number(terms.sum_of_changes);
  const [before, after] = [number(terms.before), number(terms.after)];
  const decimals = Math.min(6, Math.max(3, decimalsFor([before, after, total], 4)));
  /** @param {string} label @param {string} note @param {number} value @param {string} [kind] */
  const line = (label, note, value, kind = "") =>
    el(
      "div",
      { class: `total ${kind}` },
      el("span", { class: "cut" }, label),
      el("span", { class: "caption" }, note),
      el("data", { title: whole(value) }, figure(value, decimals, kind ? fixed : signed)),
    );
  const left = terms.count - terms.terms.length;
  const off = after - before - total;
  return [
    el("h4", {}, `Why the score of ${net.classes[about]} changes`),
    el(
      "ul",
      { class: "parts" },
      ...terms.terms.map((/** @type {any} */ term) => {
        const place = term.location;
        const name = place ? spotName(net, place) : term.source;
        const to = place && { layer: place.row, map: place.map, row: place.y, col: place.x };
        return el(
          "li",
          {},
          to
            ? el("button", { class: "quiet cut", onclick: () => go({ place: to, layer: to.layer, trail: [] }) }, name)
            : el("span", { class: "cut" }, name),
          el(
            "span",
            { class: "caption product" },
            `(${fixed(number(term.after), 3)} − ${wrapped(number(term.before))}) × ${wrapped(number(term.weight))}`,
          ),
          el("data", { title: whole(number(term.change)) }, signed(number(term.change), decimals)),
        );
      }),
    ),
    ...(left > 0 ? [line(several(left, "other term"), "", number(terms.rest))] : []),
    line("the sum", `${terms.operation}[${about}] was ${figure(before, decimals)}`, total),
    line(
      `${terms.operation}[${about}] is`,
      off ? `rounding of the network ${off.toExponential(1).replaceAll("-", "−")}` : "",
      after,
      "rule",
    ),
  ];
}

/**
 * The same over the test images of the run, in the background.
 * @param {string} path @param {string} reason  why it is not possible
 */
function dataCard(path, reason) {
  const progress = progressBar();
  const result = el("div", { role: "status" });
  let turn = 0;
  const start = async () => {
    const mine = ++turn;
    button.disabled = true;
    try {
      await compute(
        `${path}/data`,
        { changes: kept.changes },
        (now) => {
          progress.show(now);
          if (now.result) replaceChildren(result, ...accuracy(now.result));
        },
        () => mine !== turn || !button.isConnected,
      );
    } catch (error) {
      if (mine === turn) result.replaceChildren(el("p", { class: "note" }, messageOf(error)));
    } finally {
      if (mine === turn) progress.show(null);
      button.disabled = false;
    }
  };
  const button = el("button", { class: "pill", onclick: start }, "Over all test images");
  const node = el(
    "div",
    { class: "over-data", hidden: true },
    reason
      ? el("p", { class: "caption" }, `Over a data set: ${reason}`)
      : el("div", { class: "row" }, button, progress.node),
    result,
  );
  return {
    node,
    clear: () => {
      turn += 1;
      progress.show(null);
      button.disabled = false;
      result.replaceChildren();
    },
  };
}

/** Accuracy before and after, of all images and of each class. @param {any} found */
function accuracy({ accuracy: total, classes, data }) {
  /** @param {string} name @param {any} one */
  const row = (name, one) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", class: "cut" }, name),
      el("td", { class: "n" }, count(one.num_images)),
      el("td", { class: "n" }, `${fixed((100 * one.before) / one.num_images, 2)}%`),
      el("td", { class: "n" }, `${fixed((100 * one.after) / one.num_images, 2)}%`),
      el("td", { class: "n" }, `${signed(100 * one.change, 2)}`),
      el(
        "td",
        { class: "n" },
        one.interval ? `${signed(100 * one.interval[0], 2)} to ${signed(100 * one.interval[1], 2)}` : "–",
      ),
      el("td", { class: "n" }, `${count(one.lost)} / ${count(one.gained)}`),
    );
  const heads = ["", "images", "before", "after", "points", "95% interval", "lost / gained"];
  const entries = Object.entries(classes).sort(([, a], [, b]) => a.change - b.change);
  const shown = entries.length > 40 ? [...entries.slice(0, 20), ...entries.slice(-10)] : entries;
  return [
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Accuracy before and after" },
      el(
        "table",
        { class: "rows" },
        el(
          "thead",
          {},
          el("tr", {}, ...heads.map((head, i) => el("th", { scope: "col", class: i ? "n" : null }, head))),
        ),
        el("tbody", {}, row("all images", total), ...shown.map(([name, one]) => row(name, one))),
      ),
    ),
    el(
      "p",
      { class: "caption" },
      `Accuracy on ${data}, in points; the classes that lose most first` +
        `${shown.length < entries.length ? `, ${count(entries.length - shown.length)} in between left out` : ""}.`,
    ),
  ];
}
