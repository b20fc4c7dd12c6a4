/** The drawing of a network: boxes to scale, with the strongest map on the front of each. */

/** @import { Face, Network, Row, State } from "./types.js" */
/** @import { Box, Layout, Wire } from "./layout.js" */

import { peakOf, picture } from "./color.js";
import { svg, write } from "./element.js";
import { fitted, joins, SLANT } from "./layout.js";
import { several, volume } from "./numbers.js";
import { go } from "./state.js";
import { visible } from "./words.js";

const WORDS = 92; // points under the boxes for names, brackets and the scale

/**
 * @typedef {{root: SVGSVGElement, plan: Layout, width: number, height: number, words: number,
 *   relabel: (zoom: number) => void, lift: (bottom: number, zoom: number) => void,
 *   paint: (faces: Map<string, Face>, image: string) => void, mark: (layer: string) => void}} Drawing
 */

/**
 * @param {Network} net
 * @param {State} state
 * @param {{tall: number, deep: number, gap: number, labels: boolean, collapse: boolean, room: number}} wish
 * @returns {Drawing}
 */
export function drawing(net, state, wish) {
  const plan = fitted(net.rows, { ...wish, open: state.open }, wish.room);
  const [width, height] = [plan.width + (wish.labels ? 48 : 12), plan.height + 12];
  const root = svg("svg", {
    viewBox: `-6 -4 ${width} ${height}`,
    width,
    height,
    class: "network",
    role: "group",
    "aria-label": `${net.title}, ${plan.boxes.length} volumes; left and right arrows go through them`,
  });
  const groups = plan.boxes.map((box) => volumeBox(state, box));
  const words = svg("g", { class: "words" });
  const beside = svg("g", { class: "words" });
  root.append(...plan.wires.map(line), ...groups, beside, words);
  root.addEventListener("keydown", walk);
  const start = groups.find((g) => g.classList.contains("current")) ?? groups[0];
  start?.setAttribute("tabindex", "0");
  /** @param {number} zoom */
  const relabel = (zoom) => {
    root.style.setProperty("--zoom", String(zoom));
    const shelf = svg("rect", { class: "shelf", x: -6, y: plan.height + 4, width, height: WORDS / zoom });
    beside.replaceChildren(...(wish.labels ? branchNames(plan, zoom) : []));
    words.replaceChildren(
      ...(wish.labels ? [shelf, ...labels(plan, zoom), ...brackets(plan, zoom), scaleBar(plan, zoom)] : []),
    );
  };
  relabel(1);
  /** @param {Map<string, Face>} faces @param {string} image */
  const paint = (faces, image) => {
    for (const [i, box] of plan.boxes.entries()) {
      const href = front(faces, image, box.row);
      const face = groups[i].querySelector(".face");
      if (href && face?.getAttribute("href") !== href) face?.setAttribute("href", href);
      const strange = box.members.reduce((sum, { name }) => sum + (faces.get(name)?.strange ?? 0), 0);
      if (strange) cross(groups[i], box, strange);
    }
  };
  /** The words stay in sight, however far the boxes reach below. @param {number} bottom @param {number} zoom */
  const lift = (bottom, zoom) =>
    words.setAttribute("transform", `translate(0 ${Math.min(0, bottom - plan.height - 4 - WORDS / zoom)})`);
  /** Another layer is open. @param {string} layer */
  const mark = (layer) => {
    for (const [i, { members }] of plan.boxes.entries()) {
      const current = members.some(({ name }) => name === layer);
      groups[i].classList.toggle("current", current);
      if (current) groups[i].setAttribute("aria-current", "true");
      else groups[i].removeAttribute("aria-current");
      groups[i].setAttribute("tabindex", "-1");
    }
    (groups.find((g) => g.classList.contains("current")) ?? groups[0])?.setAttribute("tabindex", "0");
  };
  return { root, plan, width, height, words: wish.labels ? WORDS : 0, relabel, lift, paint, mark };
}

/** Skips go over the top; the rest goes straight through. @param {Wire} wire */
function line({ from, to, skip, over }) {
  const [x1, y1, x2, y2] = [from.x + from.wide, from.y + from.high / 2, to.x, to.y + to.high / 2];
  if (!skip)
    return svg("path", { class: "wire", d: `M${x1} ${y1} C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}` });
  const [a, b] = [from.x + from.wide + from.depth * SLANT.x + 5, joint(to)[0]];
  const top = Math.min(...[from, to, ...over].map((box) => box.y + box.depth * SLANT.y)) - 9;
  return svg("path", {
    class: "wire",
    d: `M${a} ${y1} V${top + 6} Q${a} ${top} ${a + 6} ${top} H${b - 6} Q${b} ${top} ${b} ${top + 6} V${y2}`,
  });
}

/** @param {Box} box */
const joint = (box) => [box.x - 11, box.y + box.high / 2];

