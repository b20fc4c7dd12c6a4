/** Pictures that are computed: what excites a unit most, and what a layer still knows of the image. */

/** @import { Computed, LabImage, Network, Row } from "../types.js" */

import { imageAddress } from "../api.js";
import { compute, pictureOf, progressBar } from "../computation.js";
import { el, messageOf } from "../element.js";
import { count, fixed } from "../numbers.js";

/** @type {Map<string, HTMLElement>} */
const kept = new Map();
const MOST = 4; // cards that are kept

/**
 * A card with a button that starts it. What was computed stays while the screen is drawn again.
 * @param {Network} net @param {How} how
 */
function pictureCard(net, how) {
  const key = JSON.stringify([how.path, how.body]);
  const node = kept.get(key) ?? newCard(net, how);
  kept.delete(key);
  kept.set(key, node);
  if (kept.size > MOST) kept.delete(kept.keys().next().value ?? "");
  return node;
}

/**
 * @typedef {{title: string, intro: string, start: string, path: string, body: unknown, alt: string,
 *   beside?: Promise<string>, said: (result: any) => (Node | string)[]}} How
 */

/** The picture is shown as it grows. @param {Network} net @param {How} how */
function newCard(net, { title, intro, start, path, body, alt, beside, said }) {
  const progress = progressBar();
  const picture = el("img", { alt, class: net.size[1] < 120 ? "cells" : null, hidden: true });
  const text = el("div", { role: "status" });
  const other = beside
    ? el("img", { alt: "The image", class: net.size[1] < 120 ? "cells" : null, hidden: true })
    : null;
  const frames = el("div", { class: "computed" }, other, picture);
  let running = false;
  let isFinal = false;
  let shown = "";
  let version = -1;
  /** @param {Computed} now */
  const show = async (now) => {
    progress.show(now);
    isFinal ||= Boolean(now.result?.is_final);
    if (now.version === version || !now.version) return;
    version = now.version;
    const result = now.result;
    const address = await pictureOf(now, "picture").catch(() => "");
    if (address && picture.isConnected) {
      URL.revokeObjectURL(shown);
      [picture.src, shown, picture.hidden] = [address, address, false];
    }
    if (result?.is_final) text.replaceChildren(...said(result));
  };
  const button = el(
    "button",
    {
      class: "pill",
      onclick: async () => {
        if (running) return;
        [running, button.disabled] = [true, true];
        if (other && beside) beside.then((url) => ([other.src, other.hidden] = [url, false])).catch(() => {});
        try {
          await compute(path, body, show, () => !button.isConnected);
          button.hidden = isFinal;
        } catch (error) {
          text.replaceChildren(el("p", { class: "note" }, messageOf(error)));
        } finally {
          progress.show(null);
          [running, button.disabled] = [false, false];
        }
      },
    },
    start,
  );
  return el(
    "section",
    { class: "card why-card exciting" },
    el("h3", {}, title),
    el("p", { class: "caption" }, intro),
    el("div", { class: "row" }, button, progress.node),
    frames,
    text,
  );
}

/** @param {Network} net @param {LabImage} image */
const base = (net, image) => `/networks/${encodeURIComponent(net.id)}/images/${encodeURIComponent(image.id)}`;

/**
 * The image that excites a map, a unit or a class most.
 * @param {Network} net @param {LabImage} image
 * @param {{row: string, map: number, at: [number, number] | null, name: string}} target
 */
export const excitingPicture = (net, image, { row, map, at, name }) =>
  pictureCard(net, {
    title: `The image that excites ${name} most`,
    intro: "Computed step by step from noise, not taken from the data.",
    start: "Compute it",
    path: `${base(net, image)}/synthesis`,
    body: { row, map, at },
    alt: `A computed image that excites ${name}`,
    said: (result) => [
      el(
        "p",
        {},
        `${result.kind === "channel" ? "Mean of the map" : "Value"} ${short(result.value)}; a gray image has ` +
          `${short(result.gray_value)}.`,
      ),
      result.reason ? el("p", { class: "note" }, result.reason) : "",
      el("p", { class: "caption" }, `${count(result.steps)} steps, towards ${result.target}.`),
    ],
  });

/** @param {number | null} value */
const short = (value) => (value === null ? "a value that is not finite" : fixed(value, Math.abs(value) < 0.1 ? 4 : 2));

/**
 * An image that a layer answers as it answers the open one: what has vanished, it does not know.
 * @param {Network} net @param {LabImage} image @param {Row} row
 */
export const invertedLayer = (net, image, row) =>
  pictureCard(net, {
    title: `What ${row.name} still knows of this image`,
    intro:
      "An image is computed whose values in this layer are those of the open one. What is gone from it, the layer does not know.",
    start: "Compute it",
    path: `${base(net, image)}/inversion/${encodeURIComponent(row.name)}`,
    body: {},
    alt: `A computed image with the same values in ${row.name}`,
    beside: imageAddress(net.id, image.id),
    said: (result) => [
      el(
        "p",
        {},
        `Its values in ${row.name} differ by ${fixed(100 * result.relative_error, 1)}%; those of a gray image by ` +
          `${fixed(100 * result.gray_error, 1)}%. Its pixels differ by ${fixed(result.pixel_error, 3)} (0 to 1).`,
      ),
      el(
        "p",
        { class: "caption" },
        `The image has ${count(result.num_inputs)} numbers, the layer ${count(result.num_values)}; ` +
          `${count(result.steps)} steps.`,
      ),
    ],
  });
