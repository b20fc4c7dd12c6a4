/** Axes: round ticks within the range, for any range. */

import assert from "node:assert/strict";
import test from "node:test";

import { decades, extent, limits, ticks } from "../../convscope/webapp/static/chart_axes.js";

test("ticks are multiples of a round step within the range, as many as fit", () => {
  for (const [low, high] of [
    [0, 1],
    [0, 7.3],
    [-3, 12],
    [0.912, 0.987],
    [0, 64_000],
  ]) {
    for (const most of [2, 5, 9]) {
      const { step, at } = ticks(low, high, most);
      const leading = Number(step.toExponential().split("e")[0]);
      assert.ok([1, 2, 5].includes(Number(leading.toFixed(9))), `${step}`);
      assert.ok(at.length <= most + 1 && at.length >= 1, `${low}..${high}: ${at}`);
      for (const value of at) {
        assert.ok(value >= low - 1e-9 * step && value <= high + 1e-6 * step);
        assert.ok(Math.abs(value / step - Math.round(value / step)) < 1e-6);
      }
    }
  }
});

test("decades are powers of ten, thinned out where there are many", () => {
  assert.deepEqual(decades(0.001, 1000, 7), [0.001, 0.01, 0.1, 1, 10, 100, 1000]);
  assert.equal(decades(1e-12, 1e12, 5).length <= 6, true);
  assert.deepEqual(decades(1, 10, 5), [1, 2, 5, 10]);
});

test("the extent leaves out what cannot be drawn", () => {
  assert.deepEqual(extent([[3, null, Number.NaN, -1], undefined, [7]], false), [-1, 7]);
  assert.deepEqual(extent([[0, -5, 0.5, 2]], true), [0.5, 2]);
  assert.deepEqual(extent([], false), [0, 1]);
});

test("limits hold every value, and begin where they are told to", () => {
  const [low, high] = limits([[2, 8]], { from: 0 });
  assert.equal(low, 0);
  assert.ok(high >= 8);
  const [below] = limits([[-2, 8]], { from: 0 });
  assert.ok(below < -2);
  const [first, last] = limits([[0.01, 100]], { log: true });
  assert.ok(first < 0.01 && last > 100);
});
