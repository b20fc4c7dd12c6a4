/** A chart as SVG: lines, bands, bars, axes, and the names at the ends of lines. Colors are the theme's variables. */

/** @import { ChartLook, ChartScale, Drawing, ChartPoint, Series } from "./types.js" */

import { decades, extent, limits, ticks } from "./chart_axes.js";
import { apart, area, path, pixels, place, spans, thin } from "./chart_paths.js";
import { svg } from "./element.js";
import { count } from "./numbers.js";

const GAP = 15; // pixels between two labels at the end of lines
const LETTER = 7; // pixels of a letter or a figure, about
const ABOVE = 8;
const BELOW = 44;
const SIDE = 14;
const CAP = 5; // half of the width of a bar's end

/** Strokes and gaps in pixels, for a line of width 2. @type {Record<string, string>} */
const DASHES = {
  dash: "9 6",
  dot: "2 4",
  dashdot: "9 4 2 4",
  longdash: "15 6",
  longdashdot: "15 4 2 4",
};

/** Marks with a radius of 1. @type {Record<string, string>} */
const MARKS = {
  circle: "M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z",
  square: "M-.9 -.9H.9V.9H-.9Z",
  diamond: "M0 -1.25L1.25 0L0 1.25L-1.25 0Z",
  "triangle-up": "M0 -1.15L1.15 .85H-1.15Z",
  "triangle-down": "M0 1.15L1.15 -.85H-1.15Z",
  x: "M-1.1 -.6L-.6 -1.1L0 -.5L.6 -1.1L1.1 -.6L.5 0L1.1 .6L.6 1.1L0 .5L-.6 1.1L-1.1 .6L-.5 0Z",
  cross: "M-.4 -1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4Z",
  star: "M0 -1.4L.41 -.57L1.33 -.43L.67 .22L.82 1.13L0 .7L-.82 1.13L-.67 .22L-1.33 -.43L-.41 -.57Z",
};

/**
 * Draw a chart, `width` pixels wide.
 * @param {Series[]} lines @param {ChartLook} look @param {number} width
 * @returns {Drawing}
 */
export function figure(lines, look, width) {
  const height = look.height ?? 200;
  const labels = lines.filter((line) => line.label && line.y.length);
  /** @param {Series} line */
  const nameOf = (line) => (width < 560 ? line.short : line.label) ?? "";
  const right = labels.length ? 15 + 7.2 * Math.max(...labels.map((line) => nameOf(line).length)) : SIDE;
  const [across, up] = scales(lines, look);
  const upTicks = marked(up, look.text, Math.max(2, Math.round(height / 42)));
  const left = 16 + LETTER * Math.max(3, ...upTicks.map(({ text }) => text.length));
  [across.from, across.to, up.from, up.to] = [left, width - right, height - BELOW, ABOVE];
  /** @param {number} v */
  const written = (v) => (look.acrossLog ? count(v) : count(Number(v.toPrecision(6))));
  const acrossTicks = marked(across, written, Math.max(2, Math.round(width / 130)));
  const points = lines.map(({ x, y }) => pixels(x, y, across, up));
  const overlay = svg("g", { class: "read" });
  const element = svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    ...upTicks.map(({ value, text }) => tickUp(place(value, up) ?? 0, text, across)),
    ...acrossTicks.map(({ value, text }) =>
      tickAcross(place(value, across) ?? 0, text, up, width, Boolean(look.rangeless)),
    ),
    svg("text", { class: "title-x", x: (across.from + across.to) / 2, y: height - 8 }, look.across),
    ...lines.flatMap((line, i) => drawn(line, points[i], across, up)),
    ...ends(labels, nameOf, across, up),
    overlay,
  );
  return { element, overlay, points, across, up };
}

/**
 * What the two axes show.
 * @param {Series[]} lines @param {ChartLook} look
 * @returns {[across: ChartScale, up: ChartScale]}
 */
function scales(lines, look) {
  const sides = limits(
    lines.flatMap(({ y, low, high, error }) => [y, low, high, error?.low, error?.high]),
    look,
  );
  const fromZero = !look.acrossLog && !look.rangeless;
  const places = lines.map(({ x }) => x);
  const over = limits(places, { log: look.acrossLog, from: fromZero ? 0 : undefined });
  if (fromZero) over[1] = extent(places, false)[1] || 1;
  return [
    { low: over[0], high: over[1], log: Boolean(look.acrossLog), from: 0, to: 0 },
    { low: sides[0], high: sides[1], log: Boolean(look.log), from: 0, to: 0 },
  ];
}

