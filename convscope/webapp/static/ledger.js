/** Patch × filter = products, channel by channel: cells that can be read, pointed at and followed. */

/** @import { LabImage, Network, Part, Position, Row, Styles, Unit, UnitRef } from "./types.js" */
/** @import { Planes } from "./planes.js" */

import { peakOf, picture } from "./color.js";
import { el } from "./element.js";
import { figure, matrix, point } from "./matrix.js";
import { spotName } from "./spots.js";
import { fixed, signed, whole } from "./numbers.js";

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
    thumb(scene, part.row, part.map, part.cells.flat(), planesOf(scene.unit)),
  );
}

/** @param {Row} image @param {number} map */
function channelName({ shape: [channels] }, map) {
  if (channels === 1) return "pixels";
  return channels === 3 ? ["red", "green", "blue"][map] : `channel ${map}`;
}

/** How many planes a window has. @param {Unit} unit */
const planesOf = ({ window: sides }) => (sides?.length === 3 ? sides[0] : 1);

/**
 * The operand's map, with what is read of it outlined, plane by plane.
 * @param {Scene} scene @param {string} row @param {number} map @param {(UnitRef | null)[]} spots
 * @param {number} [count] of planes
 */
export function thumb(scene, row, map, spots, count = 1) {
  const planes = scene.volumes.get(row);
  if (!planes) return null;
  const { data, height, width } = planes.of(map);
  /** @param {number} n @param {number} of */
  const percent = (n, of) => `${(100 * n) / of}%`;
  const marks = Array.from({ length: count }, (_, plane) => {
    const each = spots.length / count;
    const known = spots
      .slice(plane * each, (plane + 1) * each)
      .filter((spot) => spot !== null)
      .filter((spot) => spot.row === row && spot.map === map);
    if (!known.length) return null;
    const [ys, xs] = [known.map((p) => p.y), known.map((p) => p.x)];
    const [top, left] = [Math.min(...ys), Math.min(...xs)];
    const style = {
      left: percent(left, width),
      top: percent(top, height),
      width: percent(Math.max(...xs) + 1 - left, width),
      height: percent(Math.max(...ys) + 1 - top, height),
    };
    return el("span", { class: "mark", style });
  });
  return el("span", { class: "thumb" }, picture(data, height, width, planes.peak), ...marks);
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
