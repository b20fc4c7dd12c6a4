/** What the address holds is what was put into it. */

import assert from "node:assert/strict";
import test from "node:test";

import { visit } from "./browser.js";

const { address, read } = await import("../../convscope/webapp/static/state.js");
const suppose = await import("../../convscope/webapp/static/what_if/address.js");
const lesson = await import("../../convscope/webapp/static/lessons/address.js");
const compare = await import("../../convscope/webapp/static/compare/address.js");

/** @typedef {import("../../convscope/webapp/static/types.js").State} State */

/** @type {State} */
const UNIT = {
  net: "my run/β",
  image: "ab12",
  layer: "layer1.0/conv~1",
  place: { layer: "layer1.0/conv~1", map: 5, row: 3, col: 7 },
  rank: "matters",
  box: "box1.1",
  beside: "cd34",
  trail: [{ layer: "a:b~c", map: 1, row: 2, col: 3 }],
  open: ["layer1.*", "x&y"],
  why: { method: "hires-cam", target: 3, other: 0, layer: "layer4.1/relu~2" },
  supposed: ["a~b.weight[0,1]=-0.5", "pool1:stride=1", "paint:2=Aw"],
};

test("a unit's address reads back as the same state", () => {
  visit("/look");
  const to = address(UNIT);
  visit(to);
  assert.deepEqual(read(), UNIT);
});

test("why is asked with what differs from the defaults", () => {
  visit("/look");
  const why = { method: "", target: null, other: null, layer: "" };
  assert.equal(address({ net: "lenet5", image: "ab12", why }), "/look/lenet5/ab12?why=default");
  visit("/look/lenet5/ab12?why=default&class=-1&not=x");
  assert.deepEqual(read().why, why);
  visit("/look/lenet5/ab12?class=3");
  assert.equal(read().why, null);
});

test("what is supposed stays with its network, what is painted with its image", () => {
  visit("/look");
  visit(address(UNIT));
  assert.deepEqual(new URLSearchParams(address({ image: "ef56" }).split("?")[1]).get("if")?.includes("paint"), false);
  const elsewhere = address({ layer: "conv2", place: null, trail: [] });
  visit(elsewhere);
  assert.deepEqual(read().supposed, UNIT.supposed);
  assert.ok(!address({ net: "other" }).includes("if="));
});

test("what is supposed reads back as the same, and what was cut short as far as it goes", () => {
  const image = /** @type {{size: [number, number], channels: number}} */ ({ size: [45, 64], channels: 3 });
  const weights = new Map([["layer1.0/conv.weight[0,1,2,2]", -1.25e-7]]);
  const settings = new Map([["a:b kernel", { row: "a:b", name: "kernel", value: 12 }]]);
  const several = [
    suppose.blockOf(image, 2, 44, 63), // in the corner, whose dot is cut
    suppose.blockOf(image, 0, 0, 0),
    suppose.blockOf(image, 2, 7, 9),
  ];
  const blocks = new Map(several.map((block) => [`${block.y},${block.x}`, block]));
  assert.deepEqual(several[0], { y: 44, x: 62, height: 1, width: 2, bytes: [255, 255, 255] });
  const texts = suppose.textsOf({ weights, blocks, settings }, image) ?? [];
  const found = suppose.supposedOf(texts, image);
  assert.deepEqual([...found.weights], [...weights]);
  assert.deepEqual([...found.settings], [...settings]);
  assert.deepEqual(new Map(found.blocks), blocks);
  assert.deepEqual(suppose.supposedOf(["paint:2=A", "paint:9=AAAA", "x", "w[0]=much"], image).blocks.size, 0);
  const many = new Map(Array.from({ length: 300 }, (_, n) => [`conv.weight[${n},0,0,0]`, 0.5]));
  assert.equal(suppose.textsOf({ weights: many, blocks, settings }, image), null);
});

test("an image that is painted all over has a short address", () => {
  const image = /** @type {{size: [number, number], channels: number}} */ ({ size: [224, 224], channels: 3 });
  const blocks = new Map();
  for (let y = 0; y < 224; y++)
    for (let x = 0; x < 224; x++) {
      const block = suppose.blockOf(image, (x + y) % 3, y, x);
      blocks.set(`${block.y},${block.x}`, block);
    }
  const texts = suppose.textsOf({ weights: new Map(), blocks, settings: new Map() }, image) ?? [];
  assert.ok(texts.join("~").length < 600);
  assert.deepEqual(new Set(suppose.supposedOf(texts, image).blocks.keys()), new Set(blocks.keys()));
});

test("an address has no more in it than its state", () => {
  visit("/look");
  assert.equal(address({ net: "lenet5", image: "ab12" }), "/look/lenet5/ab12");
  assert.equal(address({ net: "lenet5", image: "ab12", layer: "conv1" }), "/look/lenet5/ab12/conv1");
});

test("an address that was cut short is read as far as it goes", () => {
  visit("/look/net/image/conv%");
  assert.deepEqual([read().net, read().image, read().layer, read().place], ["net", "image", "conv%", null]);
});

test("a lesson's address holds what differs from its start", () => {
  const start = { kernel: 3, filter: "edges", image: [1, 2, 3] };
  const query = lesson.queryOf(start, { kernel: 5, filter: "edges", image: [1, -2, 3] }, "?seed=7&old=1");
  visit(`/learn/convolution?${query}`);
  assert.deepEqual(lesson.read(start), { kernel: 5, filter: "edges", image: [1, -2, 3] });
  assert.equal(new URLSearchParams(query).get("seed"), "7"); // the exercise's
  assert.deepEqual([...new URLSearchParams(query).keys()].sort(), ["image", "kernel", "seed"]);
});

test("a cell that is typed while an answer is on its way changes only that cell", () => {
  const drawn = { image: [1, 2, 3], kernel: 3 };
  const now = { image: [1, 9, 3], kernel: 3 }; // another cell was typed meanwhile
  assert.deepEqual(lesson.merged(drawn, now, { image: [1, 2, 4] }), { image: [1, 9, 4], kernel: 3 });
  assert.deepEqual(lesson.merged(drawn, now, { image: [4, 5, 6] }), { image: [4, 5, 6], kernel: 3 });
});

test("the screen Compare reads back what it wrote", () => {
  const state = {
    runs: ["a b", "c&d"],
    networks: ["vgg16"],
    over: "steps",
    cost: "seconds",
    log: ["loss"],
    open: ["equal"],
  };
  visit(compare.address(state));
  assert.deepEqual(compare.read(), state);
  visit("/compare?runs=a~a~");
  assert.deepEqual(compare.read().runs, ["a"]);
});
