/** Patch × filter = products, channel by channel: cells that can be read, pointed at and followed. */

/** @import { LabImage, Network, Part, Position, Row, Styles, Unit, UnitRef } from "./types.js" */
/** @import { Planes } from "./maps.js" */

import { cell, peakOf, picture } from "./color.js";
import { el } from "./element.js";
import { decimalsFor, fixed, signed, whole } from "./numbers.js";
import { follow, read } from "./state.js";

/**
 * @typedef {"patch" | "filter" | "products"} MatrixKind
 * @typedef {ReturnType<typeof layoutOf>} LedgerLayout
 * @typedef {{net: Network, image: LabImage, row: Row, place: Position, unit: Unit, volumes: Map<string, Planes>,
 *   board: Planes, decimals: number, peaks: Record<MatrixKind, number>, read: (sentence: string) => void,
 *   opened: number, limit: number}} Scene
 */

/** @type {MatrixKind[]} */
const KINDS = ["patch", "filter", "products"];
const WIDEST = 11; // columns of a patch up to which figures are written into it
const TIGHT = 36; // points of a cell below which figures would touch
const MARKED = {
  won: "inset 0 0 0 2px var(--accent), inset 0 0 0 3px var(--halo)",
  tied: "inset 0 0 0 2px var(--halo), inset 0 0 0 3px var(--accent)",
};

/**
 * A result in a ledger's column: so many decimals, and powers of ten where these would hide all of it.
 * @param {number} value @param {number} decimals @param {(value: number, decimals: number) => string} [set]
 */
export function figure(value, decimals, set = fixed) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const hidden = value !== 0 && Math.abs(value) < 0.5 * 10 ** -decimals;
  if (!hidden && Math.abs(value) < 1e9) return set(value, decimals);
  return (set === signed && value > 0 ? "+" : "") + value.toExponential(2).replaceAll("-", "−");
}

/**
 * What a cell has room for: two digits of the largest, at least two decimals.
 * @param {number} value @param {number} peak @param {number} [most]
 */
export function inCell(value, peak, most = 4) {
  if (!Number.isFinite(value)) return figure(value, 0);
  if (peak >= 1e4 || (peak < 1e-3 && value)) return value.toExponential(0).replaceAll("-", "−");
  return fixed(value, cellDecimals(peak, most));
}

/** @param {number} peak @param {number} most */
function cellDecimals(peak, most) {
  if (peak >= 100) return 0;
  return peak >= 10 ? 1 : Math.max(2, Math.min(most, decimalsFor([peak], 2)));
}

/** @param {number} v */
export const bracketed = (v) => (v < 0 ? `(${whole(v)})` : whole(v));

/** A place of the API as a place of the address. @param {UnitRef} spot */
const toPlace = (spot) => ({ layer: spot.row, map: spot.map, row: spot.y, col: spot.x });

/** conv2[5,3,7]; a unit of a vector is fc2[4]; the end is a pixel. @param {Network} net @param {UnitRef} spot */
export function spotName(net, spot) {
  const [, h, w] = net.byName.get(spot.row)?.shape ?? [0, 1, 1];
  return h * w === 1 ? `${spot.row}[${spot.map}]` : `${spot.row}[${spot.map},${spot.y},${spot.x}]`;
}

/**
 * One step back, from this unit: a press that comes while another unit is being read leads nowhere.
 * @param {Scene} scene @param {UnitRef} spot
 */
export function back({ place }, spot) {
  const now = read().place;
  const here = now?.layer === place.layer && now.map === place.map && now.row === place.row && now.col === place.col;
  if (here) follow(toPlace(spot));
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
  const sum = unit.divisor === 1 ? "sum" : `sum ÷ ${unit.divisor}`;
  const result = unit.decomposition === "sum" ? sum : unit.decomposition;
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
  ].filter((row) => row !== null);
}

const LAST = { "grid-column": "-2 / -1" };
const CLIPPED = { overflow: "hidden", "text-overflow": "ellipsis", "white-space": "nowrap" };

/**
 * How wide cells are, and whether three matrices stand in a line or wrap like the words of a formula.
 * @param {Unit} unit
 */
