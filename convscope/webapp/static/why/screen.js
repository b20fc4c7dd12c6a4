/** Why the network answers so: which part of the image, how much it explains, and how far to trust it. */

/** @import { Computed, LabImage, Network, Row, WhyAsked, WhyMethod, WhyResult } from "../types.js" */
/** @import { Heat } from "./board.js" */

import { ask } from "../api.js";
import { compute, numbersOf, progressBar } from "../computation.js";
import { el, messageOf, say, styles } from "../element.js";
import { replaceChildren } from "../focus.js";
import { percent } from "../numbers.js";
import { ofOneLogit } from "../picture.js";
import { go } from "../state.js";
import { whyName } from "../trail.js";
import { heatBoard } from "./board.js";
import { classChooser } from "./classes.js";
import { explained, regions, terms, trust } from "./facts.js";
import { excitingPicture } from "./pictures.js";

/** @typedef {{methods: WhyMethod[], default: string, default_contrast: string}} Methods */

/** @type {Promise<Methods> | null} */
let methods = null;
let turn = 0;

/** What is being computed is left. */
export function stop() {
  turn += 1;
}

/** The methods are asked for once. @returns {Promise<Methods>} */
async function readMethods() {
  methods ??= ask("/attribution").then((answer) => answer.json());
  try {
    return await methods;
  } catch (error) {
    methods = null;
    throw error;
  }
}

/**
 * @param {Network} net @param {LabImage} image @param {WhyAsked} why
 * @returns {Promise<Node[]>}
 */
export async function whyScreen(net, image, why) {
  const mine = ++turn;
  const [known] = await Promise.all([readMethods(), styles("why.css")]);
  if (!image.predictions.length)
    return [
      el("p", { class: "note" }, `${net.title} has no output of one number a class, so there is no answer to explain.`),
    ];
  if (image.predictions.some(({ probability }) => !Number.isFinite(probability)))
    return [
      el(
        "p",
        { class: "note" },
        `Some outputs of ${net.title} are not finite for this image, so there is no answer to explain.`,
      ),
    ];
  const target = why.target ?? image.predictions.find(({ index }) => index !== why.other)?.index ?? 0;
  if (ofOneLogit(image)) why = { ...why, other: 1 - target };
  const full = { ...why, target };
  const chosen = why.method || (why.other === null ? known.default : known.default_contrast);
  const method = known.methods.find(({ name }) => name === chosen) ?? known.methods[0];
  const progress = progressBar();
  const status = el("div", { role: "status" });
  const left = el("div", { class: "why-left" });
  const right = el("div", { class: "why-right" });
  const body = el("div", { class: "why-body" }, left, right);
  const draw = drawer(net, image, why, { left, right });
  let seen = false;
  const late = () => {
    seen ||= body.isConnected;
    return mine !== turn || (seen && !body.isConnected);
  };
  const asked = {
    method: method.name,
    target,
    instead_of: why.other,
    layer: (method.takes_layer && why.layer) || null,
  };
  const path = `/networks/${encodeURIComponent(net.id)}/images/${encodeURIComponent(image.id)}/why`;
  compute(
    path,
    asked,
    (now) => {
      progress.show(now);
      draw(now);
    },
    late,
  ).then(
    () => late() || progress.show(null),
    (error) => {
      if (late()) return;
      progress.show(null);
      say(messageOf(error));
      replaceChildren(status, refusal(method, messageOf(error), full));
    },
  );
  return [
    el("div", {}, el("h2", { class: "cut" }, whyName(net, full)), el("p", { class: "lead" }, lead(net, image, full))),
    controls(net, image, full, known.methods, method),
    progress.node,
    status,
    body,
  ];
}

/** @param {Network} net @param {LabImage} image @param {WhyAsked} why */
function lead(net, image, { target, other }) {
  /** @param {number | null} index */
  const said = (index) => {
    const found = image.predictions.find((answer) => answer.index === index);
    return `${net.classes[index ?? 0]} ${percent(found?.probability ?? null)}`;
  };
  if (other === null) return `The network says ${said(target)}. Which part of the image does that rest on?`;
  return `The network says ${said(target)}, and ${said(other)}. What makes the difference?`;
}

/** A method that refuses this network says why, and another one is offered. @param {WhyMethod} method @param {string} message @param {WhyAsked} why */
function refusal(method, message, why) {
  const other = why.other === null && method.name !== "grad-cam" ? "grad-cam" : "gradient-x-input";
  return el(
    "div",
    { class: "note" },
    el("p", {}, `${method.title} has no map here. ${message}`),
    method.name === other
      ? null
      : el(
          "button",
          { class: "pill", onclick: () => go({ why: { ...why, method: other, layer: "" } }) },
          `Use ${other === "grad-cam" ? "Grad-CAM" : "Gradient x input"}`,
        ),
  );
}

