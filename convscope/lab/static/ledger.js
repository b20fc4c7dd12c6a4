/** Patch × filter = products, channel by channel: cells that can be read, pointed at and followed. */

import { cell, peakOf, picture } from "./color.js";
import { el } from "./element.js";
import { decimalsFor, fixed, signed, whole } from "./numbers.js";
import { follow, read } from "./state.js";

/**
 * @typedef {import("./api.js").Unit} Unit
 * @typedef {import("./api.js").Part} Part
 * @typedef {{net: any, image: any, row: any, place: import("./state.js").Place, unit: Unit,
 *   volumes: Map<string, any>, board: any, decimals: number, peaks: {patch: number, filter: number, products: number},
 *   read: (sentence: string) => void, opened: number, limit: number}} Scene
 */

const KINDS = ["patch", "filter", "products"];
const WIDEST = 11; // columns of a patch up to which figures are written into it
const TIGHT = 36; // points of a cell below which figures would touch
const MARKED = {
  won: "inset 0 0 0 2px var(--accent), inset 0 0 0 3px var(--halo)",
  tied: "inset 0 0 0 2px var(--halo), inset 0 0 0 3px var(--accent)",
};

/** A result in a ledger's column: so many decimals, and powers of ten where these would hide all of it. */
export function figure(value, decimals, set = fixed) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const hidden = value !== 0 && Math.abs(value) < 0.5 * 10 ** -decimals;
  if (!hidden && Math.abs(value) < 1e9) return set(value, decimals);
  return (set === signed && value > 0 ? "+" : "") + value.toExponential(2).replaceAll("-", "−");
}

/** What a cell has room for: two digits of the largest, at least two decimals. */
export function inCell(value, peak, most = 4) {
  if (!Number.isFinite(value)) return figure(value, 0);
  if (peak >= 1e4 || (peak < 1e-3 && value)) return value.toExponential(0).replaceAll("-", "−");
  return fixed(value, cellDecimals(peak, most));
}

const cellDecimals = (peak, most) =>
  peak >= 100 ? 0 : peak >= 10 ? 1 : Math.max(2, Math.min(most, decimalsFor([peak], 2)));

/** @param {number} v */
export const bracketed = (v) => (v < 0 ? `(${whole(v)})` : whole(v));

/** A place of the API as a place of the address. @param {import("./api.js").Spot} spot */
const toPlace = (spot) => ({ layer: spot.row, map: spot.map, row: spot.y, col: spot.x });

/** conv2[5,3,7]; a unit of a vector is fc2[4]; the end is a pixel. */
export function spotName(net, spot) {
  const [, h, w] = net.byName.get(spot.row)?.shape ?? [0, 1, 1];
  return h * w === 1 ? `${spot.row}[${spot.map}]` : `${spot.row}[${spot.map},${spot.y},${spot.x}]`;
}

/**
 * One step back, from this unit: a press that comes while another unit is being read leads nowhere.
 * @param {Scene} scene @param {import("./api.js").Spot} spot
 */
export function back({ place }, spot) {
  const now = read().place;
  if (now && ["layer", "map", "row", "col"].every((key) => now[key] === place[key])) follow(toPlace(spot));
}

/**
 * The head and one row for each channel that is written out.
 * @param {Scene} scene
 * @param {(channel: number) => void} open
 * @returns {Node[]}
 */
export function channelRows(scene, open) {
  const { unit } = scene;
  const folded = unit.rest.count > 0;
  const parts = folded ? unit.parts : [...unit.parts].sort((a, b) => a.channel - b.channel);
  const chosen = parts.some((part) => part.channel === scene.opened) ? scene.opened : unit.parts[0]?.channel;
  const layout = layoutOf(unit);
  const result =
    unit.decomposition === "sum" ? (unit.divisor === 1 ? "sum" : `sum ÷ ${unit.divisor}`) : unit.decomposition;
  const names = layout.weighted ? ["patch", null, "filter", null, "products"] : ["patch"];
  const head = layout.wraps
    ? null
    : el(
        "div",
        { class: `channel head ${layout.kind}`, style: layout.style },
        el("span", { style: CLIPPED, title: unit.inputs.join(", ") }, unit.inputs.join(", ")),
        ...names.map((name) => el("span", {}, name)),
        el("span", { class: "sum", style: LAST }, result),
      );
  return [
    head,
    ...parts.map((part) => channelRow(scene, part, layout, part.channel === chosen, () => open(part.channel))),
  ].filter(Boolean);
}

const LAST = { "grid-column": "-2 / -1" };
const CLIPPED = { overflow: "hidden", "text-overflow": "ellipsis", "white-space": "nowrap" };

