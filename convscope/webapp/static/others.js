/** What is no window: operands one by one, the lines of a formula, and the pixel at the end of every way. */

/** @import { LabImage, Network, Position, Properties, Term, UnitRef } from "./types.js" */
/** @import { Scene } from "./ledger.js" */

import { imageAddress, pixel } from "./api.js";
import { cell } from "./color.js";
import { contextOf, el } from "./element.js";
import { fixed, percent, signed, whole } from "./numbers.js";
import { follow } from "./state.js";
import { thumb } from "./ledger.js";
import { back, bracketed, figure, inCell } from "./matrix.js";
import { spotName } from "./spots.js";
import { number } from "./planes.js";

/**
 * One row for each operand that is written out: value × weight = product where it is weighted.
 * @param {Scene} scene
 * @returns {Node[]}
 */
export function listedRows(scene) {
  const { unit } = scene;
  if (!unit.terms.length) return [];
  const layout = layoutOf(scene);
  const second = /** @type {Record<string, string>} */ ({ norm: "scale", mul: "operand" })[unit.op] ?? "weight";
  const names = layout.weighted ? ["operand", null, second] : ["operand"];
  const adds = layout.weighted ? "product" : "value";
  const last = layout.shares ? "e^x ÷ Σ" : adds;
  const head = el(
    "div",
    { class: "channel one head", style: layout.style },
    el("span", {}, ""),
    ...names.map((name) => el("span", {}, name)),
    el("span", { class: "sum", style: LAST }, layout.adds || layout.shares ? last : ""),
  );
  return [head, ...unit.terms.map((term) => listedRow(scene, term, layout))];
}

const LAST = { "grid-column": "-2 / -1" };

/** @param {Scene} scene */
function layoutOf(scene) {
  const { net, unit } = scene;
  const weighted = unit.decomposition === "sum" && unit.terms.some((term) => term.weight !== 1 || term.weight_location);
  const named = unit.terms.map(
    (term) =>
      (term.location ? spotName(net, term.location) : (term.source ?? "")).length +
      ofClass(scene, term.location).length +
      (term.weight_spot ? (term.weight_location ?? "").length + 2 : 0),
  );
  const pictured = unit.terms.some((term) => term.location && flat(net, term.location) === false);
  const full = document.documentElement.clientWidth;
  const narrow = full < 960; // little room for the ledger
  const first = narrow
    ? "minmax(0, 1.4fr)"
    : `minmax(0, ${Math.min(300, Math.max(112, Math.max(...named) * 8 + (pictured ? 60 : 8)))}px)`;
  const style = {
    "--w": narrow ? "52px" : "64px",
    "--c": narrow ? "50px" : "62px",
    "--n": 1,
    "grid-template-columns": `${first} var(--w)${weighted ? " 14px var(--w)" : ""} minmax(64px, 1fr)`,
  };
  return {
    weighted,
    pictured: pictured && unit.terms.length <= 4,
    adds: unit.decomposition === "sum",
    shares: unit.kind === "softmax",
    style,
  };
}

/** The class that an operand of a softmax stands for. @param {Scene} scene @param {UnitRef | null} place */
const ofClass = ({ net, unit }, place) =>
  unit.kind === "softmax" && place && net.classes[place.map] ? ` for ${net.classes[place.map]}` : "";

/** @param {Network} net @param {UnitRef} spot */
const flat = (net, spot) => {
  const shape = net.byName.get(spot.row)?.shape;
  return shape ? shape[1] * shape[2] === 1 : true;
};

/** @param {Scene} scene @param {Term} term @param {ReturnType<typeof layoutOf>} layout */
function listedRow(scene, term, layout) {
  const { net, peaks, decimals } = scene;
  const { location: place } = term;
  const other = term.weight_spot;
  const name =
    (place ? spotName(net, place) : (term.source ?? "a constant")) +
    ofClass(scene, place) +
    (other ? ` × ${spotName(net, other)}` : "");
  const said = layout.weighted
    ? `${whole(term.value)} × ${bracketed(term.weight)} = ${whole(term.product)}`
    : whole(term.value);
  const weightName = term.weight_location ? `, with ${term.weight_location}` : "";
  const hint = place ? ` Choose ${whole(term.value)} to see what it is made of.` : "";
  const speak = () => scene.read(`${name}: ${said}${weightName}.${hint}`);
  /** @param {number} value @param {number} peak @param {Properties} [properties] @param {"span" | "button"} [tag] */
  const figures = (value, peak, properties = {}, tag = "span") =>
    el(
      "div",
      { class: "matrix figures", style: { "--n": 1 } },
      el(
        tag,
        { class: "cell", style: Number.isFinite(value) ? cell(value, peak) : {}, ...properties },
        inCell(value, peak),
      ),
    );
  const value = place
    ? figures(
        term.value,
        peaks.patch,
        {
          "aria-label": `${name}, ${said}. Follow ${inCell(term.value, peaks.patch)}.`,
          onclick: () => back(scene, place),
        },
        "button",
      )
    : figures(term.value, peaks.patch);
  const goes = other
    ? {
        "aria-label": `${term.weight_location}, ${whole(term.weight)}. Follow ${inCell(term.weight, peaks.filter)}.`,
        onclick: () => back(scene, other),
      }
    : {};
  const weight = layout.weighted
    ? [
        el("span", { class: "op" }, "×"),
        figures(term.weight, peaks.filter, { title: term.weight_location ?? "", ...goes }, other ? "button" : "span"),
      ]
    : [];
  const pictured = layout.pictured && place ? thumb(scene, place.row, place.map, [place]) : null;
  let last = layout.adds ? figure(term.product, decimals, signed) : "";
  if (layout.shares) last = percent(term.product);
  return el(
    "div",
    { class: "channel one", style: layout.style, onpointerover: speak, onfocusin: speak },
    el(
      "span",
      { class: "from", title: name },
      el("span", { style: { "overflow-wrap": "anywhere", "white-space": "normal", "min-width": "0" } }, name),
      pictured,
    ),
    value,
    ...weight,
    el("data", { class: "sum", style: LAST, title: whole(term.product) }, last),
  );
}

