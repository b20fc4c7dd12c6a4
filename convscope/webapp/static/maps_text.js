/** What is said of a layer in words: what it does, what a unit of it sees, and what its maps can be asked. */

/** @import { LabImage, Network, Ranking, Row } from "./types.js" */
/** @import { Planes } from "./planes.js" */

import { count, fixed, several, signed, volume } from "./numbers.js";

/** @typedef {"strongest" | "distance_from_mean" | "importance" | "correlated"} RankQuestion */
/**
 * What a question says of a layer's maps; `order` where it is not the score's; `over` says over which images groups were
 * found, where these are not of the open image.
 * @typedef {Ranking & {order?: number[], over?: string}} RankedMaps
 */
/**
 * @typedef {{net: Network, image: LabImage, row: Row, rank: RankQuestion, picked: RankedMaps, beside: string}} MapsScene
 * @typedef {MapsScene & {held: Planes[], peak: number, vector: boolean}} CardScene
 */

/** @type {Record<RankQuestion, {ask: string, unit: string, say: (score: number) => string}>} */
export const QUESTIONS = {
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

/**
 * The layer in a sentence: what it does, what a unit sees, what it has learned.
 * @param {Row} row @param {Network} net
 */
export function sentence(row, net) {
  const [image] = net.rows;
  if (row.op === "image") return `What the network reads: ${volume(row.axes)}, every byte normalized.`;
  const [high, wide] = row.receptive_field.map((size, axis) => Math.min(size, image.shape[axis + 1]));
  const sees = row.receptive_field.length
    ? ` Each unit sees ${row.exact ? "" : "at most "}${high}×${wide ?? 1} pixels.`
    : "";
  const after = row.activation ? `, then ${row.activation}` : "";
  const learned = row.parameters ? `${count(row.parameters)} parameters.` : "Nothing to learn.";
  return `${what(row, net)} → ${volume(row.axes)}${after}.${sees} ${learned}`;
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

/** A layer that has only a number for a name is called by its type, too. @param {Row} row */
export const titleOf = (row) => (/^\d+$/.test(row.name) ? `${row.name} (${row.type})` : row.name);

/** Is this a layer whose units stand for the classes? @param {Row} row @param {Network} net */
export const namesClasses = ({ name, op, shape }, { answer, classes }) =>
  name === answer || (["dense", "softmax"].includes(op) && shape[1] * shape[2] === 1 && classes?.length === shape[0]);

/** The class that a unit stands for: a single one, for the second of two. @param {Row} row @param {Network} net @param {number} map */
export const className = ({ shape }, { classes }, map) => classes[shape[0] === 1 ? classes.length - 1 : map];
