/** Zoom and pan over the drawing: one transform for all of it; and the strip as the map of the window. */

/** @import { Drawing } from "./network.js" */

import { el, svg } from "./element.js";

const MOST = 16; // times the drawn size
const NEAR = 4; // pixels that a pointer may move and still click
const CLOSE = 1.001; // the least zoom, but for rounding
const EDGE = 6; // points that the drawing leaves on its left

/**
 * @typedef {(left: number, right: number, whole: boolean) => void} Moved  told the part that is seen
 * @typedef {{drawn: Drawing, node: HTMLElement, moved: Moved, wide: number, high: number, least: number,
 *   settle: number}} View
 */

/**
 * Where the person looked last, so that a redraw stays there.
 * @type {{key: string, zoom: number, x: number, y: number}}
 */
let held = { key: "", zoom: 0, x: 0, y: 0 };

/**
 * A window on the drawing.
 * @param {Drawing} drawn
 * @param {string} key  of what is drawn: another drawing starts from its whole
 * @param {(left: number, right: number, whole: boolean) => void} moved  told the part that is seen, in the drawing's
 * own points
 */
export function viewport(drawn, key, moved) {
  const node = el("div", { class: "viewport" }, drawn.root);
  /** @type {View} */
  const view = { drawn, node, moved, wide: 0, high: 0, least: 1, settle: 0 };
  if (held.key !== key) held = { key, zoom: 0, x: 0, y: 0 };
  new ResizeObserver(() => measure(view)).observe(node);
  fingers(view);
  node.addEventListener("wheel", (event) => wheel(view, event), { passive: false });
  drawn.root.addEventListener("focusin", (event) => bring(view, /** @type {Element} */ (event.target)));
  node.append(buttons((factor) => zoomTo(view, factor * held.zoom, ...aim(view))));
  /** @param {number} x */
  const center = (x) => {
    held.x = view.wide / 2 - (x + EDGE) * held.zoom;
    apply(view);
  };
  return { node, center };
}

/** @param {number} at @param {number} room @param {number} size */
const clamp = (at, room, size) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at)));

/** Where the drawing lies now; its words are set anew when it rests. @param {View} view */
function apply(view) {
  const { drawn, node, wide, high, least } = view;
  held.x = clamp(held.x, wide, drawn.width * held.zoom);
  held.y = clamp(held.y, high, drawn.height * held.zoom + drawn.words);
  drawn.root.style.transform = `translate(${held.x}px, ${held.y}px) scale(${held.zoom})`;
  node.classList.toggle("zoomed", held.zoom > least * CLOSE);
  drawn.lift((high - held.y) / held.zoom - 4, held.zoom);
  view.moved(-held.x / held.zoom - EDGE, (wide - held.x) / held.zoom - EDGE, drawn.width * held.zoom <= wide + 1);
  clearTimeout(view.settle);
  view.settle = setTimeout(() => drawn.relabel(held.zoom), 120);
}

/** @param {View} view @param {number} zoom @param {number} px @param {number} py */
function zoomTo(view, zoom, px, py) {
  const next = Math.max(view.least, Math.min(MOST, zoom));
  held.x = px - ((px - held.x) * next) / held.zoom;
  held.y = py - ((py - held.y) * next) / held.zoom;
  held.zoom = next;
  apply(view);
}

/** How much room there is; on a phone the drawing begins larger than the room. @param {View} view */
function measure(view) {
  const { width, height, words, relabel } = view.drawn;
  const wide = view.node.clientWidth;
  if (!wide) return;
  const phone = wide < 600;
  const least = Math.min(1, wide / width);
  if (!held.zoom) held.zoom = phone ? Math.max(least, Math.min(1, 300 / height)) : least;
  const shown = phone ? Math.max(least, Math.min(held.zoom, 1)) : least;
  const high = Math.round(Math.max(180, Math.min(height * shown + words, 0.62 * innerHeight)));
  Object.assign(view, { wide, least, high });
  view.node.style.height = `${high}px`;
  held.zoom = Math.max(held.zoom, least);
  apply(view);
  relabel(held.zoom);
}

/**
 * Keys and buttons zoom towards the box that has the focus, or the middle of what is seen.
 * @param {View} view @returns {[x: number, y: number]}
 */
function aim({ drawn, node, wide, high }) {
  const focus = document.activeElement;
  if (!focus || !drawn.root.contains(focus)) return [wide / 2, (high - drawn.words) / 2];
  const [a, b] = [focus.getBoundingClientRect(), node.getBoundingClientRect()];
  return [a.left + a.width / 2 - b.left, a.top + a.height / 2 - b.top];
}

/**
 * The controls for those without a wheel; + and − and 0 on the keyboard press them.
 * @param {(factor: number) => void} by
 */
function buttons(by) {
  /** @param {string} key @param {string} sign @param {string} label @param {number} factor */
  const button = (key, sign, label, factor) =>
    el(
      "button",
      { class: "pill", "aria-label": label, title: `${label} (${key})`, "data-key": key, onclick: () => by(factor) },
      sign,
    );
  return el(
    "div",
    { class: "zoom", role: "group", "aria-label": "Zoom" },
    button("-", "−", "Smaller", 1 / 1.5),
    button("+", "+", "Larger", 1.5),
    button("0", "Fit", "Fit the whole network", 0),
  );
}

