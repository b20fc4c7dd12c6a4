/**
 * Where each volume of a network is drawn. Sides and channels are to one scale each, left to right in the
 * order of computation; branches lie above each other; a closed block is one box, and so is a run of blocks
 * that are alike. A vector (1×1) stands upright, on a scale of its own.
 *
 * @typedef {{key: string, row: Row, members: Row[], blocks: string[], sources: Box[], fork?: number, column: number,
 *   lane: number, wide: number, high: number, depth: number, x: number, y: number}} Box
 * @typedef {{from: Box, to: Box, skip: boolean, over: Box[]}} Wire
 * @typedef {{boxes: Box[], wires: Wire[], width: number, height: number, pixel: number, channel: number}} Layout
 */

/** @import { Row } from "./types.js" */

export const SLANT = { x: 0.85, y: -0.38 }; // how one unit of depth is drawn
const LEAST = 5; // nothing is drawn smaller than this

/**
 * @param {Row[]} rows
 * @param {{tall: number, deep: number, gap: number, open: string[], collapse: boolean}} wish
 *   tall and deep: points for the largest side and for the most channels
 * @returns {Layout}
 */
export function layout(rows, { tall, deep, gap, open, collapse }) {
  const { boxes, owner } = gather(rows, open, collapse);
  /** @param {boolean} vector */
  const longest = (vector) =>
    Math.max(1, ...rows.filter((r) => (r.shape[1] * r.shape[2] === 1) === vector).map((r) => r.shape[0]));
  const pixel = tall / Math.max(...rows.map((r) => Math.max(r.shape[1], r.shape[2] / 2)));
  const channel = deep / longest(false);
  for (const box of boxes) {
    const [c, h, w] = box.row.shape;
    const vector = h * w === 1;
    box.wide = vector ? 9 : Math.max(LEAST, w * pixel);
    box.high = vector ? Math.max(4 * LEAST, (c / longest(true)) * tall * 0.8) : Math.max(LEAST, h * pixel);
    box.depth = vector ? 0 : Math.max(1.5, c * channel);
  }
  const wires = wire(boxes, owner);
  lanes(boxes, wires);
  place(boxes, gap);
  const top = Math.min(...boxes.map((b) => b.y + b.depth * SLANT.y)) - (wires.some((w) => w.skip) ? 14 : 0) - 2;
  for (const box of boxes) box.y -= top;
  const width = Math.max(...boxes.map((b) => b.x + b.wide + b.depth * SLANT.x));
  return { boxes, wires, width, height: Math.max(...boxes.map((b) => b.y + b.high)), pixel, channel };
}

/**
 * The same, made small enough for the room that there is, down to a third.
 * @param {Row[]} rows
 * @param {{tall: number, deep: number, gap: number, open: string[], collapse: boolean}} wish
 * @param {number} room
 */
export function fitted(rows, wish, room) {
  let plan = layout(rows, wish);
  for (let factor = 0.95; factor > 0.35 && plan.width > room; factor -= 0.05)
    plan = layout(rows, { ...wish, tall: wish.tall * factor, deep: wish.deep * factor });
  return plan;
}

/**
 * One box for each row, for each closed block, for each run of closed blocks that are alike.
 * @param {Row[]} rows
 * @param {string[]} open
 * @param {boolean} collapse
 * @returns {{boxes: Box[], owner: Map<string, Box>}}
 */