/**
 * The lines on the way to a result: mean and variance of a normalization, the logarithm of a softmax.
 * @param {Scene} scene
 */
export function lines({ unit, decimals }) {
  return (unit.lines ?? []).map((line) =>
    el(
      "div",
      { class: "total" },
      el("span", {}, line.label),
      el("span", { class: "caption" }, line.text),
      el(
        "data",
        { title: whole(number(line.value)), style: { color: "var(--ink-2)" } },
        figure(number(line.value), decimals),
      ),
    ),
  );
}

const REACH = [3, 4]; // of the neighborhood of a pixel, in rows and columns

/**
 * The end of every way back: the bytes of one pixel, and what the network reads of them.
 * @param {Network} net @param {LabImage} image @param {Position} place
 * @returns {Promise<Node[]>}
 */
export async function pixelScreen(net, image, place) {
  const [{ channels }, around] = await Promise.all([
    pixel(net.id, image.id, place.row, place.col),
    neighbors(net, image, place),
  ]);
  const bytes = channels.map((channel) => channel.byte);
  const mine = channels[place.map] ?? channels[0];
  const one = channels.length === 1;
  const heading = el("h2", {}, `Pixel (${place.row}, ${place.col}) = ${one ? bytes[0] : `(${bytes.join(", ")})`}`);
  const said = one ? "one byte, from 0 (black) to 255 (white)" : `${channels.length} bytes, each from 0 to 255`;
  return [
    el(
      "section",
      { class: "card pixel", style: { "min-width": "0" } },
      heading,
      around,
      el("p", { class: "lead" }, `This is the image itself: ${said}.`),
      ...channels.map((channel) =>
        el(
          "p",
          { class: "sentence", style: channel === mine ? {} : { "font-size": "var(--t3)", color: "var(--ink-2)" } },
          one ? null : `${channel.name}: `,
          `(${channel.byte} ÷ 255 − ${bracketed(channel.mean)}) ÷ ${whole(channel.std)} = `,
          el("b", { title: whole(channel.value) }, fixed(channel.value, 4)),
        ),
      ),
      el(
        "p",
        { class: "caption" },
        "The mean and the standard deviation are those of the training images; ",
        `${fixed(mine.value, 4)} is the value of image[${place.map},${place.row},${place.col}], which the first ` +
          "layer reads.",
      ),
    ),
  ];
}

/**
 * The bytes around a pixel, from the image that the network reads.
 * @param {Network} net @param {LabImage} image @param {Position} place
 */
async function neighbors(net, image, place) {
  const [high, wide] = net.size;
  const shown = new Image();
  shown.src = await imageAddress(net.id, image.id);
  await shown.decode();
  const canvas = el("canvas", { width: wide, height: high });
  const pen = contextOf(canvas, { willReadFrequently: true });
  pen.drawImage(shown, 0, 0);
  const [rows, columns] = REACH.map((reach) => 2 * reach + 1);
  const cells = Array.from({ length: rows * columns }, (_, k) => {
    const [y, x] = [place.row - REACH[0] + Math.floor(k / columns), place.col - REACH[1] + (k % columns)];
    const inside = y >= 0 && x >= 0 && y < high && x < wide;
    const here = y === place.row && x === place.col;
    if (!inside) return el("span", { class: "cell outside" });
    const rgb = pen.getImageData(x, y, 1, 1).data;
    const byte = rgb[net.channels === 1 ? 0 : place.map];
    const light = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    const style = { background: `rgb(${rgb[0]} ${rgb[1]} ${rgb[2]})`, color: light > 117 ? "#000000" : "#ffffff" };
    const open = () => follow({ ...place, row: y, col: x });
    return el(
      here ? "span" : "button",
      {
        class: `cell ${here ? "lit" : ""}`,
        style,
        "aria-label": `Pixel (${y}, ${x}), ${byte}`,
        onclick: here ? null : open,
      },
      String(byte),
    );
  });
  const width = innerWidth <= 760 ? "32px" : "40px";
  return el(
    "div",
    {
      class: "matrix figures",
      style: { "--n": columns, "--c": width },
      role: "group",
      "aria-label": "The bytes around it",
    },
    ...cells,
  );
}