/**
 * The ticks of an axis, and what stands beside them.
 * @param {ChartScale} scale @param {(value: number, step: number) => string} text @param {number} most
 */
function marked({ low, high, log }, text, most) {
  const { step, at } = log ? { step: 0, at: decades(low, high, most) } : ticks(low, high, most);
  return at.map((value) => ({ value, text: text(value, step || value) }));
}

/** @param {number} y @param {string} text @param {ChartScale} across */
const tickUp = (y, text, { from, to }) =>
  svg(
    "g",
    { class: "tick-y" },
    svg("path", { class: "grid", d: `M${from} ${crisp(y)}H${to}` }),
    svg("text", { x: from - 9, y, dy: "0.35em" }, text),
  );

/** @param {number} x @param {string} text @param {ChartScale} up @param {number} width @param {boolean} grid */
function tickAcross(x, text, { from, to }, width, grid) {
  const half = (LETTER * text.length) / 2;
  return svg(
    "g",
    { class: "tick-x" },
    grid ? svg("path", { class: "grid", d: `M${crisp(x)} ${from}V${to}` }) : null,
    svg("text", { x: Math.max(half, Math.min(x, width - half)), y: from + 18 }, text),
  );
}

/** A line of one pixel fills one row of pixels. @param {number} v */
const crisp = (v) => Math.round(v - 0.5) + 0.5;

/**
 * One line with its band, its bars and its marks.
 * @param {Series} line @param {(ChartPoint | null)[]} points @param {ChartScale} across @param {ChartScale} up
 */
function drawn({ x, low, high, error, marks, color = "accent", width = 2, dash = "solid" }, points, across, up) {
  const stroke = `var(--${color})`;
  const band = low && high ? spans(x, low, high, across, up) : null;
  const lineStyle = { stroke, "stroke-width": width, "stroke-dasharray": DASHES[dash] ?? dashed(dash) };
  const marked = marks
    ? points.filter((point) => point !== null).map((point) => mark(marks, point, width ? 2.5 : 5.5, stroke))
    : [];
  return [
    band && svg("path", { class: "band", d: area(band), style: { fill: stroke, stroke } }),
    error && svg("path", { class: "error", d: bars(points, error, up), style: { stroke } }),
    width ? svg("path", { class: "line", d: path(thin(points)), style: lineStyle }) : null,
    ...marked,
  ].filter((one) => one !== null && one !== undefined);
}

/** Dashes that are told in pixels, "5px,2px", as they are. @param {string} dash */
const dashed = (dash) => (dash === "solid" ? "none" : dash.replaceAll("px", "").replaceAll(",", " "));

/** @param {string} name @param {ChartPoint} point @param {number} radius @param {string} fill */
export const mark = (name, { x, y }, radius, fill) =>
  svg("path", {
    class: "dot",
    d: MARKS[name] ?? MARKS.circle,
    transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${radius})`,
    style: { fill },
  });

/** @param {(ChartPoint | null)[]} points @param {{low: number[], high: number[]}} error @param {ChartScale} up */
function bars(points, { low, high }, up) {
  return points
    .map((point, i) => {
      const [bottom, top] = [place(low[i], up), place(high[i], up)];
      if (!point || bottom === null || top === null) return "";
      const [start, size] = [point.x - CAP, 2 * CAP];
      return `M${point.x} ${bottom}V${top}M${start} ${bottom}h${size}M${start} ${top}h${size}`;
    })
    .join("");
}

/**
 * The names of lines, beside their ends and apart from one another.
 * @param {Series[]} lines @param {(line: Series) => string} nameOf @param {ChartScale} across @param {ChartScale} up
 */
function ends(lines, nameOf, across, up) {
  /** @param {Series} line */
  const last = ({ y }) => place(y.findLast((v) => place(v, up) !== null) ?? null, up) ?? up.from;
  const heights = apart(lines.map(last), GAP, up.to, up.from);
  return lines.map((line, i) =>
    svg(
      "text",
      {
        class: "end",
        x: across.to + 8,
        y: heights[i],
        dy: "0.35em",
        style: { fill: `var(--${line.color ?? "accent"})` },
      },
      nameOf(line),
    ),
  );
}