/** What a box is, in a sentence. @param {Box} box */
function title({ row, blocks, members }) {
  if (!blocks.length)
    return (
      `${row.name}, ${row.type}: ` +
      `${volume(row.axes)}${row.parameters ? `, ${several(row.parameters, "parameter")}` : ""}`
    );
  const weighted = members.filter((m) => m.parameters).length;
  const which =
    blocks.length > 1 ? `${blocks.length} blocks that are alike, ${blocks[0]} to ${blocks.at(-1)}` : blocks[0];
  return `${which}: ${several(weighted, "layer")} with weights, output ${volume(row.axes)}. Open.`;
}

/** Where a click on a box leads. @param {Box} box @param {State} state */
export const into = ({ row, blocks }, state) =>
  blocks.length
    ? { open: [...state.open, blocks.length > 1 ? `${row.stage}.*` : blocks[0]], layer: "", place: null, trail: [] }
    : { layer: row.name, place: null, trail: [] };

/** @param {State} state @param {Box} box */
function volumeBox(state, box) {
  const { row, wide, high, depth, x, y, blocks } = box;
  const [dx, dy] = [depth * SLANT.x, depth * SLANT.y];
  const current = box.members.some((m) => m.name === state.layer);
  const said = title(box);
  const act = () => go(into(box, state));
  const group = svg(
    "g",
    {
      class: `box ${current ? "current" : ""}`,
      tabindex: -1,
      role: "button",
      "aria-label": said,
      "aria-current": current ? "true" : null,
      onclick: act,
      onkeydown: (e) => (e.key === "Enter" || e.key === " ") && (e.preventDefault(), act()),
    },
    svg("title", {}, said),
  );
  for (const k of blocks.length > 1 ? [3, 2, 1] : blocks.length ? [1] : [])
    group.append(svg("path", { class: "stack", d: outline(x + 3 * k, y + 3 * k, wide, high, dx, dy) }));
  group.append(
    svg("path", { class: "top", d: `M${x} ${y} l${dx} ${dy} h${wide} l${-dx} ${-dy} z` }),
    svg("path", { class: "right", d: `M${x + wide} ${y} l${dx} ${dy} v${high} l${-dx} ${-dy} z` }),
    svg("rect", { class: "front", x, y, width: wide, height: high }),
    svg("image", { class: "face", x, y, width: wide, height: high, preserveAspectRatio: "none" }),
    svg("path", { class: "edge", d: outline(x, y, wide, high, dx, dy) }),
  );
  if (joins(box)) {
    const [cx, cy] = joint(box);
    group.append(
      svg("circle", { class: "join", cx, cy, r: 6.5 }),
      svg("path", {
        class: "join",
        d: row.op === "add" ? `M${cx - 3.5} ${cy} h7 M${cx} ${cy - 3.5} v7` : `M${cx - 1.8} ${cy - 3.5} v7 m3.6 -7 v7`,
      }),
    );
  }
  return group;
}

/**
 * Values that are no numbers are not a color: the box is crossed, and says how many there are.
 * @param {SVGElement} group @param {Box} box @param {number} count
 */
function cross(group, { x, y, wide, high }, count) {
  const said = `${group.getAttribute("aria-label")} ${several(count, "value")} not finite.`;
  group.setAttribute("aria-label", visible(said));
  const title = group.querySelector("title");
  if (title) write(title, said);
  group.querySelector(".strange")?.remove();
  group.append(svg("path", { class: "strange", d: `M${x} ${y} l${wide} ${high} m0 ${-high} l${-wide} ${high}` }));
}

/**
 * What is painted on the front: the pixels, or the strongest map; made once for each theme.
 * @param {Map<string, Face>} faces @param {string} image @param {Row} row
 */
function front(faces, image, row) {
  if (row.op === "image") return image;
  const face = faces.get(row.name);
  if (!face) return "";
  const theme = document.documentElement.dataset.theme ?? "";
  face.painted ??= {};
  return (face.painted[theme] ??= picture(face.data, face.height, face.width, peakOf(face.data)).toDataURL());
}

/** @param {number} x @param {number} y @param {number} w @param {number} h @param {number} dx @param {number} dy */
const outline = (x, y, w, h, dx, dy) =>
  `M${x} ${y} l${dx} ${dy} h${w} v${h} l${-dx} ${-dy} h${-w} z M${x} ${y} h${w} v${h} M${x + w} ${y} l${dx} ${dy}`;

/** A name without what its bracket says already. @param {Box} box */
function shortName({ row, blocks }) {
  if (blocks.length > 1) return `×${blocks.length}`;
  const [name, group] = blocks.length ? [blocks[0], row.stage] : [row.name, row.block];
  return group && name.startsWith(`${group}.`) ? name.slice(group.length + 1) : name;
}

