/** The curve of an activation function with one point on it, and the histogram of a map. */

import { svg } from "../element.js";
import { count, fixed } from "../numbers.js";

const [WIDE, HIGH] = [290, 160];
const FRAME = { left: 34, right: 8, top: 10, bottom: 22 };

/**
 * @param {{x: number[], y: number[]}} curve @param {{before: number, after: number}} point
 * @param {string} label
 */
export function curveOf(curve, { before, after }, label) {
  const [x, y] = [
    scaled(curve.x, FRAME.left, WIDE - FRAME.right),
    scaled(padded([...curve.y, 0]), HIGH - FRAME.bottom, FRAME.top),
  ];
  const path = curve.x.map((value, i) => `${i ? "L" : "M"}${x(value).toFixed(2)} ${y(curve.y[i]).toFixed(2)}`).join("");
  const [most, least] = [Math.max(...curve.y), Math.min(...curve.y)];
  return svg(
    "svg",
    { class: "curve", viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, role: "img", "aria-label": label },
    svg("path", {
      class: "axis",
      d: `M${FRAME.left} ${y(0)}H${WIDE - FRAME.right}M${x(0)} ${FRAME.top}V${HIGH - FRAME.bottom}`,
    }),
    ...[curve.x[0], 0, curve.x[curve.x.length - 1]].map((value, i) =>
      svg("text", { x: x(value), y: HIGH - 10, class: ["from", "middle", "to"][i] }, fixed(value, i === 1 ? 0 : 1)),
    ),
    ...[most, least].map((value) =>
      Math.abs(y(value) - y(0)) < 12
        ? null
        : svg("text", { x: FRAME.left - 4, y: y(value), class: "to" }, fixed(value, 1)),
    ),
    svg("text", { x: FRAME.left - 4, y: y(0), class: "to" }, "0"),
    svg("path", { class: "line", d: path }),
    svg("path", { class: "lead-line", d: `M${x(before)} ${y(0)}V${y(after)}H${x(0)}` }),
    svg("circle", { class: "point", cx: x(before), cy: y(after), r: 5 }),
  );
}

/** From numbers to places on the screen. @param {number[]} values @param {number} from @param {number} to */
function scaled(values, from, to) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return (/** @type {number} */ value) => from + ((value - low) / (high - low || 1)) * (to - from);
}

/** @param {number[]} values */
const padded = (values) => {
  const room = 0.06 * (Math.max(...values) - Math.min(...values));
  return [...values, Math.max(...values) + room, Math.min(...values) - room];
};

/**
 * Bars below zero, one for what is exactly zero, bars above.
 * @param {{below: number[], zero: number, above: number[]}} counts
 * @param {number} peak  where the bars end @param {string} label
 */
export function histogram({ below, zero, above }, peak, label) {
  const bars = [
    ...below.map((n) => ({ n, kind: "under" })),
    { n: zero, kind: "nothing" },
    ...above.map((n) => ({ n, kind: "over" })),
  ];
  const [top, foot, left] = [16, HIGH - 22, 6];
  const wide = (WIDE - 2 * left) / bars.length;
  const most = Math.max(1, ...bars.map(({ n }) => n));
  /** @param {number} n */
  const tall = (n) => (n ? Math.max(1.5, ((foot - top) * n) / most) : 0);
  const width = peak / below.length;
  /** The interval of a bar; the one in the middle has only what is exactly zero. @param {number} i */
  const where = (i) => {
    if (i === below.length) return "exactly 0";
    const start = i < below.length ? i - below.length : i - below.length - 1;
    return `${fixed(start * width, 2)} to ${fixed((start + 1) * width, 2)}`;
  };
  const first = bars.findIndex(({ n }) => n === most);
  let anchor = "middle";
  if (first < 3) anchor = "from";
  else if (first > bars.length - 4) anchor = "to";
  const ends = [
    { x: left, value: -peak, kind: "from" },
    { x: WIDE / 2, value: 0, kind: "middle" },
    { x: WIDE - left, value: peak, kind: "to" },
  ];
  return svg(
    "svg",
    { class: "histogram", viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, role: "img", "aria-label": label },
    ...bars.map(({ n, kind }, i) =>
      svg(
        "rect",
        { class: kind, x: left + i * wide + 0.5, y: foot - tall(n), width: wide - 1, height: tall(n) },
        svg("title", {}, `${where(i)}: ${count(n)}`),
      ),
    ),
    svg("path", { class: "axis", d: `M${left} ${foot + 0.5}H${WIDE - left}` }),
    svg("text", { x: left + (first + 0.5) * wide, y: foot - tall(most) - 7, class: anchor }, count(most)),
    ...ends.map(({ x, value, kind }) => svg("text", { x, y: HIGH - 10, class: kind }, fixed(value, value ? 1 : 0))),
  );
}