/** A box that gets the focus outside of the window comes into it. @param {View} view @param {Element} box */
function bring(view, box) {
  if (!box.matches(".box:focus-visible")) return;
  const [a, b] = [box.getBoundingClientRect(), view.node.getBoundingClientRect()];
  /** @param {number} from @param {number} to @param {number} least @param {number} most */
  const into = (from, to, least, most) => {
    if (from < least) return least - from + 24;
    return to > most ? most - to - 24 : 0;
  };
  held.x += into(a.left, a.right, b.left, b.right);
  held.y += into(a.top, a.bottom, b.top, b.bottom - view.drawn.words);
  apply(view);
}

/** @param {View} view @param {MouseEvent} event @returns {[x: number, y: number]} */
function inside({ node }, event) {
  const box = node.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

/**
 * Where there is nothing to zoom, or the page is being scrolled back, the wheel is the page's.
 * @param {View} view @param {WheelEvent} event
 */
function wheel(view, event) {
  if (!event.ctrlKey && held.zoom <= view.least * CLOSE && (event.deltaY > 0 || scrollY > 0)) return;
  event.preventDefault();
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    held.x -= event.deltaX || event.deltaY;
    return apply(view);
  }
  const step = Math.max(-60, Math.min(60, event.deltaY)) * (event.ctrlKey ? 0.01 : 0.004);
  const [x, y] = inside(view, event);
  zoomTo(view, held.zoom * Math.exp(-step), x, y);
}

/** Is this event of one of the buttons over the drawing? @param {Event} event */
const isControl = ({ target }) => target instanceof Element && target.closest(".zoom") !== null;

/** One finger drags, two pinch. @param {View} view */
function fingers(view) {
  const { node } = view;
  /** @type {Map<number, {at: [x: number, y: number], from: [x: number, y: number]}>} */
  const down = new Map();
  let [moved, spread] = [false, 0];
  node.addEventListener("pointerdown", (event) => {
    if (event.button || isControl(event)) return;
    down.set(event.pointerId, { at: inside(view, event), from: inside(view, event) });
    moved = down.size > 1;
    spread = 0;
  });
  node.addEventListener("pointermove", (event) => {
    const finger = down.get(event.pointerId);
    if (!finger) return;
    const now = inside(view, event);
    if (!moved && distance(now, finger.from) < NEAR) return;
    if (!moved) node.setPointerCapture(event.pointerId);
    moved = true;
    node.classList.add("held");
    held.x += (now[0] - finger.at[0]) / down.size;
    held.y += (now[1] - finger.at[1]) / down.size;
    finger.at = now;
    const [one, two] = [...down.values()].map((f) => f.at);
    if (!two) return apply(view);
    zoomTo(view, held.zoom * (spread ? distance(one, two) / spread : 1), (one[0] + two[0]) / 2, (one[1] + two[1]) / 2);
    spread = distance(one, two);
  });
  /** @param {PointerEvent} event */
  const lift = (event) => {
    down.delete(event.pointerId);
    spread = 0;
    if (!down.size) node.classList.remove("held");
  };
  node.addEventListener("pointerup", lift);
  node.addEventListener("pointercancel", lift);
  node.addEventListener("pointerleave", (event) => moved || lift(event));
  // A drag ends in a click on what it started from; that click opens nothing.
  node.addEventListener(
    "click",
    (event) => moved && event.detail && !isControl(event) && event.stopPropagation(),
    true,
  );
}

/** @param {[x: number, y: number]} one @param {[x: number, y: number]} other */
const distance = (one, other) => Math.hypot(one[0] - other[0], one[1] - other[1]);

/**
 * Draw the window into the strip; dragging along the strip moves it.
 * @param {Drawing} strip
 * @param {Drawing} drawn  the same boxes at another size
 * @param {(x: number) => void} center
 * @returns {(left: number, right: number, whole: boolean) => void}
 */
export function minimap(strip, drawn, center) {
  const far = [
    ...strip.plan.boxes.map((b, i) => [b.x, drawn.plan.boxes[i].x]),
    [strip.plan.width, drawn.plan.width],
  ].sort((a, b) => a[0] - b[0]);
  /** @param {number} x @param {0 | 1} from @param {0 | 1} to */
  const between = (x, from, to) => {
    const i = Math.max(
      1,
      far.findIndex((knot) => knot[from] >= x),
    );
    const [a, b] = [far[i - 1], far[i]];
    return b[from] === a[from] ? b[to] : a[to] + ((x - a[from]) / (b[from] - a[from])) * (b[to] - a[to]);
  };
  const frame = svg("rect", { class: "window", y: -3, height: strip.plan.height + 6, rx: 3 });
  strip.root.append(frame);
  /** @type {{x: number, moved: boolean} | null} */
  let start = null;
  strip.root.onpointerdown = (event) => (start = { x: event.clientX, moved: false });
  strip.root.onpointermove = (event) => {
    if (!start || (!start.moved && Math.abs(event.clientX - start.x) < NEAR) || !event.buttons) return;
    if (!start.moved) strip.root.setPointerCapture(event.pointerId);
    start.moved = true;
    center(between(event.clientX - strip.root.getBoundingClientRect().left - 6, 0, 1));
  };
  strip.root.addEventListener("click", (event) => start?.moved && event.stopPropagation(), true);
  return (left, right, whole) => {
    const [a, b] = [between(Math.max(0, left), 1, 0), between(Math.min(drawn.plan.width, right), 1, 0)];
    frame.setAttribute("x", String(a - 2));
    frame.setAttribute("width", String(Math.max(6, b - a + 4)));
    frame.toggleAttribute("hidden", whole);
  };
}
