/** Pixels against the pixels some steps further: a cloud of pairs, and their correlation over the distance. */

import { svg } from "../element.js";
import { fixed } from "../numbers.js";

const SIDE = 200;
const [LEFT, BELOW, ROOM] = [34, 22, 8];
const [WIDE, HIGH] = [420, 190];

/** A point for each pair of gray levels. @param {[number, number][]} pairs @param {string} label */
export function cloud(pairs, label) {
  const at = (/** @type {number} */ level) => ((level / 255) * SIDE).toFixed(1);
  const path = pairs.map(([x, y]) => `M${at(x)} ${at(255 - y)}h.01`).join("");
  return svg(
    "svg",
    {
      class: "cloud",
      viewBox: `-${LEFT} -4 ${SIDE + LEFT + ROOM} ${SIDE + BELOW + 4}`,
      role: "img",
      "aria-label": label,
    },
    svg("rect", { class: "frame-line", x: 0, y: 0, width: SIDE, height: SIDE }),
    svg("path", { class: "points", d: path }),
    ...[0, 255].flatMap((level) => [
      svg("text", { x: -6, y: Number(at(255 - level)) + (level ? 10 : 0), "text-anchor": "end" }, String(level)),
      svg("text", { x: Number(at(level)), y: SIDE + 16, "text-anchor": level ? "end" : "start" }, String(level)),
    ]),
    svg("text", { x: SIDE / 2, y: SIDE + 16, "text-anchor": "middle" }, "pixel"),
    svg(
      "text",
      { x: -8, y: SIDE / 2, "text-anchor": "middle", transform: `rotate(-90 -8 ${SIDE / 2})` },
      "its neighbor",
    ),
  );
}

/**
 * Lines over the distance of two pixels; a mark at the chosen one.
 * @param {{name: string, values: number[]}[]} lines @param {number} chosen @param {string} label
 */
export function distances(lines, chosen, label) {
  const all = lines.flatMap(({ values }) => values);
  const [low, last] = [Math.min(0, ...all), lines[0].values.length - 1];
  const x = (/** @type {number} */ i) => LEFT + (i / last) * (WIDE - LEFT - ROOM);
  const y = (/** @type {number} */ r) => ROOM + ((1 - r) / (1 - low)) * (HIGH - ROOM - BELOW);
  return svg(
    "svg",
    { class: "loss-curve", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label },
    ...[0, 0.5, 1].flatMap((r) => [
      svg("line", { class: "rule", x1: LEFT, x2: WIDE - ROOM, y1: y(r), y2: y(r) }),
      svg("text", { x: LEFT - 6, y: y(r) + 4, "text-anchor": "end" }, fixed(r, r === 0.5 ? 1 : 0)),
    ]),
    ...[0, last / 2, last].map((i, k) =>
      svg(
        "text",
        { x: x(i), y: HIGH - 6, "text-anchor": ["start", "middle", "end"][k] },
        k ? String(i) : "0 pixels further",
      ),
    ),
    ...lines.flatMap(({ name, values }, k) => [
      svg("path", {
        class: k ? "line second" : "line",
        d: values.map((r, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(r).toFixed(1)}`).join(""),
      }),
      svg("text", { x: WIDE - ROOM, y: y(values[last]) + (k ? -8 : 18), "text-anchor": "end" }, name),
      svg("circle", { class: "end", r: 4, cx: x(chosen), cy: y(values[chosen]) }),
    ]),
  );
}
