/** What the page says and draws of a network that learned. */

import assert from "node:assert/strict";
import test from "node:test";

import { visit } from "./browser.js";

visit("/");
const { address, read, unitAddress } = await import("../../convscope/webapp/static/learned/address.js");
const points = await import("../../convscope/webapp/static/learned/points.js");
const words = await import("../../convscope/webapp/static/learned/words.js");

/** @typedef {import("../../convscope/webapp/static/learned/types.js").Filter} Filter */
/** @typedef {import("../../convscope/webapp/static/learned/types.js").LearnedState} LearnedState */

test("the screen's address reads back as the same state", () => {
  /** @type {LearnedState} */
  const state = { net: "my run/β", view: "map", row: "layer1.0/conv~1", method: "tsne", data: "a&b" };
  visit(address(state));
  assert.deepEqual(read(), state);
  visit("/learned/net%/nothing/conv%");
  assert.deepEqual(read(), { net: "net%", view: "levels", row: "conv%", method: "pca", data: "" });
});

test("an address has no more in it than its state", () => {
  const bare = { net: "", view: /** @type {const} */ ("levels"), row: "", method: "pca", data: "" };
  assert.equal(address(bare), "/learned");
  assert.equal(address({ ...bare, net: "lenet5" }), "/learned/lenet5");
  assert.equal(address({ ...bare, net: "lenet5", view: "redundancy" }), "/learned/lenet5/redundancy");
});

test("a patch leads to its unit in Look inside, whatever was open there", () => {
  visit("/learned/net/levels?method=tsne");
  assert.equal(unitAddress("net", "ab12", "conv2", [5, 3, 7]), "/look/net/ab12/conv2/5/3,7");
  assert.equal(unitAddress("net", "ab12", "conv2"), "/look/net/ab12/conv2");
});

test("all points lie in the window, and none is nearer than the nearest", () => {
  const map = { x: [0, 1, 0.5, 0.25], y: [0, 0.5, 0.25, 0.5] };
  const window = points.fitted(map, 400, 300);
  for (const i of map.x.keys()) {
    const [x, y] = points.placeOf(map, i, window);
    assert.ok(x >= 0 && x <= 400 && y >= 0 && y <= 300);
    assert.equal(points.nearest(map, [...map.x.keys()], window, x + 3, y - 3), i);
  }
  assert.ok(points.placeOf(map, 3, window)[1] < points.placeOf(map, 0, window)[1]); // up is up
  assert.equal(points.nearest(map, [0, 1], window, ...points.placeOf(map, 3, window)), -1);
});

test("zooming keeps what is under the pointer", () => {
  const map = { x: [0.3], y: [0.4] };
  const window = points.fitted({ x: [0, 1], y: [0, 1] }, 400, 400);
  const [x, y] = points.placeOf(map, 0, window);
  const near = points.placeOf(map, 0, points.zoomed(window, 2.5, x, y));
  assert.ok(Math.hypot(near[0] - x, near[1] - y) < 1e-9);
});

test("arrow keys go ahead, and not aside", () => {
  const map = { x: [0, 0.1, 0.2, 0], y: [0, 0, 0.5, 0.3] };
  const all = [0, 1, 2, 3];
  assert.equal(points.ahead(map, all, 0, [1, 0]), 1);
  assert.equal(points.ahead(map, all, 0, [0, 1]), 3);
  assert.equal(points.ahead(map, all, 0, [-1, 0]), -1);
  assert.equal(points.ahead(map, [0, 2], 0, [1, 0]), -1); // too far aside
});

test("classes look different as long as they can", () => {
  const looks = new Set(Array.from({ length: points.DISTINCT }, (_, k) => points.colorOf(k) + points.shapeOf(k)));
  assert.equal(looks.size, points.DISTINCT);
  assert.equal(points.colorOf(points.DISTINCT), points.colorOf(0));
});

/** @type {Filter} */
const FILTER = {
  filter: 3,
  state: "",
  largest: 5,
  smallest: 0,
  mean: 1,
  active_units: 0.002,
  active_images: 0.998,
  preferred: "cat",
  selectivity: 0.517,
  class_means: [],
  top_classes: [
    ["cat", 20],
    ["dog", 10],
    ["a", 2],
    ["b", 2],
    ["c", 1],
  ],
  num_top: 36,
  num_top_classes: 6,
  patches: [],
};

test("what a filter responds to is said in sentences, with no false all or nothing", () => {
  assert.equal(
    words.responseOf(FILTER),
    "Classes of its 36 strongest images: cat (20), dog (10), a (2), b (2) and 2 other classes. " +
      "Most active for cat; selectivity 0.52 of 1. Above 0 in > 99% of the images and in < 1% of its units.",
  );
  assert.match(words.responseOf({ ...FILTER, state: "dead" }), /^Dead: it has one and the same value everywhere/);
  assert.match(words.responseOf({ ...FILTER, state: "always on" }), /^Always on/);
  assert.equal(words.share(1), "100%");
  assert.equal(words.share(0), "0%");
});

test("numbers keep three digits", () => {
  assert.deepEqual([12.345, 0.012345, 1234.5, 0, -1.5].map(words.short), ["12.3", "0.0123", "1235", "0", "−1.50"]);
});

test("twins are of so many images, and how sure they are is said", () => {
  const layer = {
    layer: "conv1",
    row: "conv1",
    maps: 6,
    dead: [1],
    groups: [[0, 2]],
    redundant: [1, 2],
    rank: 3,
    rank_interval: /** @type {[number, number]} */ ([2, 4]),
    num_pairs: 1,
    pairs: [
      { first: 0, second: 2, correlation: 0.9, low: 0.8, high: 0.99, alignment: 0.9, cosine: null, is_sure: false },
    ],
  };
  const found = { images: 2000, data: "the test split of x", notes: [], correlated: 0.9, layers: [layer] };
  assert.equal(
    words.redundancyText(found),
    "Over 2,000 images (the test split of x), 2 of the 6 maps of the convolutions are dead or a twin of another one.",
  );
  assert.equal(words.sureText(layer), "The pair is not sure: its interval reaches across the threshold.");
});
