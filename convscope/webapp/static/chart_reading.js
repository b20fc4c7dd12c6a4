/** What the pointer or the keyboard reads of a chart: a rule, dots on the lines, and words beside them. */

/** @import { ChartState, ReadPoint } from "./types.js" */

import { mark } from "./chart_figure.js";
import { nearest } from "./chart_paths.js";
import { el, svg } from "./element.js";

const REACH = 60; // pixels from the pointer to a point that it reads
const BESIDE = 16; // pixels from the point that is read to those of other lines that are read with it
const ASIDE = 12; // pixels from a point to its words

/**
 * Read what the pointer is at: the points of all lines at one place across, or the one point that is nearest.
 * @param {ChartState} state @param {PointerEvent} event
 */
export function pointed(state, event) {
  if (!state.drawing) return;
  const box = state.plot.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const alone = Boolean(state.look.rangeless);
  const found = state.lines
    .map((line, i) => ({
      line: i,
      ...(line.silent || !line.said
        ? { at: -1, distance: Infinity }
        : nearest(state.drawing?.points[i] ?? [], x, alone ? y : undefined)),
    }))
    .filter(({ distance }) => distance <= REACH)
    .sort((a, b) => a.distance - b.distance);
  readAt(state, alone ? found.slice(0, 1) : together(state, found));
}

/**
 * Those that stand above or below the nearest, in the order of the lines.
 * @param {ChartState} state @param {ReadPoint[]} found  nearest first
 */
function together(state, found) {
  const spot = pixelOf(state, found[0]);
  return found
    .filter((one) => Math.abs((pixelOf(state, one)?.x ?? Infinity) - (spot?.x ?? 0)) <= BESIDE)
    .sort((a, b) => a.line - b.line);
}

/** @param {ChartState} state @param {ReadPoint | undefined} point */
const pixelOf = ({ drawing }, point) => (point && drawing?.points[point.line]?.[point.at]) ?? null;

/**
 * Show these points and what is said of them.
 * @param {ChartState} state @param {ReadPoint[]} points
 */
export function readAt(state, points) {
  const { drawing, tip, lines, plot } = state;
  const shown = points.flatMap((point) => {
    const pixel = pixelOf(state, point);
    return pixel ? [{ ...point, pixel, series: lines[point.line] }] : [];
  });
  if (!drawing || !shown.length) return readNothing(state);
  state.reading = points;
  const { x, y } = shown[0].pixel;
  const rule = state.look.rangeless
    ? null
    : svg("path", { class: "rule", d: `M${x} ${drawing.up.from}V${drawing.up.to}` });
  const dots = shown.map(({ pixel, series }) =>
    mark(series.marks ?? "circle", pixel, 5, `var(--${series.color ?? "accent"})`),
  );
  drawing.overlay.replaceChildren(...[rule, ...dots].filter((one) => one !== null));
  tip.replaceChildren(
    ...shown.map(({ series, at }) =>
      el("p", { style: { "border-color": `var(--${series.color ?? "accent"})` } }, series.said?.[at]),
    ),
  );
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const right = x + ASIDE + width <= plot.clientWidth;
  const left = right ? x + ASIDE : Math.max(0, Math.min(x - ASIDE - width, plot.clientWidth - width));
  const top = Math.max(0, Math.min(y - height / 2, drawing.up.from - height));
  tip.style.setProperty("transform", `translate(${left.toFixed(0)}px, ${top.toFixed(0)}px)`);
}

/** Show no point. @param {ChartState} state */
export function readNothing(state) {
  state.reading = [];
  state.tip.hidden = true;
  state.drawing?.overlay.replaceChildren();
}
