/** Answers from the data that this file holds, computed by Python. */

/** @import { Position, Row } from "../types.js" */

import { count, whole } from "../numbers.js";
import { blob, index as found, inflated } from "./blobs.js";
import { Answers, floats } from "./unpack.js";

/**
 * What the file holds: the network and its images; `blobs`, the number of the element that holds the bytes; `shapes` of the
 * layers; `units`, for each image and layer the indices of the units whose arithmetic is here, in the order of the
 * parts in which they are packed; `boxes`, for each image the names of those that are found, in their order.
 * @typedef {{networks: unknown, network: {id: string}, images: Record<string, unknown>, blobs: Record<string, number>, shapes: Record<string, number[]>,
 *   units: Record<string, Record<string, number[][]>>, boxes: Record<string, string[]>, elsewhere: string}} Index
 */

const index = /** @type {Index} */ (found);
/** @type {Map<string, Promise<Answers>>} */
const packed = new Map();

/** @param {string} sentence */
const refuse = (sentence) => Response.json({ message: sentence }, { status: 404 });

/** @param {string} path  below /api @param {RequestInit} _options @returns {Promise<Response>} */
export async function answerTo(path, _options) {
  const [place, query = ""] = path.split("?");
  const [, , network, , image, what, row = "", at = ""] = place.split("/").map(decodeURIComponent);
  if (place === "/networks") return Response.json(index.networks);
  if (network !== index.network.id) return refuse(`There is no network ${network} in this file.`);
  if (!image) return Response.json(index.network);
  if (!(image in index.images)) return refuse("This image is not in the file.");
  if (!what) return Response.json(index.images[image]);
  const asked = new URLSearchParams(query);
  if (what === "image.png") return new Response(new Blob([await blob(`image/${image}`)], { type: "image/png" }));
  if (what === "thumbnails") return new Response(await inflated(`thumbnails/${image}`));
  if (what === "volumes") return volume(image, row, asked.get("maps"));
  if (what === "scores") return one(`scores/${image}/${row}`, RANKS.indexOf(asked.get("rank") ?? ""));
  if (what === "filters") return one(`filters/${row}`, Number(at));
  if (what === "pixels") {
    const [y, x] = row.split(",").map(Number);
    return one(`pixels/${image}`, y * index.shapes.image[2] + x);
  }
  if (what === "boxes") return box(image, row);
  if (what === "units") return unit(image, row, at.split(",").map(Number));
  return refuse(`This is not in the file. ${index.elsewhere}`);
}

const RANKS = ["strongest", "distance_from_mean", "importance", "correlated"];

/** @param {string} key @param {number} place */
async function one(key, place) {
  if (!(key in index.blobs)) return refuse(`This is not in the file. ${index.elsewhere}`);
  const answers = packed.get(key) ?? inflated(key).then((data) => new Answers(data));
  packed.set(key, answers);
  return Response.json((await answers).at(place));
}

/** All boxes of an image, or one by its name. @param {string} image @param {string} name */
async function box(image, name) {
  const place = name ? index.boxes[image]?.indexOf(name) : 0;
  return place < 0 ? refuse(`There is no ${name} in this file.`) : one(`boxes/${image}`, name ? 1 + place : 0);
}

/** @param {string} image @param {string} row @param {string | null} maps */
async function volume(image, row, maps) {
  const [, high, wide] = index.shapes[row];
  const whole = floats(await inflated(`volumes/${image}/${row}`));
  if (!maps) return new Response(whole, { headers: { "X-Shape": index.shapes[row].join(",") } });
  const chosen = maps.split(",").map(Number);
  const size = 4 * high * wide;
  const parts = chosen.map((map) => whole.slice(map * size, (map + 1) * size));
  return new Response(new Blob(parts), { headers: { "X-Shape": [chosen.length, high, wide].join(",") } });
}

/** The units of a layer whose arithmetic is here. @param {string} image @param {string} row @returns {number[]} */
export const held = (image, row) => index.units[image]?.[row]?.flat() ?? [];

/** @param {string} image @param {string} row @param {number[]} at */
async function unit(image, row, [map, y, x]) {
  const [maps, high, wide] = index.shapes[row];
  const flat = (map * high + y) * wide + x;
  const parts = index.units[image]?.[row] ?? [];
  const part = parts.findIndex((units) => units.includes(flat));
  if (part >= 0) return one(`units/${image}/${row}/${part}`, parts[part].indexOf(flat));
  const value = new Float32Array(floats(await inflated(`volumes/${image}/${row}`)))[flat];
  const [here, all] = [held(image, row).length, maps * high * wide].map(count);
  return refuse(
    `${row}[${map},${y},${x}] is ${whole(value)}. How that comes about is not in this file, which has the arithmetic of ` +
      `${here} of the ${all} units of ${row}. ${index.elsewhere}`,
  );
}

/**
 * The unit that is here and nearest, if there is one: of the same map where there is one.
 * @param {string} image @param {Row} row @param {Position} place @returns {Position | null}
 */
export function nearest(image, row, place) {
  const [, high, wide] = row.shape;
  let [best, least] = [-1, Infinity];
  for (const unit of held(image, row.name)) {
    const [map, y, x] = [Math.floor(unit / (high * wide)), Math.floor(unit / wide) % high, unit % wide];
    const far =
      (map === place.map ? 0 : 1e6 + 1e3 * Math.abs(map - place.map)) + Math.hypot(y - place.row, x - place.col);
    if (far < least) [best, least] = [unit, far];
  }
  if (best < 0) return null;
  return {
    layer: row.name,
    map: Math.floor(best / (high * wide)),
    row: Math.floor(best / wide) % high,
    col: best % wide,
  };
}