function layoutOf(unit) {
  const [rows, columns] = unit.size ?? [1, 1];
  const full = document.documentElement.clientWidth;
  const narrow = full <= 760;
  const room = full - (narrow ? 58 : 562);
  const weighted = unit.parts.some((part) => part.filter);
  const one = rows === 1 && columns === 1;
  /** @param {number} matrices @param {number} taken */
  const across = (matrices, taken) => Math.floor(((room - taken) / matrices - 3) / columns) - 1;
  const inLine = across(weighted ? 3 : 1, 252);
  const wraps = !one && (narrow || inLine < TIGHT);
  let wide = 62;
  if (!one && !wraps) wide = Math.min(50, inLine);
  else if (!one && across(2, 44) >= 34) wide = Math.min(48, across(2, 44));
  else if (!one) wide = Math.min(44, across(1, 24));
  const tiny = Math.max(3, Math.min(8, Math.floor((room - (narrow ? 168 : 252)) / 3 / columns) - 1));
  /** @type {Styles} */
  const style = { "--n": columns, "--tiny": `${tiny}px`, ...(one ? {} : { "--c": `${wide}px` }) };
  if (wraps && !narrow)
    style["grid-template-columns"] = `minmax(0, 112px) ${weighted ? "auto 14px auto 14px " : ""}auto minmax(56px, 1fr)`;
  else if (!narrow) {
    const names = one ? unit.parts.map((part) => `${part.row}[${part.map},00,00]`.length) : [];
    const first = Math.min(300, Math.max(112, 8 * Math.max(0, ...names)));
    style["grid-template-columns"] =
      `minmax(0, ${first}px) var(--w) ${weighted ? "14px var(--w) 14px var(--w) " : ""}minmax(64px, 1fr)`;
  }
  return { kind: one ? "one" : "", style, weighted, wraps, figures: columns <= WIDEST && wide >= 28, cell: wide };
}

const FLOW = { display: "flex", "flex-wrap": "wrap", gap: "var(--s2)" };

/**
 * One channel as a row of the ledger.
 * @param {Scene} scene
 * @param {Part} part
 * @param {LedgerLayout} layout
 * @param {boolean} open
 * @param {() => void} toggle
 */
