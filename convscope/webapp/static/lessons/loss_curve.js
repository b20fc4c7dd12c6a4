/** A loss over the steps, on a logarithmic scale. */

import { svg } from "../element.js";
import { count } from "../numbers.js";

const WIDE = 420,
  HIGH = 190,
  LEFT = 46,
  BELOW = 24,
  ROOM = 8;
const FLOOR = 1e-16; // what is less is drawn here

/** @param {[number, number][]} points  (step, loss) @param {string} label */
export function lossCurve(points, label) {
  const logs = points.map(([, loss]) => Math.log10(Math.max(loss, FLOOR)));
  const low = Math.floor(Math.min(...logs)),
    high = Math.max(low + 1, Math.ceil(Math.max(...logs)));
  const last = Math.max(10, points.at(-1)?.[0] ?? 0);
  /** @param {number} step */
  const x = (step) => LEFT + (step / last) * (WIDE - LEFT - ROOM);
  /** @param {number} log */
  const y = (log) => ROOM + ((high - log) / (high - low)) * (HIGH - ROOM - BELOW);
  const apart = Math.ceil((high - low) / 6);
  const decades = Array.from({ length: Math.floor((high - low) / apart) + 1 }, (_, i) => low + i * apart);
  const path = points.map(([step], i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(logs[i]).toFixed(1)}`).join("");
  return svg(
    "svg",
    { class: "loss-curve", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label },
    ...decades.flatMap((log) => [
      svg("line", { class: "rule", x1: LEFT, x2: WIDE - ROOM, y1: y(log), y2: y(log) }),
      svg("text", { x: LEFT - 6, y: y(log) + 4, "text-anchor": "end" }, power(log)),
    ]),
    ...[0, last / 2, last].map((step, i) =>
      svg(
        "text",
        { x: x(step), y: HIGH - 6, "text-anchor": ["start", "middle", "end"][i] },
        i ? count(step) : "step 0",
      ),
    ),
    svg("path", { class: "line", d: path }),
    svg("circle", { class: "end", r: 4, cx: x(points.at(-1)?.[0] ?? 0), cy: y(logs.at(-1) ?? 0) }),
  );
}

/** @type {Record<string, string>} */
const HIGHS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** −7 -> "10⁻⁷" @param {number} log */
export const powerOfTen = (log) => `10${[...String(log)].map((sign) => HIGHS[sign]).join("")}`;
/** @param {number} log */
const power = (log) => (log >= -3 && log <= 3 ? String(Number((10 ** log).toPrecision(1))) : powerOfTen(log));
