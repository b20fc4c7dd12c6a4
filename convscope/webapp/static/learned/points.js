/** Points of a map of images: where they are on the canvas, which one is near, what color and shape a class has. */

/**
 * @typedef {{x: number[], y: number[]}} Points  from 0 to 1
 * @typedef {{scale: number, left: number, top: number}} Window  how the map lies on the canvas
 */

const HUES = [
  ...["#4477aa", "#ee6677", "#228833", "#ccaa22", "#55bbdd"],
  ...["#aa3377", "#dd7733", "#7766cc", "#999933", "#777777"],
];
const SHAPES = /** @type {const} */ (["disc", "square", "triangle"]);
const REACH = 16; // pixels to a point that is meant
const EDGE = 28; // pixels around the points

/** How many classes look different. */
export const DISTINCT = HUES.length * SHAPES.length;

/** @param {number} label */
export const colorOf = (label) => HUES[label % HUES.length];

/** @param {number} label */
export const shapeOf = (label) => SHAPES[Math.floor(label / HUES.length) % SHAPES.length];

/** The window in which all points lie. @param {Points} points @param {number} width @param {number} height @returns {Window} */
export function fitted({ x, y }, width, height) {
  const [wide, high] = [largest(x) || 1, largest(y) || 1];
  const scale = Math.max(1, Math.min((width - 2 * EDGE) / wide, (height - 2 * EDGE) / high));
  return { scale, left: (width - scale * wide) / 2, top: (height + scale * high) / 2 };
}

/** @param {number[]} values */
const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0);

/** @param {Points} points @param {number} i @param {Window} window @returns {[x: number, y: number]} */
export const placeOf = ({ x, y }, i, { scale, left, top }) => [left + scale * x[i], top - scale * y[i]];

/**
 * The window after zooming towards a place of the canvas.
 * @param {Window} window @param {number} factor @param {number} x @param {number} y @returns {Window}
 */
export const zoomed = ({ scale, left, top }, factor, x, y) => ({
  scale: scale * factor,
  left: x + (left - x) * factor,
  top: y + (top - y) * factor,
});

/**
 * The point nearest to a place of the canvas, at most 16 pixels away; -1 if there is none.
 * @param {Points} points @param {number[]} shown @param {Window} window @param {number} x @param {number} y
 */
export function nearest(points, shown, window, x, y) {
  let [best, least] = [-1, REACH ** 2];
  for (const i of shown) {
    const [px, py] = placeOf(points, i, window);
    const away = (px - x) ** 2 + (py - y) ** 2;
    if (away < least) [best, least] = [i, away];
  }
  return best;
}

/**
 * The next point in a direction: near, and rather ahead than beside; -1 if there is none.
 * @param {Points} points @param {number[]} shown @param {number} from @param {[number, number]} direction  y upwards
 */
export function ahead(points, shown, from, [dx, dy]) {
  let [best, least] = [-1, Infinity];
  for (const i of shown) {
    const [x, y] = [points.x[i] - points.x[from], points.y[i] - points.y[from]];
    const along = x * dx + y * dy;
    const aside = Math.abs(x * dy - y * dx);
    if (i === from || along <= 0 || aside > 2 * along) continue;
    const cost = along + 2 * aside;
    if (cost < least) [best, least] = [i, cost];
  }
  return best;
}
