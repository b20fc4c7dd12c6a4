/**
 * Every number comes from the server. One function for each line of the API; what was read is kept by its
 * address, the oldest goes first. A refusal is a sentence, and it is shown as it is.
 *
 * @typedef {{row: string, map: number, y: number, x: number}} Spot
 * @typedef {{name: string, op: string, type: string, inputs: string[], shape: number[], parameters: number, filters: number | null,
 *   kernel: number[] | null, stride: number[] | null, padding: number[] | null, activation: string, receptive_field: number[],
 *   exact: boolean, stage: string, block: string, operations: string[]}} Row
 * @typedef {{id: string, title: string, warning: string, classes: string[], channels: number, size: number[],
 *   images: {id: string, title: string}[], rows: Row[], byName: Map<string, Row>}} Network
 * @typedef {{id: string, title: string, predictions: {class: string, index: number, probability: number}[], note: string}} Image
 * @typedef {{height: number, width: number, scale: number, data: Int8Array, painted?: Record<string, string>}} Face
 * @typedef {{shape: number[], data: Float32Array}} Volume
 * @typedef {{channel: number, row: string, map: number, cells: (Spot | null)[][], patch: number[][],
 *   filter: number[][] | null, products: number[][], sum: number}} Part
 * @typedef {{value: number, weight: number, product: number, location: Spot | null, weight_location: string | null}} Term
 * @typedef {{row: string, at: number[], op: string, kind: string, decomposition: string, formula: string, substituted: string,
 *   count: number, positive: number, negative: number, inputs: string[], size: number[] | null, sums: number[] | null,
 *   bars: number[] | null, bar_terms: number, parts: Part[], rest: {count: number, sum: number, largest: number},
 *   terms: Term[], remaining: {count: number, sum: number}, winner: number[] | null, ties: number[][], bias: number | null,
 *   divisor: number, exact_value: number, model_value: number, difference: number, tolerance: number,
 *   is_within_tolerance: boolean,
 *   steps: {label: string, text: string, value: number, operation: string}[], value: number,
 *   receptive_field: {box: number[][], clipped: (number[] | null)[], fraction: number, exact: boolean} | null,
 *   largest: Spot | null}} Unit
 */

const MOST = 64 * 2 ** 20; // bytes of answers that are kept
/** @type {Map<string, {promise: Promise<any>, bytes: number}>} */
const kept = new Map();
/** Requests under way of which only the newest serves, by what they ask about. @type {Map<string, {about: string, stops: AbortController[]}>} */
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
  const asked = new URLSearchParams(location.search);
  const given = asked.get("token");
  try {
    if (given === null) return localStorage.getItem("token") ?? "";
    localStorage.setItem("token", given);
  } catch {
    // A browser without storage loses the token when the page is loaded again.
  }
  const query = location.search
    .slice(1)
    .split("&")
    .filter((pair) => !pair.startsWith("token="))
    .join("&");
  if (given !== null) history.replaceState(null, "", location.pathname + (query ? `?${query}` : ""));
  return given ?? "";
}

/** Was this request ended because a newer one made it useless? @param {unknown} error */
export const superseded = (error) => error instanceof DOMException && error.name === "AbortError";

