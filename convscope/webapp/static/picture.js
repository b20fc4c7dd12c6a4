/** The image, always in sight: what the open unit sees of it, and what the network says about it. */

/** @import { LabImage, Network, Position, Prediction, State } from "./types.js" */

import { unitAt } from "./ahead.js";
import { imageAddress } from "./api.js";
import { el, svg, write } from "./element.js";
import { another, isLive } from "./live.js";
import { fixed, percent, sides } from "./numbers.js";
import { go, link } from "./state.js";
import { visible } from "./words.js";

/**
 * A rectangle of the image, and how large it is before the edges cut it.
 * @typedef {{x: number, y: number, w: number, h: number, whole: number[], exact: boolean}} Field
 */

const ANSWERS = 4;
/** The widths of the bars as they stand, so that they can move to the next ones. @type {Map<string, number>} */
let bars = new Map();
/** The pane of one image stays while units are opened in it. */
/** @type {{key: string, nodes: Node[], over: SVGElement, caption: HTMLElement}} */
let pane = { key: "", nodes: [], over: svg("svg"), caption: el("p") };
let turn = 0;

/**
 * @param {Network} net
 * @param {LabImage} image
 * @param {State} state
 * @returns {Node[]}
 */
export function imagePane(net, image, state) {
  const key = [net.id, image.id, net.images.map((i) => i.id)].join();
  if (pane.key !== key) pane = { key, ...make(net, image) };
  fields(net, image, state);
  if (net.finds_boxes) boxes(net, image, state);
  return pane.nodes;
}

/** @param {Network} net @param {LabImage} image */
function make(net, image) {
  const [height, width] = net.size;
  const over = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const caption = el("p", { class: "caption" });
  const choose = el(
    "div",
    { class: "choose", role: "group", "aria-label": "Images" },
    ...net.images.map(({ id, title }) =>
      el(
        "button",
        { "aria-pressed": String(id === image.id), "aria-label": title, title, onclick: () => go({ image: id }) },
        shown(net, id),
      ),
    ),
    isLive
      ? el(
          "button",
          {
            class: "add",
            title: "Choose a file, drop or paste one, draw, or use the camera",
            onclick: () => another(net),
          },
          "Other…",
        )
      : null,
  );
  const [said, more] = [
    answers(net, image),
    [expected(image), net.warning, image.note].filter(Boolean).map((text) => el("p", { class: "caption long" }, text)),
  ];
  return {
    over,
    caption,
    nodes: [
      el("div", { class: "frame", style: { "aspect-ratio": `${width} / ${height}` } }, shown(net, image.id), over),
      caption,
      said,
      ...[why(net, image)].filter((node) => node !== null),
      ...more,
      choose,
    ],
  };
}

/** The boxes that it finds, above the fields of the units. @param {Network} net @param {LabImage} image @param {State} state */
async function boxes(net, image, state) {
  const { over } = pane;
  const { overlay, readBoxes } = await import("./boxes/overlay.js");
  const found = await readBoxes(net, image).catch(() => null);
  if (!found || over !== pane.over || !over.parentElement) return;
  over.parentElement.querySelector(".boxes-over")?.remove();
  over.after(overlay(net, found, state.box));
}

/** What the network sees, scaled without smoothing where it is small. @param {Network} net @param {string} id */
function shown(net, id) {
  const picture = el("img", { alt: "", class: net.size[1] < 120 ? "cells" : null, draggable: "false" });
  imageAddress(net.id, id).then(
    (url) => (picture.src = url),
    (error) => (picture.alt = error.message),
  );
  return picture;
}

/** Is one number returned for two classes: what speaks for one speaks against the other? @param {LabImage} image */
export const ofOneLogit = ({ predictions: [first, second] }) => Boolean(second) && first.unit === second.unit;

/** On to what the answer rests on. @param {Network} net @param {LabImage} image */
function why(net, image) {
  const [first, second] = image.predictions;
  if (!first || !isLive || !Number.isFinite(first.probability)) return null;
  /** @param {string} text @param {string} title @param {number | null} target @param {number | null} other */
  const to = (text, title, target, other) =>
    el(
      "a",
      {
        class: "pill why",
        title,
        ...link({ layer: "", place: null, trail: [], why: { method: "", target, other, layer: "" } }),
      },
      el("span", {}, text),
    );
  const name = net.classes[first.index];
  const more = second ? net.classes[second.index] : "";
  return el(
    "div",
    { class: "whys" },
    ofOneLogit(image) ? null : to(`Why ${name}?`, "Which part of the image the answer rests on", null, null),
    second
      ? to(`Why ${name} and not ${more}?`, "What makes the difference between the two", first.index, second.index)
      : null,
  );
}

/** The expected grade, where classes are grades; else nothing. @param {LabImage} image */
function expected({ expected_grade: grade }) {
  if (!grade) return "";
  const [lowest, highest] = [grade.grades[0], grade.grades[grade.grades.length - 1]];
  const ends = `0 is ${lowest}, ${grade.grades.length - 1} is ${highest}`;
  return `Expected grade ${fixed(grade.value, 2)} (${ends}).`;
}