export function gather(rows, open, collapse) {
  /** @type {Box[]} */
  const boxes = [];
  const owner = new Map();
  const empty = { column: 0, lane: 0, wide: 0, high: 0, depth: 0, x: 0, y: 0 };
  const looks = new Map();
  for (const r of rows) looks.set(r.block, `${looks.get(r.block) ?? ""};${[r.op, r.shape, r.kernel, r.stride]}`);
  /** @param {Row} row */
  const alike = (row) => looks.get(row.block);
  /** Does this block go onto the stack of equal blocks of its stage before it? @param {Box} last @param {Row} row */
  const stacks = (last, row) =>
    last.blocks.length > 0 &&
    row.stage !== "" &&
    row.stage === last.row.stage &&
    !open.includes(`${row.stage}.*`) &&
    alike(last.row) === alike(row);
  for (const row of rows) {
    const closed = collapse && row.block !== "" && !open.includes(row.block);
    const last = boxes.at(-1);
    if (last && closed && (last.blocks.includes(row.block) || stacks(last, row))) {
      if (!last.blocks.includes(row.block)) last.blocks.push(row.block);
      last.row = row;
      last.members.push(row);
      owner.set(row.name, last);
    } else {
      /** @type {Box} */
      const box = { ...empty, key: row.name, row, members: [row], sources: [], blocks: closed ? [row.block] : [] };
      boxes.push(box);
      owner.set(row.name, box);
    }
  }
  return { boxes, owner };
}

/**
 * Who feeds whom; a skip passes over at least one column.
 * @param {Box[]} boxes @param {Map<string, Box>} owner @returns {Wire[]}
 */
function wire(boxes, owner) {
  /** @type {Wire[]} */
  const wires = [];
  for (const to of boxes) {
    const sources = to.members.flatMap((row) => row.inputs).map((name) => owner.get(name));
    to.sources = [...new Set(sources)].filter((box) => box !== undefined).filter((box) => box !== to);
    to.column = Math.max(0, ...to.sources.map((s) => s.column + 1));
    for (const from of to.sources) wires.push({ from, to, skip: false, over: [] });
  }
  return wires;
}

/**
 * Branches get lanes around the line that they left; what jumps along a lane goes over it.
 * @param {Box[]} boxes @param {Wire[]} wires
 */
function lanes(boxes, wires) {
  const taken = new Set();
  /** @type {Map<Box, Box[]>} */
  const heads = new Map();
  for (const box of boxes) {
    if (box.sources.length === 1) heads.set(box.sources[0], [...(heads.get(box.sources[0]) ?? []), box]);
  }
  for (const box of boxes) {
    const [source] = box.sources;
    const fellows = heads.get(source) ?? [];
    if (box.sources.length > 1)
      box.lane = box.sources.find((s) => s.fork !== undefined)?.fork ?? Math.max(...box.sources.map((s) => s.lane));
    else if (source) {
      const at = fellows.indexOf(box);
      // Two branches: the first stays on the line, the second goes above it. More are spread around the line.
      if (fellows.length < 2) box.lane = source.lane;
      else if (fellows.length === 2) box.lane = source.lane - at;
      else box.lane = source.lane + at - (fellows.length - 1) / 2;
      box.fork = fellows.length > 1 ? source.lane : source.fork;
    }
    for (let k = 1; taken.has(`${box.column} ${box.lane}`); k++) box.lane += k % 2 ? k : -k;
    taken.add(`${box.column} ${box.lane}`);
  }
  for (const w of wires) {
    w.over = boxes.filter((b) => b.lane === w.from.lane && b.column > w.from.column && b.column < w.to.column);
    w.skip = w.over.length > 0 && w.from.lane === w.to.lane;
  }
}

/**
 * Columns get their width from their widest box, lanes their height from the tallest that has neighbors.
 * @param {Box[]} boxes @param {number} gap
 */
function place(boxes, gap) {
  /** @type {Box[][]} */
  const columns = [];
  for (const box of boxes) (columns[box.column] ??= []).push(box);
  let x = 0;
  let pitch = 0;
  for (const [c, here] of columns.entries()) {
    for (const box of here) box.x = x;
    const joined = (columns[c + 1] ?? []).some(joins);
    x += Math.max(...here.map((b) => b.wide + b.depth * SLANT.x)) + gap + (joined ? 10 : 0);
    if (here.length > 1) pitch = Math.max(pitch, ...here.map((b) => b.high - b.depth * SLANT.y));
  }
  for (const box of boxes) box.y = box.lane * (pitch + 8) - box.high / 2;
}

/** Does an addition or a concatenation stand before this box? @param {Box} box */
export const joins = (box) => box.blocks.length === 0 && (box.row.op === "add" || box.row.op === "concat");
