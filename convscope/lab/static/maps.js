/** A layer's maps, ranked by a question; never a bare wall. */

/** @import { LabImage, Network, Ranking, Row, State } from "./types.js" */

import { filters, scores, volume as volumeOf } from "./api.js";
import { cell, picture } from "./color.js";
import { el } from "./element.js";
import { replaceChildren } from "./focus.js";
import { count, fixed, several, signed, volume, whole } from "./numbers.js";
import { go } from "./state.js";

/** @typedef {"strongest" | "distance_from_mean" | "importance" | "correlated"} Question */
/** @typedef {{height: number, width: number, data: Float32Array}} Plane */
/**
 * Maps of a layer on one scale: the largest finite magnitude, the lowest value, how many are not finite, and whether
 * all
 * maps of the layer were read.
 * @typedef {{peak: number, lowest: number, strange: number, all: boolean, of: (map: number) => Plane}} Planes
 */
/**
 * What a question says of a layer's maps; `order` where it is not the score's.
 * @typedef {Ranking & {order?: number[]}} RankedMaps
 */
/**
 * @typedef {{net: Network, image: LabImage, row: Row, rank: Question, picked: RankedMaps, beside: string}} MapsScene
 * @typedef {MapsScene & {held: Planes[], peak: number, vector: boolean}} CardScene
 */

/** @type {Record<Question, {ask: string, unit: string, say: (score: number) => string}>} */
const QUESTIONS = {
  strongest: { ask: "Which are strongest?", unit: "mean magnitude", say: (v) => fixed(v, 3) },
  distance_from_mean: {
    ask: "Which are most unusual?",
    unit: "distance from the mean of the other images",
    say: (v) => fixed(v, 3),
  },
  importance: {
    ask: "Which matter most for the prediction?",
    unit: "gradient × activation, summed over the map",
    say: (v) => signed(v, 2),
  },
  correlated: { ask: "Which are correlated?", unit: "correlation of 0.9 or more", say: () => "" },
};
const FIRST = { maps: 12, units: 48 }; // cards before "Show the other"
const MORE = 120; // cards that one press adds: a stage holds 2,000 elements
const WHOLE = 4_000_000; // values of a volume up to which all of it is fetched
const FILTERED = 6; // input channels up to which a filter is drawn
let unfolded = { layer: "", cards: 0 };

/**
 * The screen of one layer.
 * @param {Network} net @param {LabImage} image @param {State} state
 * @returns {Promise<Node[]>}
 */
export async function mapsScreen(net, image, state) {
  const row = net.byName.get(state.layer);
  if (!row) return [note(`${net.title} has no layer called ${state.layer}. Choose one in the strip above.`)];
  const head = el("div", {}, el("h2", {}, row.name), el("p", { class: "lead" }, sentence(row, net)));
  const rank = state.rank in QUESTIONS ? /** @type {Question} */ (state.rank) : "strongest";
  const picked = row.op === "image" ? everyChannel(row) : await scores(net.id, image.id, row.name, rank);
  const scene = { net, image, row, rank, picked, beside: row.op === "image" ? "" : state.beside };
  const [legends, body] = [
    el("div", { class: "row spread" }),
    el("div", { style: { display: "grid", gap: "var(--s4)" } }),
  ];
  await show(scene, legends, body);
  return [head, row.op === "image" ? null : questions(rank), legends, body].filter((node) => node !== null);
}

/** @param {string} text */
const note = (text) => el("p", { class: "note" }, text);

/** @param {Row} row @returns {RankedMaps} */
const everyChannel = (row) => ({
  rank: "",
  scores: null,
  dead: [],
  groups: [],
  note: "",
  order: [...Array(row.shape[0]).keys()],
});

/** @param {Question} rank */
const questions = (rank) =>
  el(
    "div",
    { class: "row", role: "group", "aria-label": "Rank the maps by a question" },
    ...Object.entries(QUESTIONS).map(([name, q]) =>
      el("button", { class: "pill", "aria-pressed": String(name === rank), onclick: () => go({ rank: name }) }, q.ask),
    ),
  );