function channelRow(scene, part, layout, open, toggle) {
  const { unit } = scene;
  const one = layout.kind === "one";
  const figures = (open || one) && layout.figures;
  const flows = layout.wraps && figures;
  const kinds = layout.weighted ? KINDS : KINDS.slice(0, 1);
  const matrices = kinds.map((kind) => matrix(scene, part, kind, figures ? layout.cell : 0));
  for (const each of matrices) {
    for (const event of ["pointerover", "focusin"]) {
      each.addEventListener(event, ({ target }) => point(scene, part, matrices, /** @type {HTMLElement} */ (target)));
    }
  }
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

/**
 * "map 3", with a small picture of the map and of where the patch lies in it; a press shows the figures.
 * @param {Scene} scene @param {Part} part @param {boolean} one @param {boolean} open @param {() => void} toggle
 */
function title(scene, part, one, open, toggle) {
  const from = scene.net.byName.get(part.row);
  const [only] = part.cells.flat();
  let name = "";
  if (from && one && only) name = spotName(scene.net, only);
  else if (from) name = from.op === "image" ? channelName(from, part.map) : `map ${part.map}`;
  if (one) return el("span", { class: "from" }, el("span", { style: CLIPPED, title: name }, name));
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

/** @param {Row} image @param {number} map */
function channelName({ shape: [channels] }, map) {
  if (channels === 1) return "pixels";
  return channels === 3 ? ["red", "green", "blue"][map] : `channel ${map}`;
}

/**
 * The operand's map, with what is read of it outlined.
 * @param {Scene} scene @param {string} row @param {number} map @param {(UnitRef | null)[]} spots
 */
export function thumb(scene, row, map, spots) {
  const planes = scene.volumes.get(row);
  if (!planes) return null;
  const { data, height, width } = planes.of(map);
  const known = spots.filter((spot) => spot !== null);
  const [ys, xs] = [known.map((p) => p.y), known.map((p) => p.x)];
  const [top, left] = [Math.min(...ys), Math.min(...xs)];
  /** @param {number} n @param {number} of */
  const percent = (n, of) => `${(100 * n) / of}%`;
  const style = {
    left: percent(left, width),
    top: percent(top, height),
    width: percent(Math.max(...xs) + 1 - left, width),
    height: percent(Math.max(...ys) + 1 - top, height),
  };
  return el(
    "span",
    { class: "thumb" },
    picture(data, height, width, planes.peak),
    el("span", { class: "mark", style }),
  );
}
/**
 * One of the three matrices of a channel. In the patch every operand is a button.
 * @param {Scene} scene @param {Part} part @param {MatrixKind} kind
 * @param {number} wide  of a cell that figures are written into; 0 where none are
 */
function matrix(scene, part, kind, wide) {
  const { unit } = scene;
  const columns = unit.size?.[1] ?? 1;
  const spots = part.cells.flat();
  const first = spots.findIndex(Boolean);
  const peak = scene.peaks[kind];
  const most = decimalsIn(wide);
  const cells = (part[kind] ?? []).flat().map((value, k) => {
    const spot = spots[k];
    const outside = kind === "patch" && !spot;
    const style = outside ? {} : paint(value, peak);
    if (kind === "patch") mark(unit, k, columns, style);
    const text = outside ? padding(unit) : inCell(value, peak, most);
    const shown = { class: `cell ${outside ? "outside" : ""}`, "data-k": k, style };
    if (kind !== "patch" || !wide || !spot) return el("span", shown, wide ? text : null);
    return el(
      "button",
      {
        ...shown,
        tabindex: k === first ? 0 : -1,
        "aria-label": `${spotName(scene.net, spot)}, ${reading(unit, part, k)}. Follow.`,
        onclick: () => back(scene, spot),
      },
      text,
    );
  });
  const tight = wide > 0 && (wide < 40 || (wide < 44 && cellDecimals(peak, most) > 2));
  const grid = el(
    "div",
    {
      class: `matrix ${kind} ${wide ? "figures" : ""}`,
      style: { "--n": columns, ...(tight ? { "--t1": "11px" } : {}) },
      role: "group",
      "aria-label": kind,
    },
    ...cells,
  );
  if (kind === "patch" && wide) grid.addEventListener("keydown", (event) => roam(event, cells, columns));
  return grid;
}

/** How many decimals a cell has room for. @param {number} wide */
function decimalsIn(wide) {
  if (wide < 40) return 2;
  return wide < 44 ? 3 : 4;
}

/** What stands in a cell of the padding: a zero takes part in a sum, and in nothing else. @param {Unit} unit */
const padding = (unit) => (unit.decomposition === "sum" ? "0" : "");

/** The color of a value; what is not finite is hatched. @param {number} value @param {number} peak @returns {Styles} */
const paint = (value, peak) =>
  Number.isFinite(value)
    ? cell(value, peak)
    : { background: "repeating-linear-gradient(135deg, var(--paper) 0 3px, var(--neg-2) 3px 4px)" };

/**
 * The winner of a maximum is outlined; who has the same value is outlined too.
 * @param {Unit} unit @param {number} k @param {number} columns @param {Styles} style
 */
function mark(unit, k, columns, style) {
  /** @param {[y: number, x: number]} position */
  const here = ([y, x]) => y * columns + x === k;
  if (unit.winner && here(unit.winner)) style["box-shadow"] = MARKED.won;
  else if (unit.ties.some(here)) style["box-shadow"] = MARKED.tied;
}

/**
 * The same place lights up in all matrices, and is said in a sentence.
 * @param {Scene} scene @param {Part} part @param {HTMLElement[]} matrices @param {HTMLElement} target
 */
function point(scene, part, matrices, target) {
  if (target.dataset.k === undefined) return;
  const k = Number(target.dataset.k);
  for (const lit of document.querySelectorAll(".cell.lit")) lit.classList.remove("lit");
  for (const m of matrices) m.children[k].classList.add("lit");
  const spot = part.cells.flat()[k];
  const said = reading(scene.unit, part, k);
  scene.read(spot ? `${said}. Choose ${whole(part.patch.flat()[k])} to see what it is made of.` : `${said}.`);
}

/** One cell in full digits: what it is, and what it does. @param {Unit} unit @param {Part} part @param {number} k */
function reading(unit, part, k) {
  const value = part.patch.flat()[k];
  const padding = !part.cells.flat()[k];
  if (unit.decomposition !== "sum") {
    if (padding) return "Padding, outside the image: it is not counted";
    const columns = unit.size?.[1] ?? 1;
    /** @param {[y: number, x: number]} position */
    const here = ([y, x]) => y * columns + x === k;
    const best = `the ${unit.decomposition === "minimum" ? "smallest" : "largest"}`;
    if (unit.winner && here(unit.winner)) return `${whole(value)} is ${best}`;
    if (unit.ties.some(here)) return `${whole(value)} is ${best}, too`;
    return `${whole(value)} is not ${best}: ${whole(part.sum)} is`;
  }
  const zero = padding ? ": the 0 is padding, outside the image" : "";
  if (!part.filter) {
    const divided = unit.divisor === 1 ? "" : ` whose sum is divided by ${whole(unit.divisor)}`;
    return `${whole(value)} is one of ${unit.count} values${divided}${zero}`;
  }
  return `${whole(value)} × ${bracketed(part.filter.flat()[k])} = ${whole(part.products.flat()[k])}${zero}`;
}

/**
 * Arrow keys inside a patch; padding is stepped over.
 * @param {KeyboardEvent} event @param {HTMLElement[]} cells @param {number} columns
 */
function roam(event, cells, columns) {
  const [dy, dx] = /** @type {Record<string, number[]>} */ ({
    ArrowRight: [0, 1],
    ArrowLeft: [0, -1],
    ArrowDown: [1, 0],
    ArrowUp: [-1, 0],
  })[event.key] ?? [0, 0];
  if (!dy && !dx) return;
  event.preventDefault();
  const start = cells.indexOf(/** @type {HTMLElement} */ (document.activeElement));
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
  /** @param {MatrixKind} kind */
  const all = (kind) => peakOf(unit.parts.flatMap((part) => part[kind]?.flat() ?? []));
  /** @param {"value" | "weight" | "product"} kind */
  const listed = (kind) => peakOf(unit.terms.map((one) => one[kind]));
  const patch = Math.max(all("patch"), listed("value"), ...[...volumes].map((v) => v.peak));
  return {
    patch,
    filter: Math.max(all("filter"), listed("weight")),
    products: Math.max(all("products"), listed("product")),
  };
}
