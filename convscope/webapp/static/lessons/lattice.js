/** A grid of numbers: cells to edit, choose or read, with windows drawn over them. */

/** @import { Styles } from "../types.js" */
/** @import { Lattice, WindowOver } from "./types.js" */

import { cell } from "../color.js";
import { el, svg } from "../element.js";
import { decimalsFor, fixed } from "../numbers.js";
import { numberInput } from "./number_field.js";

const MOST = 1e6; // of a number that can be typed; Python refuses more

/**
 * The cell of each grid that Tab focuses: the one that last had the focus, by the grid's label.
 * @type {Map<string, number>}
 */
const stops = new Map();

/** A grid of numbers. Tab leads to one cell of it, the arrow keys to the others. @param {Lattice} how */
export function lattice(how) {
  const { columns, values, label } = how;
  const decimals = how.decimals ?? decimalsOf(values.map((v) => v ?? 0));
  const [marked, missed, outside] = [new Set(how.marked), new Set(how.missed), new Set(how.outside)];
  const texts = values.map((value) => (value === null ? "" : fixed(value, decimals)));
  const corners = values.map((_, place) => how.corner?.(place) ?? null);
  const cells = values.map((value, place) => {
    const [row, column] = [Math.floor(place / columns), place % columns].map((at) => fixed(at + (how.first ?? 0), 0));
    const kind = [
      "slot",
      marked.has(place) && "in",
      missed.has(place) && "missed",
      (outside.has(place) || value === null) && "outside",
    ]
      .filter(Boolean)
      .join(" ");
    const color = how.paint && value !== null && !outside.has(place) ? cell(value, how.paint) : {};
    const part = inner(
      outside.has(place) ? { ...how, edit: undefined } : how,
      place,
      value,
      texts[place],
      `${label} row ${row}, column ${column}`,
      color,
      marked.has(place),
    );
    return el("span", { class: kind, "data-times": corners[place] }, part);
  });
  const longest = Math.max(0, ...texts.map((text) => text.length), ...corners.map((text) => 0.9 * (text?.length ?? 0)));
  /** @type {HTMLElement} */
  const node = el(
    "div",
    {
      class: `lattice ${how.size ?? ""}`,
      role: "group",
      "aria-label": label,
      style: { "--n": String(columns), "--chars": String(longest) },
      onkeydown: (/** @type {KeyboardEvent} */ event) => walk(event, columns),
      onfocusin: (/** @type {FocusEvent} */ event) => stopAt(node, label, event.target),
    },
    ...cells,
  );
  const ways = [...node.querySelectorAll("input, button")];
  const held = cells[stops.get(label) ?? how.marked?.[0] ?? 0]?.querySelector("input, button");
  for (const one of ways) one.setAttribute("tabindex", one === (held ?? ways[0]) ? "0" : "-1");
  return node;
}

/**
 * Make Tab return to the cell that has the focus now.
 * @param {HTMLElement} node @param {string} label @param {EventTarget | null} target
 */
function stopAt(node, label, target) {
  if (!(target instanceof Element) || !target.parentElement) return;
  stops.set(label, [...node.children].indexOf(target.parentElement));
  for (const one of node.querySelectorAll("input, button")) one.setAttribute("tabindex", one === target ? "0" : "-1");
}

/**
 * @param {Lattice} how
 * @param {number} place
 * @param {number | null} value
 * @param {string} text
 * @param {string} name
 * @param {Styles} color
 * @param {boolean} pressed
 */
function inner(how, place, value, text, name, color, pressed) {
  const { edit, choose } = how;
  if (edit && value !== null) return field(value, text, name, color, (next) => edit(place, next));
  if (choose && value !== null) {
    return el(
      "button",
      {
        class: "cell",
        style: color,
        "aria-label": `${name}: ${text}`,
        "data-focus": name,
        "aria-pressed": String(pressed),
        title: plain(value),
        onclick: () => choose(place),
      },
      text,
    );
  }
  return el("span", { class: "cell", style: color, title: value === null ? null : plain(value) }, text);
}

/** A number in full, with a true minus. @param {number} value */
const plain = (value) => String(value).replace("-", "−");

/**
 * The smallest number of decimals that shows all of these numbers, limited by the largest.
 * @param {number[]} values
 */
export function decimalsOf(values) {
  const peak = Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
  const most = Math.max(2, decimalsFor(values, 2));
  for (let decimals = 0; decimals < most; decimals++)
    if (values.every((v) => !Number.isFinite(v) || Math.abs(v - Number(v.toFixed(decimals))) <= 1e-9 * peak))
      return decimals;
  return most;
}

/**
 * A number field; incomplete input is kept while typing and discarded on blur.
 * @param {number} value
 * @param {string} text
 * @param {string} name
 * @param {Styles} color
 * @param {(value: number) => void} set
 */
function field(value, text, name, color, set) {
  return numberInput(
    name,
    value,
    { low: -MOST, high: MOST, set },
    {
      class: "cell",
      value: text,
      style: color,
      onfocus: ({ target }) => {
        if (Number(text.replace("−", "-")) !== value) target.value = plain(value);
        target.select();
      },
    },
  );
}

/**
 * Move with the arrow keys from cell to cell; in a field ← and → only at its ends.
 * @param {KeyboardEvent} event @param {number} columns
 */
function walk(event, columns) {
  const by = /** @type {Record<string, number>} */ ({
    ArrowUp: -columns,
    ArrowDown: columns,
    ArrowLeft: -1,
    ArrowRight: 1,
  })[event.key];
  const from = event.target instanceof Element ? event.target.closest(".slot") : null;
  if (!by || !from || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const field = event.target instanceof HTMLInputElement ? event.target : null;
  const aside = event.key === "ArrowLeft" || event.key === "ArrowRight";
  if (field && aside && staysInside(field, by)) return;
  const all = [...(from.parentElement?.children ?? [])];
  const place = all.indexOf(from);
  if (aside && Math.floor(place / columns) !== Math.floor((place + by) / columns)) return;
  const to = /** @type {HTMLElement | null | undefined} */ (all[place + by]?.querySelector("input, button"));
  if (!to) return;
  event.preventDefault();
  to.focus();
}

/**
 * Does an arrow key move the caret within this field, and not to the next cell?
 * @param {HTMLInputElement} field @param {number} by
 */
function staysInside({ value, selectionStart, selectionEnd }, by) {
  const [start, end] = [selectionStart ?? 0, selectionEnd ?? 0];
  if (start === 0 && end === value.length) return false;
  return by < 0 ? start > 0 : end < value.length;
}

/** A list with another number at one place. @param {number[]} list @param {number} place @param {number} value */
export const put = (list, place, value) => list.map((old, i) => (i === place ? value : old));

/**
 * A grid with windows drawn over it.
 * @param {HTMLElement} grid @param {number} side  cells along each axis
 * @param {WindowOver[]} windows  the chosen one, one to come, the corner where one begins
 */
export function windowed(grid, side, windows) {
  /** @param {WindowOver} window */
  const shape = ({ row, column, size, kind }, as = String(kind)) =>
    kind === "start"
      ? svg("path", { class: "begin", d: `M${column + 0.06} ${row + 0.34} V${row + 0.06} H${column + 0.34}` })
      : svg("rect", { class: `frame-of ${as}`, x: column, y: row, width: size, height: size });
  const halo = windows.filter(({ kind }) => kind === "now").map((window) => shape(window, "now halo"));
  return el(
    "div",
    { class: "windowed" },
    grid,
    svg(
      "svg",
      { viewBox: `0 0 ${side} ${side}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      ...halo,
      ...windows.map((window) => shape(window)),
    ),
  );
}
