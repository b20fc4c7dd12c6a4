/** The first screen: the whole network, drawn and as a table; and the strip that stays above the others. */

/** @import { Face, Network, Row, State } from "./types.js" */
/** @import { Drawing } from "./network.js" */

import { contactSheet } from "./api.js";
import { el, write } from "./element.js";
import { isLive, sendButton } from "./live.js";
import { count } from "./numbers.js";
import { drawing } from "./network.js";
import { go } from "./state.js";
import { table } from "./table.js";
import { isRandom, trainLink } from "./train_link.js";
import { minimap, viewport } from "./view.js";

const FOLDED = 40; // rows: more are read as the paper's table is, by blocks
const SMALL = 12; // rows: fewer have room between them

/** @type {{key: string, drawn: Drawing | null, layer: string}} */
let kept = { key: "", drawn: null, layer: "" };

/**
 * The network as small volumes, the open one outlined.
 * @param {HTMLElement} place
 * @param {Network} net
 * @param {State} state
 */
export function strip(place, net, state) {
  const key = JSON.stringify([
    net.id,
    state.image,
    state.open,
    document.documentElement.dataset.theme,
    innerWidth > 760,
  ]);
  if (kept.key === key && kept.drawn && place.contains(kept.drawn.root)) {
    if (kept.layer !== state.layer) {
      kept.drawn.mark(state.layer);
      toCurrent(place);
    }
    kept.layer = state.layer;
    return kept.drawn;
  }
  const collapse = net.rows.length > FOLDED;
  const drawn = drawing(net, state, {
    tall: 44,
    deep: 34,
    gap: net.rows.length > SMALL ? 14 : 44,
    labels: false,
    collapse,
    room: innerWidth - 60,
  });
  place.replaceChildren(drawn.root);
  kept = { key, drawn, layer: state.layer };
  toCurrent(place);
  return drawn;
}

/** Bring the open volume to the middle. @param {HTMLElement} place */
function toCurrent(place) {
  const open = place.querySelector(".current");
  if (!open) return;
  const [a, b] = [open.getBoundingClientRect(), place.getBoundingClientRect()];
  place.scrollLeft += a.left + a.width / 2 - b.left - b.width / 2;
}

/**
 * @param {Network} net
 * @param {State} state
 * @param {Drawing} small  the strip
 * @param {Promise<[Map<string, Face>, string]>} front  what is painted on the boxes
 * @returns {Node[]}
 */
export function networkScreen(net, state, small, front) {
  const collapse = net.rows.length > FOLDED;
  const size =
    net.rows.length > SMALL
      ? { tall: 190, deep: collapse ? 84 : 40, gap: collapse ? 10 : 7 }
      : { tall: 220, deep: 84, gap: 52 };
  const room = innerWidth > 760 ? innerWidth - 392 : innerWidth * 2.4;
  const drawn = drawing(net, state, { ...size, labels: true, collapse, room });
  /** @type {(left: number, right: number, whole: boolean) => void} */
  let moveWindow = () => {};
  const view = viewport(drawn, JSON.stringify([net.id, state.open]), (...seen) => moveWindow(...seen));
  moveWindow = minimap(small, drawn, view.center);
  const failure = el("p", { class: "caption" });
  front.then(
    ([faces, picture]) => drawn.paint(faces, picture),
    (error) => write(failure, error.message),
  );
  const save = () =>
    contactSheet(net.id, state.image).then(
      (href) => el("a", { href, download: `${net.id}-maps.png` }).click(),
      (error) => write(failure, error.message),
    );
  const maps = el(
    "button",
    {
      class: "pill",
      title: "The strongest maps of up to five convolutions, from the first to the last, as one image",
      onclick: save,
    },
    "Save maps as PNG",
  );
  const fold = state.open.length
    ? el("button", { class: "pill", onclick: () => go({ open: [] }) }, "Collapse all blocks")
    : null;
  const total = net.rows.reduce((sum, row) => sum + row.parameters, 0);
  const lead = [
    `Choose a ${net.finds_boxes ? "volume" : "box"} to see its maps, a map to see how a number is made, a number to step back to the pixels.`,
    `${deep(net.rows)} layers deep, ${count(total)} parameters. Every ${net.finds_boxes ? "layer" : "box"} is an output volume, to scale;`,
    "on its front, its strongest map for this image; vectors stand upright.",
    collapse && net.rows.some((row) => row.block) ? "Equal blocks are stacked: choose a stack to open it." : "",
  ].join(" ");
  return [
    el(
      "div",
      { class: "row spread" },
      el("div", {}, el("h2", {}, net.title), el("p", { class: "lead" }, lead)),
      el(
        "div",
        { class: "row" },
        fold,
        isLive ? maps : null,
        sendButton(net),
        isLive && isRandom(net) ? trainLink(net) : null,
      ),
    ),
    el("div", { class: "card canvas" }, view.node, failure),
    table(net, state, collapse),
  ];
}

/** The most layers with weights that lie behind each other: the number in ResNet-18. @param {Row[]} rows */
export function deep(rows) {
  const depth = new Map();
  for (const row of rows)
    depth.set(
      row.name,
      (["conv", "dense"].includes(row.op) ? 1 : 0) + Math.max(0, ...row.inputs.map((name) => depth.get(name) ?? 0)),
    );
  return Math.max(0, ...depth.values());
}