/**
 * The class, the other class, the method, and its layer.
 * @param {Network} net @param {LabImage} image @param {WhyAsked} why @param {WhyMethod[]} methods @param {WhyMethod} method
 */
function controls(net, image, why, methods, method) {
  /** @param {Partial<WhyAsked>} change */
  const to = (change) => go({ why: { ...why, ...change } });
  const top = image.predictions[0].index;
  return el(
    "div",
    { class: "row why-controls", role: "group", "aria-label": "What is explained" },
    classChooser(net, image, {
      label: "Why",
      chosen: why.target,
      none: "the first answer",
      choose: (target) =>
        to({
          target: target ?? top,
          other: ofOneLogit(image) || why.other === (target ?? top) ? null : why.other,
        }),
    }),
    ofOneLogit(image)
      ? null
      : classChooser(net, image, {
          label: "and not",
          chosen: why.other,
          none: "no other class",
          choose: (other) => to({ other, ...(other === why.target ? { target: null } : {}), method: "" }),
        }),
    el(
      "label",
      { class: "asked-for" },
      el("span", { class: "caption" }, "Method"),
      el(
        "select",
        { class: "pill", "aria-label": "Method", onchange: (event) => to({ method: event.target.value }) },
        ...methods.map(({ name, title, answers }) =>
          el("option", { value: name, selected: name === method.name }, `${title}: ${answers}`),
        ),
      ),
    ),
    method.takes_layer ? layerChooser(net, why, to) : null,
  );
}

/** @param {Network} net @param {WhyAsked} why @param {(change: Partial<WhyAsked>) => void} to */
function layerChooser(net, why, to) {
  const most = 60; // layers of a list
  const mapped = net.rows.filter((row) => row.op !== "image" && row.shape[1] * row.shape[2] > 1);
  const rows = mapped.slice(-most).reverse();
  /** @param {Row} row */
  const end = (row) => row.operations.at(-1) ?? row.name;
  return el(
    "label",
    { class: "asked-for" },
    el("span", { class: "caption" }, "Maps of"),
    el(
      "select",
      { class: "pill", "aria-label": "Maps of", onchange: (event) => to({ layer: event.target.value }) },
      el("option", { value: "", selected: !why.layer }, "the last maps"),
      ...rows.map((row) => el("option", { value: end(row), selected: why.layer === end(row) }, row.name)),
    ),
  );
}

/**
 * Draws what there is of a result; the board once, what is beside it whenever there is more.
 * @param {Network} net @param {LabImage} image @param {WhyAsked} why
 * @param {{left: HTMLElement, right: HTMLElement}} parts
 */
function drawer(net, image, why, { left, right }) {
  /** @type {ReturnType<typeof heatBoard> | null} */
  let board = null;
  let reading = false;
  /** @type {WhyResult | null} */
  let result = null;
  const divide = () => go({ why: { ...why, method: "hires-cam", layer: why.layer } });
  /** @param {Computed} now */
  return async (now) => {
    if (now.result) result = { ...now.result, score_name: now.result.score_name.replace(" - ", " − ") };
    if (!result || reading) return;
    if (!board) {
      reading = true;
      try {
        board = heatBoard(net, image, await readHeat(now, result));
        left.replaceChildren(board.node, ...problem(result), ...notes(result));
      } catch (error) {
        left.replaceChildren(el("p", { class: "note" }, messageOf(error)));
      } finally {
        reading = false;
      }
    } else if (!now.result) return;
    if (!board) return;
    const cards = [
      explained(result, divide),
      trust(result, now.state === "running" ? now : null),
      regions(result, board),
      terms(net, image, result),
    ].filter((node) => node !== null);
    replaceChildren(right, ...cards);
    if (result.is_tested && !left.querySelector(".exciting")) left.append(...picture(net, image, result));
  };
}

/** @param {Computed} now @param {WhyResult} result @returns {Promise<Heat>} */
async function readHeat(now, result) {
  const [map, channels] = await Promise.all([
    numbersOf(now, "map"),
    result.cells ? numbersOf(now, "channels") : Promise.resolve(null),
  ]);
  return { result, map, channels };
}

/** A blank map is never shown without its reason. @param {WhyResult} result */
const problem = (result) => (result.problem ? [el("p", { class: "note" }, result.problem)] : []);

/** @param {WhyResult} result */
const notes = (result) => result.notes.map((text) => el("p", { class: "caption" }, text));

/** The image that excites the class most, where a module computes its score. @param {Network} net @param {LabImage} image @param {WhyResult} result */
function picture(net, image, { terms: sum, target }) {
  const row = sum && net.rows.find((one) => one.operations.includes(sum.operation));
  if (!row) return [];
  return [excitingPicture(net, image, { row: row.name, map: target, at: null, name: net.classes[target] })];
}
