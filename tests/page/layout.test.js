/** The drawing of a network: what must hold for every layout, and a residual block by hand. */

import assert from "node:assert/strict";
import test from "node:test";

import { SLANT, fitted, gather, layout } from "../../convscope/webapp/static/layout.js";

/** @typedef {import("../../convscope/webapp/static/types.js").Row} Row */

/**
 * @param {string} name @param {[number, number, number]} shape @param {string[]} inputs @param {Partial<Row>} [more]
 * @returns {Row}
 */
const row = (name, shape, inputs, more = {}) => ({
  name,
  shape,
  inputs,
  op: "conv",
  type: "convolution",
  block: "",
  stage: "",
  operations: [name],
  parameters: 1,
  filters: shape[0],
  kernel: [3, 3],
  stride: [1, 1],
  padding: [1, 1],
  activation: "",
  axes: [],
  receptive_field: [],
  exact: true,
  lessons: [],
  ...more,
});

const WISH = { tall: 100, deep: 50, gap: 10, open: [], collapse: false };
const CHAIN = [
  row("image", [3, 32, 32], [], { op: "image" }),
  row("conv1", [6, 28, 28], ["image"]),
  row("conv2", [16, 10, 10], ["conv1"]),
  row("fc", [10, 1, 1], ["conv2"], { op: "dense" }),
];
const RESIDUAL = [
  row("image", [3, 32, 32], [], { op: "image" }),
  row("conv1", [8, 32, 32], ["image"]),
  row("conv2", [8, 32, 32], ["conv1"]),
  row("conv3", [8, 32, 32], ["conv2"]),
  row("add", [8, 32, 32], ["conv3", "conv1"], { op: "add" }),
];

/** Three blocks of two equal convolutions, then one with a stride. */
const BLOCKS = [0, 1, 2, 3].flatMap((k) => {
  const before = k ? `stage.${k - 1}.b` : "image";
  const more = { block: `stage.${k}`, stage: "stage", stride: k === 3 ? [2, 2] : [1, 1] };
  return [row(`stage.${k}.a`, [8, 16, 16], [before], more), row(`stage.${k}.b`, [8, 16, 16], [`stage.${k}.a`], more)];
});

test("sides and channels have one scale each", () => {
  const { boxes, pixel, channel } = layout(CHAIN, WISH);
  for (const box of boxes.slice(0, 3)) {
    assert.ok(Math.abs(box.wide - box.row.shape[2] * pixel) < 1e-9);
    assert.ok(Math.abs(box.high - box.row.shape[1] * pixel) < 1e-9);
    assert.ok(Math.abs(box.depth - Math.max(1.5, box.row.shape[0] * channel)) < 1e-9);
  }
  assert.equal(boxes[0].high, 100);
});

test("boxes stand from left to right and do not overlap", () => {
  for (const rows of [CHAIN, RESIDUAL]) {
    const { boxes, width, height } = layout(rows, WISH);
    for (const [i, box] of boxes.entries()) {
      const right = box.x + box.wide + box.depth * SLANT.x;
      assert.ok(right <= width + 1e-9 && box.y + box.high <= height + 1e-9);
      for (const other of boxes.slice(i + 1)) {
        const apart = other.lane !== box.lane || other.x >= right;
        assert.ok(apart, `${box.key} overlaps ${other.key}`);
      }
    }
  }
});

test("a skip goes over the boxes that it jumps", () => {
  const { wires } = layout(RESIDUAL, WISH);
  const skips = wires.filter(({ skip }) => skip);
  assert.deepEqual(
    skips.map(({ from, to, over }) => [from.key, to.key, over.map(({ key }) => key)]),
    [["conv1", "add", ["conv2", "conv3"]]],
  );
  assert.equal(wires.length, 5);
});

test("equal closed blocks of a stage are one stack, and an unequal one is not", () => {
  const { boxes, owner } = gather(BLOCKS, [], true);
  assert.deepEqual(
    boxes.map(({ blocks }) => blocks),
    [["stage.0", "stage.1", "stage.2"], ["stage.3"]],
  );
  assert.equal(boxes[0].members.length, 6);
  assert.equal(owner.get("stage.1.a"), boxes[0]);
});

test("an opened stack shows its blocks, and an opened block its rows", () => {
  const stack = gather(BLOCKS, ["stage.*"], true).boxes;
  assert.deepEqual(
    stack.map(({ blocks }) => blocks),
    [["stage.0"], ["stage.1"], ["stage.2"], ["stage.3"]],
  );
  const block = gather(BLOCKS, ["stage.*", "stage.1"], true).boxes;
  assert.deepEqual(
    block.map(({ key, blocks }) => (blocks.length ? blocks[0] : key)),
    ["stage.0", "stage.1.a", "stage.1.b", "stage.2", "stage.3"],
  );
});

test("a layout is made smaller until it fits", () => {
  const whole = layout(CHAIN, WISH).width;
  assert.equal(fitted(CHAIN, WISH, whole + 1).width, whole);
  assert.ok(fitted(CHAIN, WISH, 0.7 * whole).width <= 0.7 * whole);
});
