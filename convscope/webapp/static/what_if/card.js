/** What if: another weight, pixel or stride, and everything that follows from it, layer by layer. */

/** @import { LabImage, Network, Position, Row, Unit } from "../types.js" */
/** @import { Possible } from "../why/changes.js" */

import { post } from "../api.js";
import { el, messageOf, styles } from "../element.js";
import { several, whole } from "../numbers.js";
import { address, read, replaceAddress } from "../state.js";
import { supposedOf, textsOf } from "./address.js";
import { follows } from "./follows.js";
import { pixelPart } from "./pixels.js";
import { settingsPart } from "./settings.js";
import { weightPart } from "./weights.js";

/**
 * What is other than in the network: values of weights by their name, blocks of pixels by their corner, settings of
 * layers; `painted` is of one image.
 * @typedef {{y: number, x: number, height: number, width: number, bytes: number[]}} Block
 * @typedef {{row: string, name: string, value: number}} Setting
 * @typedef {{of: string, image: string, weights: Map<string, number>, blocks: Map<string, Block>,
 *   settings: Map<string, Setting>}} Supposed
 * @typedef {{net: Network, image: LabImage, row: Row, place: Position, unit: Unit | null, supposed: Supposed,
 *   changed: () => void}} Scene
 */

/** What is too much for the address, while the page is open. @type {Supposed | null} */
let kept = null;
/** @type {{key: string, answer: any}} */
let last = { key: "", answer: null };

/**
 * The card below a unit, or a pixel.
 * @param {{net: Network, image: LabImage, row: Row, place: Position, unit: Unit | null}} about
 * @param {Possible} possible
 */
export async function whatIf(about, possible) {
  const { net, image, row, place } = about;
  await styles("what_if.css");
  if (kept && (kept.of !== net.id || kept.image !== image.id)) kept = null;
  const supposed = kept ?? { of: net.id, image: image.id, ...supposedOf(read().supposed, net) };
  /** In the address, so that it outlives the page and can be sent. */
  const store = () => {
    const texts = textsOf(supposed, net);
    kept = texts ? null : supposed;
    replaceAddress(address({ supposed: texts ?? [] }));
  };
  const chips = el("ul", { class: "supposed", "aria-label": "What is different" });
  const result = el("div", { class: "what-follows" });
  const status = el("div", { role: "status" });
  const tooMuch = el(
    "p",
    { class: "caption", hidden: true },
    "This is too much for the address: it is lost when the page is loaded again.",
  );
  const path = `/networks/${encodeURIComponent(net.id)}/images/${encodeURIComponent(image.id)}/what-if`;
  let busy = false;
  let again = false;

  const ask = async () => {
    if (busy) return void (again = true);
    const body = bodyOf(supposed, row, place);
    const key = JSON.stringify([path, body]);
    busy = true;
    try {
      if (last.key !== key) last = { key, answer: await post(path, body) };
      status.replaceChildren();
      if (!isEmpty(supposed)) result.replaceChildren(...follows(net, last.answer));
    } catch (error) {
      status.replaceChildren(el("p", { class: "note" }, messageOf(error)));
    } finally {
      busy = false;
    }
    if (again) {
      again = false;
      changed();
    }
  };
  const changed = () => {
    store();
    chips.replaceChildren(...chipsOf(supposed, redraw));
    tooMuch.hidden = !kept;
    if (isEmpty(supposed)) return result.replaceChildren(hint());
    ask();
  };
  /** @type {Scene} */
  const scene = { ...about, supposed, changed };
  const parts = el("div", { class: "suppose" });
  const fill = () =>
    parts.replaceChildren(
      ...[weightPart(scene, possible.filter), pixelPart(scene), settingsPart(scene, possible.settings)].filter(
        (part) => part !== null,
      ),
    );
  const redraw = () => {
    fill();
    changed();
  };
  redraw();
  return el(
    "section",
    { class: "card what-if", "aria-label": "What if" },
    el("h3", {}, "What if…"),
    el(
      "p",
      { class: "caption" },
      "Change a weight, a pixel or a stride, and see at once what follows. A copy runs; the network stays as it is.",
    ),
    parts,
    chips,
    tooMuch,
    status,
    result,
  );
}

const hint = () => el("p", { class: "caption" }, "Nothing is different yet. Move a slider, or paint on the image.");

/** @param {Supposed} supposed */
const isEmpty = ({ weights, blocks, settings }) => !weights.size && !blocks.size && !settings.size;

/** @param {Supposed} supposed @param {Row} row @param {Position} place */
const bodyOf = ({ weights, blocks, settings }, row, place) => ({
  weights: [...weights].map(([name, value]) => `${name}=${value}`),
  pixels: [...blocks.values()],
  settings: [...settings.values()],
  row: row.name,
  map: place.map,
});

/** What is different, each with its way back. @param {Supposed} supposed @param {() => void} redraw */
function chipsOf({ weights, blocks, settings }, redraw) {
  /** @param {string} text @param {() => void} undo */
  const chip = (text, undo) =>
    el(
      "li",
      {},
      el("span", {}, text),
      el(
        "button",
        {
          class: "quiet",
          "aria-label": `Undo ${text}`,
          onclick: () => {
            undo();
            redraw();
          },
        },
        "Undo",
      ),
    );
  return [
    ...[...weights].map(([name, value]) => chip(`${name} = ${whole(value)}`, () => weights.delete(name))),
    ...(blocks.size ? [chip(`${several(blocks.size, "dot")} painted`, () => blocks.clear())] : []),
    ...[...settings].map(([key, { row, name, value }]) =>
      chip(`${name} of ${row} = ${value}`, () => settings.delete(key)),
    ),
  ];
}