/** Ask the server; throws Refused with its sentence. @param {string} path  below /api @param {RequestInit} [options] @returns {Promise<Response>} */
export async function ask(path, options = {}) {
  const headers = {
    ...(token ? { "X-Token": token } : {}),
    ...(typeof options.body === "string" ? { "Content-Type": "application/json" } : {}),
  };
  let answer;
  try {
    answer = await fetch(`/api${path}`, { ...options, headers });
  } catch (error) {
    if (superseded(error)) throw error;
    throw new Refused("The lab has stopped. Start it again with `convscope lab`; this page will go on where it is.", 0);
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refused(told.message ?? `The lab answered with status ${answer.status} and no message.`, answer.status);
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

/** End what was asked before about something else. @param {string} only @param {string} about @param {AbortController} stop */
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

const json = (/** @type {Response} */ answer) => answer.json();
const at = (net, image) => `/networks/${code(net)}/images/${code(image)}`;

/** @returns {Promise<{networks: {id: string, title: string}[], first: string}>} */
export const networks = () => get("/networks", json);

/** The images of each network in the order in which they were first seen: nothing jumps. @type {Map<string, string[]>} */
const places = new Map();

/** @param {string} id @returns {Promise<Network>} */
export const network = (id) =>
  get(
    `/networks/${code(id)}`,
    async (answer) => {
      const net = await answer.json();
      const order = places.get(id) ?? [];
      places.set(id, [...order, ...net.images.map((i) => i.id).filter((known) => !order.includes(known))]);
      net.images.sort((a, b) => places.get(id).indexOf(a.id) - places.get(id).indexOf(b.id));
      return { ...net, byName: new Map(net.rows.map((row) => [row.name, row])) };
    },
    { size: (net) => 400 * net.rows.length },
  );

/** @param {string} net @param {string} image @returns {Promise<Image>} */
export const image = (net, image) => get(at(net, image), json);

/** Give the network another image. @param {string} net @param {string} title @param {Blob} bytes @returns {Promise<Image>} */
export async function give(net, title, bytes) {
  const answer = await ask(`/networks/${code(net)}/images?title=${code(title)}`, { method: "POST", body: bytes });
  kept.delete(`/networks/${code(net)}`);
  for (const path of kept.keys()) if (path.includes("/scores/")) kept.delete(path); // "distance_from_mean" compares with the images held
  return answer.json();
}

/** The picture that the network sees, as an address for an <img>. @param {string} net @param {string} image @returns {Promise<string>} */
export const pictureOf = (net, image) =>
  get(`${at(net, image)}/image.png`, async (answer) => URL.createObjectURL(await answer.blob()));

/** The lecture's picture, maps of some convolutions, as an address. @param {string} net @param {string} image @returns {Promise<string>} */
export const sheet = (net, image) =>
  get(`${at(net, image)}/sheet.png`, async (answer) => URL.createObjectURL(await answer.blob()));

/**
 * One map as other settings would make it.
 * @param {string} net @param {string} image @param {string} row @param {number} map @param {Record<string, number>} wish
 * @returns {Promise<{shape: number[], description: string, data: Float32Array}>}
 */
export const variation = (net, image, row, map, wish) =>
  get(
    `${at(net, image)}/what-if/${code(row)}/${map}?${new URLSearchParams(Object.entries(wish).map(([name, value]) => [name, String(value)]))}`,
    async (answer) => ({
      shape: (answer.headers.get("X-Shape") ?? "").split(",").map(Number),
      description: answer.headers.get("X-Description") ?? "",
      data: new Float32Array(await answer.arrayBuffer()),
    }),
  );

/** Each row's strongest map. @param {string} net @param {string} image @returns {Promise<Map<string, Face>>} */
export const faces = (net, image) =>
  get(
    `${at(net, image)}/thumbnails`,
    async (answer) => {
      const buffer = await answer.arrayBuffer();
      const length = new DataView(buffer).getUint32(0, true);
      const list = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
      return new Map(
        list.map((f) => [f.name, { ...f, data: new Int8Array(buffer, 4 + length + f.offset, f.height * f.width) }]),
      );
    },
    { size: (map) => 12544 * map.size },
  );

/** Some maps of a row, or all. @param {string} net @param {string} image @param {string} row @param {number[]} [maps] @returns {Promise<Volume>} */
export const volume = (net, image, row, maps) =>
  get(
    `${at(net, image)}/volumes/${code(row)}${maps ? `?maps=${maps.join(",")}` : ""}`,
    async (answer) => ({
      shape: (answer.headers.get("X-Shape") ?? "").split(",").map(Number),
      data: new Float32Array(await answer.arrayBuffer()),
    }),
    { size: (v) => v.data.byteLength },
  );

/** @param {string} net @param {string} image @param {string} row @param {string} rank @returns {Promise<{rank: string, scores: number[] | null, dead: number[], groups: number[][], note: string}>} */
export const scores = (net, image, row, rank) => get(`${at(net, image)}/scores/${code(row)}?rank=${code(rank)}`, json);

/** @param {string} net @param {string} image @param {string} row @param {number} map @returns {Promise<{size: number[], channels: number[][][]}>} */
export const filters = (net, image, row, map) => get(`${at(net, image)}/filters/${code(row)}/${map}`, json);

/**
 * How one number is made.
 * @param {string} net @param {string} image @param {string} row
 * @param {number[]} place  map, row, column
 * @param {{channels?: number, skip?: number}} [part]  how many channels are written out, after how many
 * @returns {Promise<Unit>}
 */
export const unit = (net, image, row, place, { channels = 4, skip = 0 } = {}) =>
  get(`${at(net, image)}/units/${code(row)}/${place.join(",")}?channels=${channels}&skip=${skip}`, json, {
    only: `${net}/${image}/${row}/${place[0]}`,
    about: String(place),
    size: (u) => 4096 + 60 * (u.bars?.length ?? 0),
  });

/** @param {string} net @param {string} image @param {number} y @param {number} x @returns {Promise<{channels: {name: string, byte: number, mean: number, std: number, value: number}[]}>} */
export const pixel = (net, image, y, x) => get(`${at(net, image)}/pixels/${y},${x}`, json);
