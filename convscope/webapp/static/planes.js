/** Maps of a layer as numbers on one scale, and that scale in words and colors. */

/** @import { Network, Row } from "./types.js" */

import { volume as volumeOf } from "./api.js";
import { el } from "./element.js";
import { fixed, signed, whole } from "./numbers.js";

/** @typedef {{height: number, width: number, data: Float32Array}} Plane */
/**
 * Maps of a layer on one scale: the largest finite magnitude, the lowest value, how many are not finite, and whether
 * all
 * maps of the layer were read.
 * @typedef {{peak: number, lowest: number, strange: number, all: boolean, of: (map: number) => Plane}} Planes
 */

const WHOLE = 4_000_000; // values of a volume up to which all of it is fetched

/**
 * A volume, or these maps of it, and its scale: the largest finite magnitude.
 * @param {Network} net @param {string} image @param {Row} row
 * @param {number[]} [maps]  where the whole would be too much
 * @returns {Promise<Planes>}
 */
export async function planes(net, image, row, maps, most = WHOLE) {
  const [c, height, width] = row.shape;
  const all = c * height * width <= most;
  const { data } =
    all || maps?.length
      ? await volumeOf(net.id, image, row.name, all ? undefined : maps)
      : { data: new Float32Array() };
  /** @param {number} map */
  const of = (map) => {
    const start = (all ? map : (maps ?? []).indexOf(map)) * height * width;
    return { height, width, data: data.subarray(start, start + height * width) };
  };
  const scale = scanned.get(data) ?? scan(data);
  scanned.set(data, scale);
  return { ...scale, all, of };
}

/** The scales of volumes that are kept. @type {WeakMap<Float32Array, {peak: number, lowest: number, strange: number}>} */
const scanned = new WeakMap();

/** The largest finite magnitude, the lowest value, and how many are not finite. @param {ArrayLike<number>} values */
export function scan(values) {
  let [peak, lowest, strange] = [0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (!Number.isFinite(v)) strange += 1;
    else {
      if (v < lowest) lowest = v;
      if (Math.abs(v) > peak) peak = Math.abs(v);
    }
  }
  return { peak, lowest, strange };
}

/** @type {Record<string, number>} */
const WORDS = { nan: NaN, inf: Infinity, "-inf": -Infinity };

/** A number as the server sends it: what is no number comes as a word. @param {number | string} v */
export const number = (v) => (typeof v === "string" ? WORDS[v] : v);

/** The scale, in words and colors; zero is the paper. @param {number} peak */
export function legend(peak, both = true, of = "") {
  const stops = both
    ? ["neg-4", "neg-3", "neg-2", "neg-1", "zero", "pos-1", "pos-2", "pos-3", "pos-4"]
    : ["zero", "pos-1", "pos-2", "pos-3", "pos-4"];
  const decimals = peak && peak < 0.01 ? Math.min(7, 2 - Math.floor(Math.log10(peak))) : 2;
  return el(
    "div",
    { class: "legend", role: "img", "aria-label": `Scale from ${both ? whole(-peak) : 0} to ${whole(peak)}` },
    el("data", {}, both ? fixed(-peak, decimals) : "0"),
    el(
      "span",
      { class: "ramp", style: { background: `linear-gradient(90deg, ${stops.map((s) => `var(--${s})`).join(",")})` } },
      both ? el("i", {}, "0") : null,
    ),
    el("data", {}, signed(peak, decimals)),
    of || null,
  );
}