/** How wide cells are, and whether three matrices stand in a line or wrap like the words of a formula. */
function layoutOf(unit) {
  const [, columns] = unit.size;
  const full = document.documentElement.clientWidth;
  const narrow = full <= 760;
  const room = full - (narrow ? 58 : 562);
  const weighted = unit.parts.some((part) => part.filter);
  const one = unit.size.every((n) => n === 1);
  const across = (matrices, taken) => Math.floor(((room - taken) / matrices - 3) / columns) - 1;
  const inLine = across(weighted ? 3 : 1, 252);
  const wraps = !one && (narrow || inLine < TIGHT);
  const wide = one
    ? 62
    : !wraps
      ? Math.min(50, inLine)
      : across(2, 44) >= 34
        ? Math.min(48, across(2, 44))
        : Math.min(44, across(1, 24));
  const tiny = Math.max(3, Math.min(8, Math.floor((room - (narrow ? 168 : 252)) / 3 / columns) - 1));
  const style = { "--n": columns, "--tiny": `${tiny}px`, ...(one ? {} : { "--c": `${wide}px` }) };
  if (wraps && !narrow)
    style["grid-template-columns"] = `minmax(0, 112px) ${weighted ? "auto 14px auto 14px " : ""}auto minmax(56px, 1fr)`;
  else if (!weighted && !narrow) style["grid-template-columns"] = "112px var(--w) minmax(64px, 1fr)";
  return { kind: one ? "one" : "", style, weighted, wraps, figures: columns <= WIDEST && wide >= 28, cell: wide };
}

const FLOW = { display: "flex", "flex-wrap": "wrap", gap: "var(--s2)" };

/** One channel as a row of the ledger. */
function channelRow(scene, part, layout, open, toggle) {
  const { unit } = scene;
  const one = layout.kind === "one";
  const figures = (open || one) && layout.figures;
  const flows = layout.wraps && figures;
  const matrices = (layout.weighted ? KINDS : ["patch"]).map((kind) =>
    matrix(scene, part, kind, figures && layout.cell),
  );
  for (const m of matrices)
    for (const kind of ["pointerover", "focusin"])
      m.addEventListener(kind, (event) => point(scene, part, matrices, event.target));
  const [patch, ...others] = matrices;
  const signs = others.map((m, place) => [el("span", { class: "op" }, place ? "=" : "×"), m]);
  const sum = el(
    "data",
    { class: "sum", style: { ...LAST, "margin-left": "auto" }, title: whole(part.sum) },
    figure(part.sum, scene.decimals, unit.decomposition === "sum" ? signed : fixed),
  );
  const from = title(scene, part, one, open, toggle);
  if (flows) from.style.flexBasis = "100%";
  return el(
    "div",
    { class: `channel ${one ? "one" : open ? "open" : ""}`, style: { ...layout.style, ...(flows ? FLOW : {}) } },
    from,
    patch,
    ...(flows
      ? signs.map((pair) =>
          el("span", { style: { display: "flex", "align-items": "center", gap: "var(--s2)" } }, ...pair),
        )
      : signs.flat()),
    sum,
  );
}

/** "map 3", with a small picture of the map and of where the patch lies in it; a press shows the figures. */
function title(scene, part, one, open, toggle) {
  const from = scene.net.byName.get(part.row);
  const [only] = part.cells.flat();
  const name = !from
    ? ""
    : one && only
      ? spotName(scene.net, only)
      : from.op === "image"
        ? channelName(from, part.map)
        : `map ${part.map}`;
  if (one) return el("span", { class: "from", style: CLIPPED, title: name }, name);
  return el(
    "button",
    {
      class: "from",
      "aria-expanded": String(open),
      style: { overflow: "hidden" },
      "aria-label": `Channel ${part.channel}, ${name}`,
      onclick: toggle,
      title: open ? "" : "Show the figures",
    },
    name,
    thumb(scene, part.row, part.map, part.cells.flat()),
  );
}

const channelName = (image, map) =>
  image.shape[0] === 1 ? "pixels" : image.shape[0] === 3 ? ["red", "green", "blue"][map] : `channel ${map}`;

/** The operand's map, with what is read of it outlined. */
export function thumb(scene, row, map, spots) {
  const held = scene.volumes.get(row);
  if (!held) return null;
  const { data, height, width } = held.of(map);
  const known = spots.filter(Boolean);
  const [ys, xs] = [known.map((p) => p.y), known.map((p) => p.x)];
  const [top, left] = [Math.min(...ys), Math.min(...xs)];
  const percent = (n, of) => `${(100 * n) / of}%`;
  const style = {
    left: percent(left, width),
    top: percent(top, height),
    width: percent(Math.max(...xs) + 1 - left, width),
    height: percent(Math.max(...ys) + 1 - top, height),
  };
  return el("span", { class: "thumb" }, picture(data, height, width, held.peak), el("span", { class: "mark", style }));
}

