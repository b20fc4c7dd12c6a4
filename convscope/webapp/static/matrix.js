/** Patch, filter and products as matrices whose cells are read, pointed at and followed. */

/** @import { Part, Styles, Unit, UnitRef } from "./types.js" */
/** @import { MatrixKind, Scene } from "./ledger.js" */

import { cell } from "./color.js";
import { el } from "./element.js";
import { spotName, toPlace } from "./spots.js";
import { decimalsFor, fixed, signed, whole } from "./numbers.js";
import { follow, read } from "./state.js";

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
 * One of the three matrices of a channel. In the patch every operand is a button.
 * @param {Scene} scene @param {Part} part @param {MatrixKind} kind
 * @param {number} wide  of a cell that figures are written into; 0 where none are
 */
export function matrix(scene, part, kind, wide) {
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
    if (beginsPlane(unit, k, columns)) style["margin-top"] = "4px";
    const text = outside ? padding(unit) : inCell(value, peak, most);
    const shown = { class: `cell ${outside ? "outside" : ""}`, "data-k": k, style };
    if (kind !== "patch" || !wide || !spot) return el("span", shown, wide ? text : null);
    return el(
      "button",
      {
        ...shown,
        tabindex: k === first ? 0 : -1,
        "aria-label": `${spotName(scene.net, spot)}, ${reading(unit, part, k)}. Follow ${text}.`,
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

/**
 * Whether a cell is in the first row of a plane, but not of the first: of a window with three axes.
 * @param {Unit} unit @param {number} k @param {number} columns
 */
const beginsPlane = ({ window: sides }, k, columns) =>
  sides?.length === 3 && k >= columns && Math.floor(k / columns) % sides[1] === 0;

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
export function point(scene, part, matrices, target) {
  if (target.dataset.k === undefined) return;
  const k = Number(target.dataset.k);
  for (const lit of document.querySelectorAll(".cell.lit[data-k]")) lit.classList.remove("lit");
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
