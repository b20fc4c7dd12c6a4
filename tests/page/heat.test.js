/** The heat map: what a value looks like over the image, and which cell a pixel lies in. */

import assert from "node:assert/strict";
import test from "node:test";

import "./browser.js";

const { blend, cellOf, everyPixel, grayOf } = await import("../../convscope/webapp/static/why/heat.js");

/** Orange below zero, white at zero, blue above. @param {number} value @param {number} peak */
const color = (value, peak) => (value < 0 ? [200, 80, 0] : value > 0 ? [0, 80, 200] : [255, 255, 255 * (peak ? 1 : 1)]);

test("zero shows the image alone, the peak the color alone", () => {
  const pixels = blend([0, 255, 128, 128], [0, 0, 2, -2], 2, color);
  assert.equal(pixels[0], pixels[1]); // gray
  assert.ok(pixels[0] < pixels[4]); // a dark pixel stays darker
  assert.deepEqual([...pixels.slice(8, 12)], [0, 80, 200, 255]);
  assert.deepEqual([...pixels.slice(12, 16)], [200, 80, 0, 255]);
});

test("a larger value covers more of the image", () => {
  const pixels = blend([255, 255, 255], [1, 2, 4], 4, color);
  assert.ok(pixels[0] > pixels[4] && pixels[4] > pixels[8]);
});

test("what is not finite is not colored, and neither is a map of zeros", () => {
  const plain = [...blend([128], [0], 1, color)];
  assert.deepEqual([...blend([128], [NaN], 1, color)], plain);
  assert.deepEqual([...blend([128], [Infinity], 1, color)], plain);
  assert.deepEqual([...blend([128], [0], 0, color)], plain);
});

test("a pixel lies in the last cell that begins at or before it", () => {
  const edges = [0, 7, 9, 16];
  assert.deepEqual(
    [0, 6.9, 7, 8, 9, 15, 99].map((at) => cellOf(edges, at)),
    [0, 0, 1, 1, 2, 2, 2],
  );
  assert.equal(cellOf(everyPixel(5), 4.5), 4);
});

test("brightness counts green most", () => {
  assert.deepEqual([...grayOf([255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255])], [76, 150, 29]);
});