/** @param {"patch" | "filter" | "products"} kind @param {number | false} figures  how wide a cell is that they are written into */
function matrix(scene, part, kind, figures) {
  const { unit } = scene;
  const [, columns] = unit.size;
  const spots = part.cells.flat();
  const operand = kind === "patch" && figures;
  const first = spots.findIndex(Boolean);
  const peak = scene.peaks[kind];
  const most = figures < 40 ? 2 : figures < 44 ? 3 : 4;
  const tight = figures && (figures < 40 || (figures < 44 && cellDecimals(peak, most) > 2));
  const cells = part[kind].flat().map((value, k) => {
    const spot = spots[k];
    const outside = kind === "patch" && !spot;
    const follows = operand && spot;
    const style = outside
      ? {}
      : Number.isFinite(value)
        ? cell(value, peak)
        : { background: "repeating-linear-gradient(135deg, var(--paper) 0 3px, var(--neg-2) 3px 4px)" };
    if (kind === "patch") mark(unit, k, columns, style);
    return el(
      follows ? "button" : "span",
      {
        class: `cell ${outside ? "outside" : ""}`,
        "data-k": k,
        tabindex: follows ? (k === first ? 0 : -1) : null,
        style,
        "aria-label": follows ? `${spotName(scene.net, spot)}, ${reading(unit, part, k)}. Follow.` : null,
        onclick: follows ? () => back(scene, spot) : null,
      },
      figures ? (outside ? (unit.decomposition === "sum" ? "0" : "") : inCell(value, peak, most)) : null,
    );
  });
  const grid = el(
    "div",
    {
      class: `matrix ${kind} ${figures ? "figures" : ""}`,
      style: { "--n": columns, ...(tight ? { "--t1": "11px" } : {}) },
      role: "group",
      "aria-label": kind,
    },
    ...cells,
  );
  if (operand) grid.addEventListener("keydown", (event) => roam(event, cells, columns));
  return grid;
}

/** The winner of a maximum is outlined; who has the same value is outlined too. */
function mark(unit, k, columns, style) {
  const here = ([y, x]) => y * columns + x === k;
  if (unit.winner && here(unit.winner)) style["box-shadow"] = MARKED.won;
  else if (unit.ties.some(here)) style["box-shadow"] = MARKED.tied;
}

/** The same place lights up in all matrices, and is said in a sentence. */
function point(scene, part, matrices, target) {
  const k = target.dataset?.k;
  if (k === undefined) return;
  for (const lit of document.querySelectorAll(".cell.lit")) lit.classList.remove("lit");
  for (const m of matrices) m.children[k].classList.add("lit");
  const spot = part.cells.flat()[k];
  const said = reading(scene.unit, part, k);
  scene.read(spot ? `${said}. Choose ${whole(part.patch.flat()[k])} to see what it is made of.` : `${said}.`);
}

/** One cell in full digits: what it is, and what it does. */
function reading(unit, part, k) {
  const value = part.patch.flat()[k];
  const padding = !part.cells.flat()[k];
  if (unit.decomposition !== "sum") {
    if (padding) return "Padding, outside the image: it takes no part";
    const [, columns] = unit.size;
    const here = ([y, x]) => y * columns + x === Number(k);
    const best = `the ${unit.decomposition === "minimum" ? "smallest" : "largest"}`;
    return here(unit.winner)
      ? `${whole(value)} is ${best}`
      : unit.ties.some(here)
        ? `${whole(value)} is ${best} too`
        : `${whole(value)} is not ${best}: ${whole(part.sum)} is`;
  }
  const zero = padding ? ": the 0 is padding, outside the image" : "";
  if (!part.filter)
    return `${whole(value)} is one of ${unit.count} values${unit.divisor === 1 ? "" : ` whose sum is divided by ${whole(unit.divisor)}`}${zero}`;
  return `${whole(value)} × ${bracketed(part.filter.flat()[k])} = ${whole(part.products.flat()[k])}${zero}`;
}

/** Arrow keys inside a patch; padding is stepped over. */
function roam(event, cells, columns) {
  const [dy, dx] = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key] ?? [0, 0];
  if (!dy && !dx) return;
  event.preventDefault();
  const start = cells.indexOf(document.activeElement);
  let [y, x] = [Math.floor(start / columns) + dy, (start % columns) + dx];
  while (y >= 0 && x >= 0 && x < columns && y * columns + x < cells.length) {
    const next = cells[y * columns + x];
    if (next.tagName === "BUTTON") {
      for (const each of cells) if (each.tabIndex === 0) each.tabIndex = -1;
      next.tabIndex = 0;
      return next.focus();
    }
    [y, x] = [y + dy, x + dx];
  }
}

/** The scales of a ledger's three columns. @param {Unit} unit @param {Iterable<{peak: number}>} volumes */
export function peaksOf(unit, volumes) {
  const all = (kind) => peakOf(unit.parts.flatMap((part) => part[kind]?.flat() ?? []));
  const listed = (kind) => peakOf(unit.terms.map((one) => one[kind]));
  const patch = Math.max(all("patch"), listed("value"), ...[...volumes].map((v) => v.peak));
  return {
    patch,
    filter: Math.max(all("filter"), listed("weight")),
    products: Math.max(all("products"), listed("product")),
  };
}
