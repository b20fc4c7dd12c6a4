/** The lines of charts: gaps, logarithmic axes, and thinning that loses no extreme. */

import assert from "node:assert/strict";
import test from "node:test";

import {
  apart,
  area,
  nearest,
  path,
  pixels,
  place,
  share,
  spans,
  thin,
} from "../../convscope/webapp/static/chart_paths.js";

const across = { low: 0, high: 10, log: false, from: 50, to: 150 };
const up = { low: 0, high: 1, log: false, from: 200, to: 0 };

test("a value stands where its axis says, from one end to the other", () => {
  assert.deepEqual(
    [0, 5, 10].map((v) => place(v, across)),
    [50, 100, 150],
  );
  assert.deepEqual(
    [0, 0.25, 1].map((v) => place(v, up)),
    [200, 150, 0],
  );
  const log = { low: 0.01, high: 100, log: true, from: 0, to: 400 };
  [0.01, 0.1, 1, 10, 100].forEach((v, i) => assert.ok(Math.abs((place(v, log) ?? NaN) - 100 * i) < 1e-9));
});

test("what is no number, and zero on a logarithmic axis, stands nowhere", () => {
  const log = { low: 0.1, high: 1, log: true };
  for (const value of [null, undefined, NaN, Infinity, 0, -1]) {
    assert.equal(share(value, { ...log, from: 0, to: 1 }), null);
  }
  assert.equal(share(0, up), 0);
});

test("a line ends before a gap and begins again behind it; a point alone is a dot", () => {
  const points = pixels([0, 1, 2, 3, 4, 5], [1, 0, null, 1, NaN, 0.5], across, up);
  assert.equal(path(points), "M50 0L60 200M80 0h0M100 100h0");
  assert.equal(path([]), "");
});

test("thousands of points become a few for each column of pixels, and no extreme is lost", () => {
  const y = Array.from({ length: 20_000 }, (_, i) => Math.sin(i / 7) * 0.4 + 0.5);
  [y[4321], y[17_000]] = [-3, 5];
  const x = y.map((_, i) => (10 * i) / y.length);
  const all = pixels(x, y, across, up);
  const few = thin(all);
  assert.ok(few.length <= 4 * 102, `${few.length}`);
  const heights = (/** @type {({y: number} | null)[]} */ list) => list.map((point) => point?.y ?? 0);
  assert.equal(Math.min(...heights(few)), Math.min(...heights(all)));
  assert.equal(Math.max(...heights(few)), Math.max(...heights(all)));
  assert.deepEqual([few[0], few.at(-1)], [all[0], all.at(-1)]);
  // each column keeps its own extremes, in the order of the line
  const column = (/** @type {number} */ i, /** @type {({x: number, y: number} | null)[]} */ list) =>
    heights(list.filter((point) => Math.round(point?.x ?? NaN) === i));
  for (let i = 50; i <= 150; i++) {
    assert.equal(Math.min(...column(i, few)), Math.min(...column(i, all)));
    assert.equal(Math.max(...column(i, few)), Math.max(...column(i, all)));
  }
  const order = few.map((point) => all.indexOf(point));
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
});

test("thinning keeps gaps, and leaves alone what has few points", () => {
  const points = pixels([0, 1, 2, 3], [0, null, 1, 0.5], across, up);
  assert.deepEqual(thin(points), points);
});

test("a band goes along its high edge and back along its low one, once for each part", () => {
  const band = spans([0, 1, 2, 3], [0, 0.25, null, 0], [0.5, 0.75, 1, 1], across, up);
  assert.equal(area(band), "M50 100L60 50L60 150L50 200ZM80 0L80 200Z");
});

test("a band of many points reaches from the lowest to the highest of each column", () => {
  const x = Array.from({ length: 1000 }, (_, i) => i / 100);
  const band = spans(
    x,
    x.map((_, i) => (i === 503 ? 0 : 0.4)),
    x.map(() => 0.6),
    across,
    up,
  );
  assert.ok(band.length <= 102);
  assert.equal(Math.max(...band.map((one) => one?.low ?? 0)), 200);
});

test("the nearest point is found across, or in both directions", () => {
  const points = [{ x: 0, y: 0 }, null, { x: 10, y: 100 }, { x: 11, y: 0 }];
  assert.deepEqual(nearest(points, 10.2), { at: 2, distance: 10.2 - 10 });
  assert.equal(nearest(points, 10.2, 0).at, 3);
  assert.deepEqual(nearest([null], 1), { at: -1, distance: Infinity });
});

test("labels stand apart, in their order, and below the top", () => {
  for (const wanted of [
    [100, 101, 102],
    [5, 3, 90, 4],
    [199, 200, 200, 10],
    [0, 0, 0],
  ]) {
    const placed = apart(wanted, 15, 8, 200);
    const sorted = [...placed].sort((a, b) => a - b);
    sorted.slice(1).forEach((v, i) => assert.ok(v - sorted[i] >= 15 - 1e-9, `${placed}`));
    assert.ok(sorted[0] >= 8 && (sorted.at(-1) ?? 0) <= 200);
    wanted.forEach((a, i) => wanted.forEach((b, j) => a < b && assert.ok(placed[i] < placed[j])));
  }
  assert.deepEqual(apart([50, 120], 15, 8, 200), [50, 120]);
});