/**
 * The layer in a sentence: what it does, what a unit sees, what it has learned.
 * @param {Row} row @param {Network} net
 */
function sentence(row, net) {
  const [image] = net.rows;
  if (row.op === "image") return `What the network reads: ${volume(row.shape)}, every byte normalized.`;
  const [high, wide] = row.receptive_field.map((size, axis) => Math.min(size, image.shape[axis + 1]));
  const sees = row.receptive_field.length
    ? ` Each unit sees ${row.exact ? "" : "at most "}${high}×${wide ?? 1} pixels.`
    : "";
  const after = row.activation ? `, then ${row.activation}` : "";
  const learned = row.parameters ? `${count(row.parameters)} parameters.` : "Nothing to learn.";
  return `${what(row, net)} → ${volume(row.shape)}${after}.${sees} ${learned}`;
}

/** What the operation does, and to what. @param {Row} row @param {Network} net */
function what(row, net) {
  const from = net.byName.get(row.inputs[0]);
  const size = (row.kernel ?? []).join("×");
  const stride = row.stride ? `, stride ${same(row.stride)}` : "";
  const pooled = row.kernel ? ` of each ${size} window${stride}` : " of each map";
  const [inputs, high, wide] = from?.shape ?? [0, 0, 0];
  switch (row.op) {
    case "conv": {
      const over = several(inputs, from?.op === "image" ? "channel" : "map");
      return `${several(row.filters ?? row.shape[0], "filter")} of ${size} over ${over}${stride}${padding(row)}`;
    }
    case "dense":
      return `${several(row.shape[0], "unit")}, each connected to all ${count(inputs * high * wide)} inputs`;
    case "maxpool":
      return `The largest value${pooled}`;
    case "minpool":
      return `The smallest value${pooled}`;
    case "avgpool":
    case "mean":
      return `The mean${pooled}`;
    case "add":
      return `The sum of ${row.inputs.join(" and ")}`;
    case "mul":
      return `The product of ${row.inputs.join(" and ")}`;
    case "concat":
      return `${row.inputs.length} volumes stacked along the channels: ${row.inputs.join(", ")}`;
    default: {
      const of = row.inputs.length ? ` of ${row.inputs.join(", ")}` : "";
      return `${row.type[0].toUpperCase()}${row.type.slice(1)}${of}`;
    }
  }
}

/** @param {number[]} sizes */
const same = (sizes) => (sizes.every((side) => side === sizes[0]) ? String(sizes[0]) : sizes.join("×"));

/** @param {Row} row */
function padding(row) {
  if (row.padding?.some(Boolean)) return `, padding ${same(row.padding)}`;
  return row.kernel ? ", no padding" : "";
}

/** Is this a layer whose units stand for the classes? @param {Row} row @param {Network} net */
const namesClasses = ({ op, shape }, { classes }) =>
  ["dense", "softmax"].includes(op) && shape[1] * shape[2] === 1 && classes?.length === shape[0];

/**
 * The maps in the order of the question, as many as are unfolded. Units that stand for classes come likeliest first.
 * @param {MapsScene} scene @param {boolean} vector @param {Planes | null} values  of all units, where these are classes
 */
function ranked({ row, picked }, vector, values) {
  const found = picked.scores?.map(number) ?? null;
  const strength = (found ?? []).map((score, c) => (values ? values.of(c).data[0] : size(score)));
  const order = picked.order ?? [...strength.keys()].sort((a, b) => strength[b] - strength[a] || a - b);
  const dead = new Set(found || picked.order ? picked.dead : []);
  const alive = order.filter((c) => !dead.has(c));
  const first = vector ? FIRST.units : FIRST.maps;
  const most = unfolded.layer === row.name ? unfolded.cards : first;
  return { found, alive, dead: [...dead], shown: alive.slice(0, most) };
}

