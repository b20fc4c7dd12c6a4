/** The heat map: pointing at a place says its value and the unit behind it, a press opens that unit. */

/** @import { LabImage, Network, WhyRegion, WhyResult } from "../types.js" */

import { imageAddress } from "../api.js";
import { contextOf, el, write } from "../element.js";
import { spotName } from "../spots.js";
import { count, decimalsFor, fixed, signed } from "../numbers.js";
import { legend } from "../planes.js";
import { go } from "../state.js";
import { visible } from "../words.js";
import { blend, cellOf, everyPixel, grayOf } from "./heat.js";

/** A map that has been read. @typedef {{result: WhyResult, map: Float32Array, channels: Float32Array | null}} Heat */

/**
 * @param {Network} net @param {LabImage} image @param {Heat} heat
 * @returns {{node: HTMLElement, mark: (region: WhyRegion | null) => void, open: (region: WhyRegion) => void}}
 */
export function heatBoard(net, image, heat) {
  const { result } = heat;
  const [height, width] = result.map.shape;
  const rows = result.cells?.rows ?? everyPixel(height);
  const columns = result.cells?.columns ?? everyPixel(width);
  const spot = el("span", { class: "mark", hidden: true });
  const spoken = el("p", { class: "spoken", "aria-live": "polite" }, invitation(result));
  const canvas = el("canvas", { width, height });
  paint(canvas, net, image, heat);
  let at = { y: cellOf(rows, height / 2), x: cellOf(columns, width / 2) };
  /** @param {number} top @param {number} left @param {number} bottom @param {number} right */
  const outline = (top, left, bottom, right) => {
    spot.hidden = false;
    Object.assign(spot.style, {
      left: `${(100 * left) / width}%`,
      top: `${(100 * top) / height}%`,
      width: `${(100 * (right - left)) / width}%`,
      height: `${(100 * (bottom - top)) / height}%`,
    });
  };
  const show = () => {
    const box = [rows[at.y], columns[at.x], rows[at.y + 1], columns[at.x + 1]];
    outline(box[0], box[1], box[2], box[3]);
    write(spoken, sentence(net, heat, box, unitAt(heat, at)));
  };
  const open = () => {
    const { row, map: channel } = unitAt(heat, at);
    go({ place: { layer: row, map: channel, row: at.y, col: at.x }, layer: row, trail: [] });
  };
  const name = `Heat map of ${visible(result.score_name)}, ${result.title}`;
  const node = el(
    "div",
    {
      class: "board heat",
      tabindex: 0,
      role: "application",
      "aria-label": `${name}. Arrow keys move, Enter opens the unit behind the place.`,
      onkeydown: (event) => {
        /** @type {Record<string, [dy: number, dx: number]>} */
        const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "Enter") return open();
        if (!steps[event.key]) return;
        event.preventDefault();
        at = {
          y: Math.max(0, Math.min(rows.length - 2, at.y + steps[event.key][0])),
          x: Math.max(0, Math.min(columns.length - 2, at.x + steps[event.key][1])),
        };
        show();
      },
    },
    canvas,
    spot,
  );
  /** @param {MouseEvent} event */
  const point = (event) => {
    const box = node.getBoundingClientRect();
    at = {
      y: cellOf(rows, ((event.clientY - box.top) / box.height) * height),
      x: cellOf(columns, ((event.clientX - box.left) / box.width) * width),
    };
    show();
  };
  node.addEventListener("pointermove", point);
  node.addEventListener("pointerleave", () => (spot.hidden = true));
  node.addEventListener("focus", () => node.matches(":focus-visible") && show());
  node.addEventListener("click", (event) => {
    point(event);
    open();
  });
  return {
    node: el("div", { class: "heat-card" }, node, scale(result), spoken),
    mark: (region) => {
      if (region) outline(region.top, region.left, region.bottom, region.right);
      else spot.hidden = true;
    },
    open: (region) => {
      at = {
        y: cellOf(rows, (region.top + region.bottom - 1) / 2),
        x: cellOf(columns, (region.left + region.right - 1) / 2),
      };
      open();
    },
  };
}

/** @param {WhyResult} result */
const invitation = ({ cells }) =>
  cells ? `Press a place to open the unit of ${cells.row} behind it.` : "Press a place to open its pixel.";

/** Which unit stands behind a cell; a pixel where there is no layer. @param {Heat} heat @param {{y: number, x: number}} at */
function unitAt({ result, channels }, { y, x }) {
  if (!result.cells || !channels) return { row: "image", map: 0, y, x };
  return { row: result.cells.row, map: channels[y * (result.cells.columns.length - 1) + x], y, x };
}

/**
 * @param {Network} net @param {Heat} heat @param {number[]} box @param {{row: string, map: number, y: number, x: number}} unit
 */
function sentence(net, { result, map }, [top, left, bottom, right], unit) {
  const width = result.map.shape[1];
  let [sum, cells] = [0, 0];
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) [sum, cells] = [sum + map[y * width + x], cells + 1];
  const region = result.layer === null ? null : result.regions.find((one) => one.top === top && one.left === left);
  const value = region ? region.share : sum / Math.max(1, cells);
  const rows = bottom - top > 1 ? `rows ${top}–${bottom - 1}` : `row ${top}`;
  const columns = right - left > 1 ? `columns ${left}–${right - 1}` : `column ${left}`;
  const text = Number.isFinite(value) ? signed(value, Math.max(2, decimalsFor([result.maximum], 3))) : fixed(value, 0);
  const of = region ? " of the score" : "";
  return `${rows}, ${columns}: ${text}${of}. Behind it, ${unit.row === "image" ? "the pixel" : spotName(net, unit)}.`;
}

/** The image in gray once it is here, with the colors over it. @param {HTMLCanvasElement} canvas @param {Network} net @param {LabImage} image @param {Heat} heat */
function paint(canvas, net, image, { result, map }) {
  const pen = contextOf(canvas, { willReadFrequently: true });
  const [height, width] = result.map.shape;
  /** @param {ArrayLike<number>} gray */
  const draw = (gray) => pen.putImageData(new ImageData(blend(gray, map, result.maximum), width, height), 0, 0);
  draw(new Uint8ClampedArray(width * height).fill(128));
  imageAddress(net.id, image.id).then(
    (url) => {
      const picture = new Image();
      picture.addEventListener("load", () => {
        pen.drawImage(picture, 0, 0, width, height);
        draw(grayOf(pen.getImageData(0, 0, width, height).data));
      });
      picture.src = url;
    },
    () => {},
  );
}

/** What the colors mean; they end at the map's own largest value. @param {WhyResult} result */
function scale(result) {
  const strange = result.map.shape[0] * result.map.shape[1];
  const against = result.instead_of === null ? "against it" : "for the other";
  const meaning = result.signed
    ? `${result.unit}; blue speaks for ${result.score_name}, orange ${against}`
    : `${result.unit}; this method has no sign`;
  return el(
    "div",
    { class: "heat-scale", title: `${count(strange)} values` },
    legend(result.maximum, result.signed, ""),
    el("p", { class: "caption" }, `${meaning}. Nothing is stretched: no color is 0.`),
  );
}
