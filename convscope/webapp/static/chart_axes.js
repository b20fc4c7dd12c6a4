/** The axes of charts: how far they reach, and where their ticks stand. Numbers only. */

/**
 * The extent of all that is drawn.
 * @param {(((number | null)[]) | undefined)[]} lists
 * @param {boolean | undefined} log
 * @returns {[low: number, high: number]}
 */
export function extent(lists, log) {
  let [low, high] = [Infinity, -Infinity];
  for (const v of lists.flatMap((list) => list ?? [])) {
    if (v === null || !Number.isFinite(v) || (log && v <= 0)) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  return low > high ? [log ? 0.1 : 0, 1] : [low, high];
}

/**
 * Round places between low and high, as many as fit, and the distance between them.
 * @param {number} low @param {number} high @param {number} most
 */
export function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = ten * /** @type {number} */ ([1, 2, 5, 10].find((k) => k * ten >= rough * 0.999));
  const first = Math.ceil(low / step - 1e-9);
  const length = Math.max(0, Math.floor(high / step + 1e-9) - first + 1);
  return { step, at: Array.from({ length }, (_, i) => (first + i) * step) };
}

/**
 * Powers of ten, and their doubles and fivefolds where there are few.
 * @param {number} low @param {number} high @param {number} most @returns {number[]}
 */
export function decades(low, high, most) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.floor(Math.log10(high))];
  const powers = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  /** @param {number[]} list */
  const inside = (list) => list.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  const all = inside(powers.flatMap((p) => [p, 2 * p, 5 * p]));
  if (all.length < 2) return ticks(low, high, most).at;
  if (all.length <= most + 1) return all;
  const tens = inside(powers);
  return tens.filter((_, i) => i % Math.ceil(tens.length / most) === 0);
}

/**
 * What an axis shows: all values with a little room, from `from` and up to `to` where these are given.
 * @param {(((number | null)[]) | undefined)[]} lists @param {{log?: boolean, from?: number, to?: number}} axis
 * @returns {[low: number, high: number]}
 */
export function limits(lists, { log = false, from, to }) {
  let [low, high] = extent(lists, log);
  if (log) return low === high ? [low / 2, high * 2] : [low / (high / low) ** 0.04, high * (high / low) ** 0.04];
  low = Math.min(low, from ?? low);
  const room = 0.04 * (high - low || Math.abs(high) || 1);
  const start = from === undefined || low < from ? low - room : from;
  return [start, Math.min(high + room, Math.max(to ?? Infinity, high))];
}