/** Beyond all numbers comes first. @param {number} score */
const size = (score) => (Number.isNaN(score) ? Infinity : Math.abs(score));

/**
 * Fill the stage, and again when more is asked for.
 * @param {MapsScene} scene @param {HTMLElement} legends @param {HTMLElement} body @returns {Promise<void>}
 */
async function show(scene, legends, body) {
  const { net, image, row, rank, picked } = scene;
  const vector = row.shape[1] * row.shape[2] === 1;
  const byValue = rank === "strongest" && namesClasses(row, net);
  const values = byValue ? await planes(net, image.id, row) : null;
  const { found, alive, dead, shown } = ranked(scene, vector, values);
  const wanted = rank === "correlated" ? picked.groups.flat() : shown;
  const held = [await planes(net, image.id, row, wanted)];
  const sorry =
    scene.beside &&
    (await planes(net, scene.beside, row, wanted).then(
      (v) => void held.push(v),
      (error) => error.message,
    ));
  const peak = Math.max(...held.map((v) => v.peak));
  /** @param {number} c */
  const card = (c) => mapCard({ ...scene, held, peak, vector }, c, found ? found[c] : null);
  const pairs = held.length > 1 ? "pairs" : "";
  const cells = namesClasses(row, net) && net.classes.some((name) => name.length > 8) ? "cells classes" : "cells";
  /** @param {number[]} maps */
  const grid = (maps) => el("div", { class: `maps ${vector ? cells : pairs}` }, ...maps.map(card));
  /** @param {number} cards */
  const again = (cards) => {
    unfolded = { layer: row.name, cards };
    return show(scene, legends, body);
  };
  legends.replaceChildren(
    legend(
      peak,
      held.some((v) => v.lowest < 0),
      held[0].all ? "" : "of the maps shown",
    ),
    beside(scene) ?? "",
  );
  replaceChildren(
    body,
    ...(sorry ? [note(sorry)] : []),
    ...odd(held[0]),
    ...(rank === "correlated" && row.op !== "image"
      ? correlated(picked, grid)
      : [found || picked.order ? grid(shown) : note(picked.note)]),
    ...folded(scene, dead),
    foot(scene, { alive, shown, vector, again }),
  );
}

/** @param {Planes} planes */
const odd = ({ strange }) =>
  strange ? [note(`${count(strange)} of these values are not finite; they are not colored.`)] : [];

/**
 * Groups that go up and down together, or a sentence when there are none.
 * @param {RankedMaps} ranking @param {(maps: number[]) => HTMLElement} grid
 */
function correlated({ groups, note: why }, grid) {
  if (!groups.length)
    return [
      note(
        why || "No two maps have a correlation of 0.9 or more on this image: every filter finds something different.",
      ),
    ];
  return groups.map((group, place) =>
    el("section", { class: "card correlated" }, el("h3", {}, `Group ${place + 1}: ${group.length} maps`), grid(group)),
  );
}

/** What is zero everywhere is named and not shown. @param {MapsScene} scene @param {number[]} dead */
function folded({ row, image }, dead) {
  if (!dead.length) return [];
  const vector = row.shape[1] * row.shape[2] === 1;
  const said =
    dead.length === 1 ? `1 dead ${vector ? "unit" : "map"}` : `${count(dead.length)} dead ${vector ? "units" : "maps"}`;
  /** @param {number} c */
  const open = (c) => go({ place: { layer: row.name, map: c, row: 0, col: 0 }, trail: [] });
  const names = dead
    .slice(0, 400)
    .map((c) =>
      el("button", { class: "quiet", "aria-label": `Open map ${c}, which is dead`, onclick: () => open(c) }, String(c)),
    );
  const list = el(
    "div",
    { class: "row", style: { "margin-top": "var(--s2)" } },
    ...names,
    dead.length > 400 ? `and ${count(dead.length - 400)} more` : null,
  );
  return [el("details", { class: "card" }, el("summary", {}, `${said}, zero everywhere on ${image.title}`), list)];
}

