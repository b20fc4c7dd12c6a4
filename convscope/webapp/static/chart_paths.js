/** The lines of charts as paths: in pixels, with gaps, and no more points than pixels can show. No browser. */

/** @import { ChartScale, ChartPoint, ChartSpan } from "./types.js" */

const EACH = 4; // points that are kept of one column of pixels: the first, the lowest, the highest, the last

/**
 * How far along an axis a value stands: 0 at its low end, 1 at its high end; null where it cannot stand.
 * @param {number | null | undefined} value @param {ChartScale} scale
 */
export function share(value, { low, high, log }) {
  if (value === null || value === undefined || !Number.isFinite(value) || (log && value <= 0)) return null;
  return log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

/**
 * The pixel of a value, from the pixel of the low end to that of the high end.
 * @param {number | null | undefined} value @param {ChartScale} scale
 */
export function place(value, scale) {
  const part = share(value, scale);
  return part === null ? null : scale.from + part * (scale.to - scale.from);
}

/**
 * The points of a line; null where there is none.
 * @param {number[]} x @param {(number | null)[]} y @param {ChartScale} across @param {ChartScale} up
 * @returns {(ChartPoint | null)[]}
 */
export function pixels(x, y, across, up) {
  return x.map((value, i) => {
    const [left, top] = [place(value, across), place(y[i], up)];
    return left === null || top === null ? null : { x: left, y: top };
  });
}

/**
 * Runs of neighbors that share a column of pixels; a gap is a group of its own.
 * @template {{x: number}} P
 * @param {(P | null)[]} points
 * @returns {(P[] | null)[]}
 */
function columns(points) {
  /** @type {(P[] | null)[]} */
  const groups = [];
  let column = NaN;
  for (const point of points) {
    const last = groups[groups.length - 1];
    if (point === null) groups.push(null);
    else if (last && Math.round(point.x) === column) last.push(point);
    else groups.push([point]);
    column = point === null ? NaN : Math.round(point.x);
  }
  return groups;
}

/**
 * The same line with at most four points for each column of pixels: no extreme is lost.
 * @param {(ChartPoint | null)[]} points
 */
export function thin(points) {
  return columns(points).flatMap((group) => {
    if (!group || group.length <= EACH) return group ?? [null];
    let [top, bottom] = [0, 0];
    group.forEach(({ y }, i) => {
      if (y < group[top].y) top = i;
      if (y > group[bottom].y) bottom = i;
    });
    const kept = [...new Set([0, Math.min(top, bottom), Math.max(top, bottom), group.length - 1])];
    return kept.map((i) => group[i]);
  });
}

/**
 * A path through the points; a point alone between gaps is a dot.
 * @param {(ChartPoint | null)[]} points
 */
export function path(points) {
  let text = "";
  points.forEach((point, i) => {
    if (!point) return;
    const alone = !points[i - 1] && !points[i + 1];
    text += `${points[i - 1] ? "L" : "M"}${round(point.x)} ${round(point.y)}${alone ? "h0" : ""}`;
  });
  return text;
}

/**
 * A band, as its columns of pixels: from the lowest of each to its highest.
 * @param {number[]} x @param {(number | null)[]} low @param {(number | null)[]} high
 * @param {ChartScale} across @param {ChartScale} up
 * @returns {(ChartSpan | null)[]}
 */
export function spans(x, low, high, across, up) {
  const lows = pixels(x, low, across, up);
  const highs = pixels(x, high, across, up);
  const all = lows.map((one, i) => {
    const other = highs[i];
    return one && other ? { x: one.x, low: one.y, high: other.y } : null;
  });
  return columns(all).map((group) =>
    group
      ? {
          x: group[0].x,
          low: Math.max(...group.map((one) => one.low)),
          high: Math.min(...group.map((one) => one.high)),
        }
      : null,
  );
}

/** The area of a band: along its high edge and back along its low one. @param {(ChartSpan | null)[]} band */
export function area(band) {
  let text = "";
  for (let i = 0; i < band.length; i++) {
    /** @type {ChartSpan[]} */
    const part = [];
    for (let one = band[i]; one; one = band[++i] ?? null) part.push(one);
    if (!part.length) continue;
    const edge = [
      ...part.map((one) => `${round(one.x)} ${round(one.high)}`),
      ...part.reverse().map((one) => `${round(one.x)} ${round(one.low)}`),
    ];
    text += `M${edge.join("L")}Z`;
  }
  return text;
}

/**
 * The index of the point nearest to a pixel, and its distance; -1 where there is none.
 * @param {(ChartPoint | null)[]} points @param {number} x @param {number} [y]  without it: only the distance across counts
 */
export function nearest(points, x, y) {
  let [at, distance] = [-1, Infinity];
  points.forEach((point, i) => {
    if (!point) return;
    const away = Math.hypot(point.x - x, y === undefined ? 0 : point.y - y);
    if (away < distance) [at, distance] = [i, away];
  });
  return { at, distance };
}

/**
 * Heights for labels that shall stand at `wanted`, at least `gap` apart and none above `top`: in the same order.
 * @param {number[]} wanted  pixels from the top @param {number} gap @param {number} top @param {number} bottom
 */
export function apart(wanted, gap, top, bottom) {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[b] - wanted[a]); // the lowest on the page first
  const placed = [...wanted];
  let least = bottom;
  for (const i of order) {
    placed[i] = Math.min(placed[i], least);
    least = placed[i] - gap;
  }
  let most = top; // what was pushed over the top comes down again, and pushes what is below it
  for (const i of order.reverse()) {
    placed[i] = Math.max(placed[i], most);
    most = placed[i] + gap;
  }
  return placed;
}

/** @param {number} v */
const round = (v) => Math.round(v * 10) / 10;