/** Names where they fit, as on a map; a shape is written where it changes. @param {Layout} plan @param {number} zoom */
function labels(plan, zoom) {
  const y = plan.height + 4 + 14 / zoom;
  let [free, freeSize, shape] = [-Infinity, -Infinity, ""];
  const texts = [];
  for (const box of plan.boxes.filter((b) => b.lane === 0)) {
    const { x } = box;
    const name = shortName(box);
    const size = volume(box.row.axes);
    if (x >= free) {
      texts.push(svg("text", { x, y, class: "name" }, name));
      free = x + (name.length * 7 + 8) / zoom;
    }
    if (size !== shape && x >= freeSize) {
      texts.push(svg("text", { x, y: y + 15 / zoom, class: "size" }, size));
      freeSize = x + (size.length * 7.4 + 8) / zoom;
      shape = size;
    }
  }
  return texts;
}

/** In the branches, each name below its box, where the next one leaves room. @param {Layout} plan @param {number} zoom */
function branchNames({ boxes }, zoom) {
  return boxes
    .filter((box) => box.lane !== 0)
    .flatMap((box) => {
      const next = Math.min(...boxes.filter((b) => b.lane === box.lane && b.x > box.x).map((b) => b.x));
      const name = shortName(box);
      const [right, below] = [box.x + (name.length * 7 + 4) / zoom, box.y + box.high + 14 / zoom];
      if (right > next || boxes.some((b) => b !== box && covers(b, box.x, right, box.y + box.high, below))) return [];
      return [svg("text", { x: box.x, y: box.y + box.high + 11 / zoom, class: "name" }, name)];
    });
}

/** Does a box reach into a rectangle? @param {Box} box @param {number} left @param {number} right @param {number} top @param {number} bottom */
const covers = ({ x, y, wide, high, depth }, left, right, top, bottom) =>
  x < right && x + wide + depth * SLANT.x > left && y + depth * SLANT.y < bottom && y + high > top;

/** Under the boxes, one bracket for each stage or open block. @param {Layout} plan @param {number} zoom */
function brackets(plan, zoom) {
  /** @type {{group: string, from: number, to: number}[]} */
  const spans = [];
  for (const box of plan.boxes) {
    const group = box.row.stage || (box.blocks.length ? "" : box.row.block);
    const right = box.x + box.wide + box.depth * SLANT.x;
    const last = spans.findLast((s) => s.group === group);
    if (!group) continue;
    if (last) last.to = Math.max(last.to, right);
    else spans.push({ group, from: box.x, to: right });
  }
  const y = plan.height + 4 + 38 / zoom;
  return spans.map(({ group, from, to }) => {
    const room = ((to - from) * zoom) / 7.4;
    const tail = group.split(".").at(-1) ?? group;
    const short = [group, tail, tail.replace(/^\D+(?=\d)/, "")].find((text) => text.length <= room) ?? "";
    return svg(
      "g",
      { class: "bracket" },
      svg("title", {}, group),
      svg("path", { d: `M${from} ${y} v${5 / zoom} H${to} v${-5 / zoom}` }),
      svg("text", { x: (from + to) / 2, y: y + 18 / zoom }, short),
    );
  });
}

/** As on a map of a country. @param {Layout} plan @param {number} zoom */
function scaleBar(plan, zoom) {
  /** @param {number} most */
  const round = (most) => [1, 2, 4, 8, 16, 32, 64, 128, 256].reduce((best, n) => (n <= most ? n : best), 1);
  const pixels = round(48 / plan.pixel / zoom);
  const channels = round(36 / plan.channel / zoom);
  const y = plan.height + 4 + 82 / zoom;
  const [side, far] = [pixels * plan.pixel, channels * plan.channel * SLANT.x];
  return svg(
    "g",
    { class: "scale" },
    svg("path", { d: `M0 ${y - 5 / zoom} v${5 / zoom} h${side} v${-5 / zoom}` }),
    svg("text", { x: side + 6 / zoom, y }, `${pixels} px`),
    svg("path", { d: `M${side + 58 / zoom} ${y} l${far} ${channels * plan.channel * SLANT.y}` }),
    svg("text", { x: side + far + 64 / zoom, y }, several(channels, "channel")),
  );
}

/** Left and right go from volume to volume. @param {KeyboardEvent} event */
function walk(event) {
  const step = /** @type {Record<string, number>} */ ({ ArrowRight: 1, ArrowLeft: -1 })[event.key];
  if (!step) return;
  const boxes = [.../** @type {Element} */ (event.currentTarget).querySelectorAll(".box")];
  const next = /** @type {SVGGElement | undefined} */ (
    boxes[boxes.indexOf(/** @type {Element} */ (document.activeElement)) + step]
  );
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ inline: "nearest", block: "nearest" });
  event.preventDefault();
}