/**
 * The likeliest classes; the bars move from what they were for the image before.
 * @param {Network} net @param {LabImage} image
 */
function answers(net, image) {
  const first = image.predictions.slice(0, ANSWERS);
  const long = first.some((answer) => answer.class.length > 4);
  const before = bars;
  bars = new Map(image.predictions.map((answer) => [answer.class, Number(answer.probability) || 0]));
  return el(
    "ol",
    { class: `classes ${long ? "long" : ""} ${net.warning ? "doubted" : ""}`, "aria-label": "Prediction" },
    ...first.map((answer) => {
      const fill = el("div", { class: "fill", style: { transform: `scaleX(${before.get(answer.class) ?? 0})` } });
      requestAnimationFrame(() =>
        requestAnimationFrame(() => (fill.style.transform = `scaleX(${bars.get(answer.class) ?? 0})`)),
      );
      return el(
        "li",
        { class: answer.is_predicted ? "first" : null },
        className(net, answer),
        el("div", { class: "track" }, fill),
        el("data", {}, percent(answer.probability)),
      );
    }),
  );
}

/** A class leads to how its percentage comes about. @param {Network} net @param {Prediction} answer */
function className(net, { class: name, unit: map, probability }) {
  if (!net.answer) return el("span", { class: "what", title: name }, name);
  const place = { layer: net.answer, map, row: 0, col: 0 };
  const title = `${name}: how ${percent(probability)} comes about`;
  return el("a", { class: "what", title, ...link({ layer: net.answer, place, trail: [], why: null }) }, name);
}

/**
 * The rectangle of the image that a unit sees, and how large its field is before the edges cut it.
 * @param {Network} net @param {string} image @param {Position} place
 * @returns {Promise<Field | null>}
 */
export async function receptiveField(net, image, place) {
  const { layer, row, col } = place;
  if (layer === "image") return { x: col, y: row, w: 1, h: 1, whole: [1, 1], exact: true };
  const { receptive_field: field } = await unitAt(net, image, place);
  const [ys, xs] = field?.clipped.slice(-2) ?? [];
  if (!field || !ys || !xs) return null;
  return {
    x: xs[0],
    y: ys[0],
    w: xs[1] - xs[0],
    h: ys[1] - ys[0],
    whole: field.box.slice(-2).map(([from, end]) => end - from),
    exact: field.exact,
  };
}

/**
 * All fields of the trail, nested as a funnel; the last outline becomes the next one.
 * @param {Network} net @param {LabImage} image @param {State} state
 */
async function fields(net, image, state) {
  const mine = ++turn;
  const { over, caption } = pane;
  const places = state.place ? [...state.trail, state.place] : [];
  const found = await Promise.all(places.map((place) => receptiveField(net, image.id, place).catch(() => undefined)));
  if (mine !== turn) return;
  const now = found.at(-1);
  const was = found
    .slice(0, -1)
    .filter((field) => field !== null && field !== undefined)
    .flatMap((field) => [rect("halo", field), rect("was", field)]);
  const last = now ? [hold(over, "halo now-halo", now), hold(over, "now", now)] : [];
  over.replaceChildren(...was, ...last);
  const size = `${net.size[1]}×${net.size[0]}`;
  const text = sentence(net, state, now) ?? `${image.title}, ${size}.`;
  write(caption, text);
  over.setAttribute("aria-label", visible(text));
}

/** @param {Network} net @param {State} state @param {Field | null | undefined} field */
function sentence(net, { place }, field) {
  if (!place || field === undefined) return null;
  if (!field) return "This unit does not depend on the image.";
  if (place.layer === "image") return `Row ${field.y}, column ${field.x} of ${sides(net.size)} pixels.`;
  const cut = field.whole[0] > field.h || field.whole[1] > field.w;
  const beyond = cut ? ` Its receptive field of ${sides(field.whole)} reaches over the edge.` : "";
  const seen = `${field.exact ? "" : "at most "}${sides([field.h, field.w])}`;
  return `The unit sees ${seen} of ${sides(net.size)} pixels.${beyond}`;
}

/** @param {string} kind @param {Field} field */
function rect(kind, { x, y, w, h }) {
  return svg("rect", {
    class: `field ${kind}`,
    style: { x: `${x}px`, y: `${y}px`, width: `${w}px`, height: `${h}px` },
  });
}

/**
 * The same element at another place, so that it moves there.
 * @param {SVGElement} over @param {string} kind @param {Field} field
 */
function hold(over, kind, field) {
  const [name] = kind.split(" ").slice(-1);
  const outline = /** @type {SVGElement | null} */ (over.querySelector(`.${name}`));
  if (!outline) return rect(kind, field);
  for (const [k, v] of Object.entries({ x: field.x, y: field.y, width: field.w, height: field.h }))
    outline.style.setProperty(k, `${v}px`);
  return outline;
}
