/** The curve of an activation with one point on it, and how many units of a map lie where. */

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

/** From numbers to places on the screen. */
function scaled(values, from, to) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return (value) => from + ((value - low) / (high - low || 1)) * (to - from);
}

const padded = (values) => {
  const room = 0.06 * (Math.max(...values) - Math.min(...values));
  return [...values, Math.max(...values) + room, Math.min(...values) - room];
};

/**
 * Bars below zero, one for what is exactly zero, bars above.
 * @param {{below: number[], zero: number, above: number[]}} counts @param {number} peak  where the bars end @param {string} label
 */
export function histogram({ below, zero, above }, peak, label) {
  const bars = [...below.map((n) => [n, "under"]), [zero, "nothing"], ...above.map((n) => [n, "over"])];
  const [top, foot, left] = [16, HIGH - 22, 6];
  const wide = (WIDE - 2 * left) / bars.length;
  const most = Math.max(1, ...bars.map(([n]) => Number(n)));
  const tall = (n) => (n ? Math.max(1.5, ((foot - top) * n) / most) : 0);
  const width = peak / below.length;
  const where = (i) =>
    i === below.length
      ? "exactly 0"
      : `${fixed((i < below.length ? i - below.length : i - below.length - 1) * width, 2)} to ${fixed((i < below.length ? i - below.length + 1 : i - below.length) * width, 2)}`;
  const first = bars.findIndex(([n]) => n === most);
  return svg(
    "svg",
    { class: "histogram", viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, role: "img", "aria-label": label },
    ...bars.map(([n, kind], i) =>
      svg(
        "rect",
        { class: String(kind), x: left + i * wide + 0.5, y: foot - tall(n), width: wide - 1, height: tall(n) },
        svg("title", {}, `${where(i)}: ${count(Number(n))}`),
      ),
    ),
    svg("path", { class: "axis", d: `M${left} ${foot + 0.5}H${WIDE - left}` }),
    svg(
      "text",
      {
        x: left + (first + 0.5) * wide,
        y: foot - tall(most) - 7,
        class: first < 3 ? "from" : first > bars.length - 4 ? "to" : "middle",
      },
      count(most),
    ),
    ...[
      [left, -peak, "from"],
      [WIDE / 2, 0, "middle"],
      [WIDE - left, peak, "to"],
    ].map(([x, value, kind]) => svg("text", { x, y: HIGH - 10, class: kind }, fixed(Number(value), value ? 1 : 0))),
  );
}
