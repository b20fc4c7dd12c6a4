/**
 * Every number comes from the server. One function for each line of the API; what was read is kept by its
 * address, the oldest goes first. A refusal is a sentence, and it is shown as it is.
 */

/** @import { Face, Filters, LabImage, Network, Pixel, Ranking, Unit, Volume } from "./types.js" */

import { query, path as pathNow, replace } from "./place.js";
import { answerTo } from "./source.js";

const MOST = 64 * 2 ** 20; // bytes of answers that are kept
/** @type {Map<string, {promise: Promise<any>, bytes: number}>} */
const kept = new Map();
/**
 * Requests under way of which only the newest serves, by what they ask about.
 * @type {Map<string, {about: string, stops: AbortController[]}>}
 */
const latest = new Map();
const code = encodeURIComponent;
const token = readToken();

/** What the server, or the lack of one, says. */
export class Refused extends Error {
  /** @param {string} sentence @param {number} status 0 where nobody answered */
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/** The token comes once, in the opened address; it leaves the shown address and stays with this browser. */
function readToken() {
  const asked = new URLSearchParams(query());
  const given = asked.get("token");
  try {
    if (given === null) return localStorage.getItem("token") ?? "";
    localStorage.setItem("token", given);
  } catch {
    // A browser without storage loses the token when the page is loaded again.
  }
  const rest = query()
    .slice(1)
    .split("&")
    .filter((pair) => !pair.startsWith("token="))
    .join("&");
  if (given !== null) replace(pathNow() + (rest ? `?${rest}` : ""));
  return given ?? "";
}

/** Was this request ended because a newer one made it useless? @param {unknown} error */
export const superseded = (error) => error instanceof DOMException && error.name === "AbortError";

/**
 * Ask the server; throws Refused with its sentence.
 * @param {string} path  below /api @param {RequestInit} [options] @returns {Promise<Response>}
 */
export async function ask(path, options = {}) {
  const headers = {
    ...(token ? { "X-Token": token } : {}),
    ...(typeof options.body === "string" ? { "Content-Type": "application/json" } : {}),
  };
  let answer;
  try {
    answer = await answerTo(path, { ...options, headers });
  } catch (error) {
    if (superseded(error)) throw error;
    throw new Refused("The lab has stopped. Start it again with `convscope lab`; this page will then continue.", 0);
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new Refused(body.message ?? `The lab answered with status ${answer.status} and no message.`, answer.status);
}

/** What an EventSource, which sends no headers, opens. @param {string} path  below /api */
export const streamAddress = (path) => `/api${path}${token ? `?token=${code(token)}` : ""}`;

/** Send JSON, get JSON. @param {string} path  below /api @param {unknown} body @param {AbortSignal} [signal] */
export const post = async (path, body, signal) =>
  (await ask(path, { method: "POST", body: JSON.stringify(body), signal })).json();

/**
 * Read once, keep, and forget what failed. A request with the same `only` about something else ends this one.
 * @template T
 * @param {string} path
 * @param {(answer: Response) => Promise<T>} parse
 * @param {{only?: string, about?: string, size?: (value: T) => number}} [how]
 * @returns {Promise<T>}
 */
function get(path, parse, { only = "", about = "", size = () => 2048 } = {}) {
  const stop = new AbortController();
  if (only) supersede(only, about, stop);
  const held = kept.get(path);
  if (held) {
    kept.delete(path);
    kept.set(path, held);
    return held.promise;
  }
  const entry = { promise: ask(path, { signal: stop.signal }).then(parse), bytes: 0 };
  const forget = () => kept.get(path) === entry && kept.delete(path);
  kept.set(path, entry);
  stop.signal.addEventListener("abort", () => entry.bytes || forget());
  entry.promise.then((value) => {
    entry.bytes = size(value);
    drop();
  }, forget);
  return entry.promise;
}

/**
 * End what was asked before about something else.
 * @param {string} only @param {string} about @param {AbortController} stop
 */
function supersede(only, about, stop) {
  const before = latest.get(only);
  if (before?.about === about) return before.stops.push(stop);
  for (const older of before?.stops ?? []) older.abort();
  latest.set(only, { about, stops: [stop] });
}

/** The answers that were not looked at for longest go first. */
function drop() {
  let total = 0;
  for (const { bytes } of kept.values()) total += bytes;
  for (const [path, { bytes }] of kept) {
    if (total <= MOST) return;
    if (!bytes || path.endsWith(".png")) continue;
    kept.delete(path);
    total -= bytes;
  }
}

/** @param {Response} answer */
const json = (answer) => answer.json();

/** @param {string} net @param {string} image */
const at = (net, image) => `/networks/${code(net)}/images/${code(image)}`;

/** @param {Response} answer @returns {Promise<Volume>} */
const readVolume = async (answer) => ({
  shape: (answer.headers.get("X-Shape") ?? "").split(",").map(Number),
  data: new Float32Array(await answer.arrayBuffer()),
});

/** @param {Response} answer */
const readImage = async (answer) => URL.createObjectURL(await answer.blob());

/** @returns {Promise<{networks: {id: string, title: string}[], first: string}>} */
export const networks = () => get("/networks", json);

/**
 * The images of each network in the order in which they were first seen: nothing jumps.
 * @type {Map<string, string[]>}
 */
const orders = new Map();

/** @param {string} id @returns {Promise<Network>} */
export const network = (id) => get(`/networks/${code(id)}`, readNetwork, { size: (net) => 400 * net.rows.length });

/** @param {Response} answer @returns {Promise<Network>} */
async function readNetwork(answer) {
  /** @type {Network} */
  const net = await answer.json();
  const order = orders.get(net.id) ?? [];
  for (const { id } of net.images) if (!order.includes(id)) order.push(id);
  orders.set(net.id, order);
  net.images.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
  return { ...net, byName: new Map(net.rows.map((row) => [row.name, row])) };
}

/** @param {string} net @param {string} image @returns {Promise<LabImage>} */
export const labImage = (net, image) => get(at(net, image), json);

/**
 * Give the network another image.
 * @param {string} net @param {string} title @param {Blob} bytes @returns {Promise<LabImage>}
 */
export async function give(net, title, bytes) {
  const answer = await ask(`/networks/${code(net)}/images?title=${code(title)}`, { method: "POST", body: bytes });
  forgetNetwork(net);
  return answer.json();
}

/** It was shown another image: what was read of its images is old. @param {string} net */
export function forgetNetwork(net) {
  kept.delete(`/networks/${code(net)}`);
  // "distance_from_mean" compares with the others
  for (const path of kept.keys()) if (path.includes("/scores/")) kept.delete(path);
}

/** The image that the network reads, as an address for an <img>. @param {string} net @param {string} image */
export const imageAddress = (net, image) => get(`${at(net, image)}/image.png`, readImage);

/** The lecture's contact sheet, maps of some convolutions, as an address. @param {string} net @param {string} image */
export const contactSheet = (net, image) => get(`${at(net, image)}/sheet.png`, readImage);

/** Each row's strongest map. @param {string} net @param {string} image @returns {Promise<Map<string, Face>>} */
export const faces = (net, image) =>
  get(`${at(net, image)}/thumbnails`, readFaces, { size: (map) => 12544 * map.size });

/** A header in JSON behind its length, then the bytes of all maps. @param {Response} answer */
async function readFaces(answer) {
  const buffer = await answer.arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  /** @type {Omit<Face, "data">[]} */
  const list = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  /** @type {Map<string, Face>} */
  const faces = new Map();
  for (const face of list) {
    const data = new Int8Array(buffer, 4 + length + face.offset, face.height * face.width);
    faces.set(face.name, { ...face, data });
  }
  return faces;
}

/**
 * Some maps of a row, or all.
 * @param {string} net @param {string} image @param {string} row @param {number[]} [maps]
 */
export function volume(net, image, row, maps) {
  const query = maps ? `?maps=${maps.join(",")}` : "";
  return get(`${at(net, image)}/volumes/${code(row)}${query}`, readVolume, { size: (v) => v.data.byteLength });
}

/** @param {string} net @param {string} image @param {string} row @param {string} rank @returns {Promise<Ranking>} */
export const scores = (net, image, row, rank) => get(`${at(net, image)}/scores/${code(row)}?rank=${code(rank)}`, json);

/** @param {string} net @param {string} image @param {string} row @param {number} map @returns {Promise<Filters>} */
export const filters = (net, image, row, map) => get(`${at(net, image)}/filters/${code(row)}/${map}`, json);

/**
 * How one number comes about.
 * @param {string} net @param {string} image @param {string} row
 * @param {number[]} index  map, row, column
 * @param {{channels?: number, skip?: number}} [part]  how many channels are written out, after how many
 * @returns {Promise<Unit>}
 */
export function unit(net, image, row, index, { channels = 4, skip = 0 } = {}) {
  const path = `${at(net, image)}/units/${code(row)}/${index.join(",")}?channels=${channels}&skip=${skip}`;
  return get(path, json, {
    only: `${net}/${image}/${row}/${index[0]}`,
    about: String(index),
    size: (answer) => 4096 + 60 * (answer.bars?.length ?? 0),
  });
}

/** @param {string} net @param {string} image @param {number} y @param {number} x @returns {Promise<Pixel>} */
export const pixel = (net, image, y, x) => get(`${at(net, image)}/pixels/${y},${x}`, json);