/**
 * What is not shown is counted; the number on a card is defined.
 * @param {MapsScene} scene
 * @param {{alive: number[], shown: number[], vector: boolean, again: (cards: number) => void}} cards
 */
function foot({ rank, picked, row }, { alive, shown, vector, again }) {
  if (rank === "correlated" && row.op !== "image")
    return el("p", { class: "caption" }, "Correlated maps find the same pattern; pruning can remove one of them.");
  const first = vector ? FIRST.units : FIRST.maps;
  const hidden = alive.length - shown.length;
  const step = Math.min(hidden, MORE);
  const more = hidden
    ? el(
        "button",
        { class: "pill unfold", "data-focus": "more", onclick: () => again(shown.length + step) },
        step === hidden ? `Show the other ${count(hidden)}` : `Show ${step} of the other ${count(hidden)}`,
      )
    : null;
  const less =
    shown.length > first
      ? el("button", { class: "pill", "data-focus": "less", onclick: () => again(first) }, `Only the first ${first}`)
      : null;
  const said =
    row.op === "image" || !picked.scores
      ? ""
      : `Number: ${QUESTIONS[rank].unit}. ${picked.note ?? ""} ` +
        `${picked.dead.length ? "" : "None is dead on this image."}`;
  return el("div", { class: "row" }, more, less, el("p", { class: "caption" }, said));
}

/**
 * One map: its picture, its name, what the question says of it. A click opens the unit under the pointer.
 * @param {CardScene} scene @param {number} c @param {number | null} score
 */
function mapCard(scene, c, score) {
  const { net, row, rank, held, peak, vector } = scene;
  const views = held.map((v) => v.of(c));
  const [first] = views;
  /** @param {number} index */
  const open = (index) =>
    go({
      place: { layer: row.name, map: c, row: Math.floor(index / first.width), col: index % first.width },
      trail: [],
    });
  /** @param {MouseEvent} event */
  const pick = (event) => {
    const view = event.target instanceof Element ? event.target.closest(".view") : null;
    if (!view || event.detail === 0) return open(strongest(first.data));
    const box = view.getBoundingClientRect();
    const [y, x] = [
      ((event.clientY - box.top) / box.height) * first.height,
      ((event.clientX - box.left) / box.width) * first.width,
    ];
    return open(Math.min(first.height - 1, Math.floor(y)) * first.width + Math.min(first.width - 1, Math.floor(x)));
  };
  const name = title(net, row, c);
  const shown = vector
    ? views.map((v) => el("span", { class: "one", style: cell(v.data[0], peak) }, fixed(v.data[0], 2)))
    : views.map((v) => el("span", { class: "view" }, picture(v.data, v.height, v.width, peak)));
  const ranked = score === null ? "" : `, ${QUESTIONS[rank].unit} ${whole(score)}`;
  const said = score === null || vector ? null : el("data", { title: whole(score) }, QUESTIONS[rank].say(score));
  return el(
    "button",
    {
      class: "map",
      onclick: pick,
      title: "Open the unit that you point at",
      "aria-label": `${name}${ranked}. Open its strongest unit.`,
    },
    el("span", { class: "views" }, ...shown),
    filterHolder(scene, c),
    el(
      "span",
      { class: "name" },
      el(
        "b",
        { title: name, style: { overflow: "hidden", "text-overflow": "ellipsis", "white-space": "nowrap" } },
        name,
      ),
      said,
    ),
  );
}

/**
 * "map 3", "unit 3", or the class that a unit of the answer stands for.
 * @param {Network} net @param {Row} row @param {number} c
 */
function title(net, row, c) {
  if (row.op === "image") return row.shape[0] === 3 ? ["red", "green", "blue"][c] : `channel ${c}`;
  if (namesClasses(row, net)) return net.classes[c];
  return row.shape[1] * row.shape[2] === 1 ? `unit ${c}` : `map ${c}`;
}

/** @param {Float32Array} data */
const strongest = (data) => data.reduce((best, v, i) => (Math.abs(v) > Math.abs(data[best]) ? i : best), 0);

/**
 * The filter below its map, where it has few enough channels to be read; it arrives after the map.
 * @param {MapsScene} scene @param {number} c
 */
function filterHolder({ net, image, row }, c) {
  const from = net.byName.get(row.inputs[0]);
  if (row.op !== "conv" || !from || from.shape[0] > FILTERED) return null;
  const holder = el("span", { class: "filters", "aria-hidden": "true" });
  filters(net.id, image.id, row.name, c).then(
    ({ size: [high, wide], channels }) => {
      const values = channels.map((channel) => channel.flat().map(number));
      const peak = scan(values.flat()).peak;
      holder.replaceChildren(...values.map((one) => picture(one, high, wide, peak)));
    },
    () => holder.remove(),
  );
  return holder;
}

/** Another image's maps beside these. @param {MapsScene} scene */
function beside({ net, image, row, beside: chosen }) {
  const others = net.images.filter((other) => other.id !== image.id);
  if (!others.length || row.op === "image") return null;
  return el(
    "select",
    {
      class: "pill",
      "aria-label": "Compare with another image",
      onchange: (event) => go({ beside: event.target.value }),
    },
    el("option", { value: "" }, chosen ? "Compare with none" : "Compare with…"),
    ...others.map((other) => el("option", { value: other.id, selected: other.id === chosen }, other.title)),
  );
}

/**
 * A volume, or these maps of it, and its scale: the largest finite magnitude.
 * @param {Network} net @param {string} image @param {Row} row
 * @param {number[]} [maps]  where the whole would be too much
 * @returns {Promise<Planes>}
 */
export async function planes(net, image, row, maps, most = WHOLE) {
  const [c, height, width] = row.shape;
  const all = c * height * width <= most;
  const { data } =
    all || maps?.length
      ? await volumeOf(net.id, image, row.name, all ? undefined : maps)
      : { data: new Float32Array() };
  /** @param {number} map */
  const of = (map) => {
    const start = (all ? map : (maps ?? []).indexOf(map)) * height * width;
    return { height, width, data: data.subarray(start, start + height * width) };
  };
  return { ...scan(data), all, of };
}

/** The largest finite magnitude, the lowest value, and how many are not finite. @param {ArrayLike<number>} values */
export function scan(values) {
  let [peak, lowest, strange] = [0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (!Number.isFinite(v)) strange += 1;
    else {
      if (v < lowest) lowest = v;
      if (Math.abs(v) > peak) peak = Math.abs(v);
    }
  }
  return { peak, lowest, strange };
}

/** @type {Record<string, number>} */
const WORDS = { nan: NaN, inf: Infinity, "-inf": -Infinity };

/** A number as the server sends it: what is no number comes as a word. @param {number | string} v */
export const number = (v) => (typeof v === "string" ? WORDS[v] : v);

/** The scale, in words and colors; zero is the paper. @param {number} peak */
export function legend(peak, both = true, of = "") {
  const stops = both
    ? ["neg-4", "neg-3", "neg-2", "neg-1", "zero", "pos-1", "pos-2", "pos-3", "pos-4"]
    : ["zero", "pos-1", "pos-2", "pos-3", "pos-4"];
  const decimals = peak && peak < 0.01 ? 4 : 2;
  return el(
    "div",
    { class: "legend", role: "img", "aria-label": `Scale from ${both ? whole(-peak) : 0} to ${whole(peak)}` },
    el("data", {}, both ? fixed(-peak, decimals) : "0"),
    el(
      "span",
      { class: "ramp", style: { background: `linear-gradient(90deg, ${stops.map((s) => `var(--${s})`).join(",")})` } },
      both ? el("i", {}, "0") : null,
    ),
    el("data", {}, signed(peak, decimals)),
    of || null,
  );
}
