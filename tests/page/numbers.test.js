/** How numbers are written, against what Intl and the float32 format say. */

import assert from "node:assert/strict";
import test from "node:test";

import {
  count,
  decimalsFor,
  fixed,
  one,
  percent,
  several,
  sides,
  signed,
  volume,
  whole,
} from "../../convscope/webapp/static/numbers.js";
import { parseNumber } from "../../convscope/webapp/static/lessons/number_field.js";
import { duration, onAxis, shareOnAxis, short, when } from "../../convscope/webapp/static/training/words.js";

test("fixed writes a true minus, and no minus before a rounded zero", () => {
  assert.equal(fixed(-1.25, 1), "−1.3");
  assert.equal(fixed(-0.04, 1), "0.0");
  assert.equal(fixed(2, 0), "2");
  assert.equal(fixed("nan", 2), "NaN");
  assert.equal(fixed("-inf", 2), "−∞");
});

test("signed has a sign for all but zero", () => {
  assert.equal(signed(0.5, 1), "+0.5");
  assert.equal(signed(-0.5, 1), "−0.5");
  assert.equal(signed(0, 1), "0.0");
  assert.equal(signed(0.04, 1), "0.0");
});

test("decimalsFor shows so many significant digits of the largest, at most six decimals", () => {
  assert.equal(decimalsFor([0.012345]), 5);
  assert.equal(decimalsFor([123.4, 0.001]), 1);
  assert.equal(decimalsFor([1e-9]), 6);
  assert.equal(decimalsFor([3, 4]), 0);
  assert.equal(decimalsFor([Number.NaN, 0.5], 2), 2);
});

test("whole is the shortest text that reads back as the same float32", () => {
  const bits = new Uint32Array(1);
  const floats = new Float32Array(bits.buffer);
  let seed = 7;
  for (let k = 0; k < 2000; k++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; // every pattern of bits is a float32
    bits[0] = seed;
    const [value] = floats;
    if (!Number.isFinite(value)) continue;
    const text = whole(value).replaceAll("−", "-");
    assert.ok(Object.is(Math.fround(Number(text)), value === 0 ? Number(text) : value), `${value} is written ${text}`);
    const digits = text
      .replace(/e.*/, "")
      .replace(/[-.]/g, "")
      .replace(/^0+|0+$/g, "").length;
    const shorter = Number(value.toPrecision(Math.max(1, digits - 1)));
    assert.ok(digits <= 1 || Math.fround(shorter) !== value, `${text} could be shorter: ${shorter}`);
  }
});

test("percent never says all or nothing of what is not certain", () => {
  assert.equal(percent(0.998709), "99.87%");
  assert.equal(percent(0.99999), "> 99.99%");
  assert.equal(percent(1e-9), "< 0.01%");
  assert.equal(percent("nan"), "NaN");
});

test("percent of a number that is none says so", () => {
  assert.equal(percent(Number.NaN), "NaN");
});

test("count and several write thousands and the plural as Intl does", () => {
  assert.equal(count(61706), new Intl.NumberFormat("en").format(61706));
  assert.equal(several(1, "layer"), "1 layer");
  assert.equal(several(1500, "layer"), "1,500 layers");
});

test("shapes are written as in the LeNet paper", () => {
  assert.equal(volume([6, 28, 28]), "6@28×28");
  assert.equal(volume([84]), "84");
  assert.equal(volume([84, 1, 1]), "84");
  assert.equal(volume([4, 16]), "4@16");
  assert.equal(volume([4, 2, 8, 9]), "4@2×8×9");
  assert.equal(volume([]), "1");
  assert.equal(sides([5, 3]), "5×3");
  assert.equal(one([2, 2]), "2");
  assert.equal(one([1, 2]), "1×2");
});

test("duration names the two largest units", () => {
  assert.equal(duration(1.234), "1.2 s");
  assert.equal(duration(42), "42 s");
  assert.equal(duration(75), "1 min 15 s");
  assert.equal(duration(2 * 3600 + 5 * 60 + 59), "2 h 5 min");
});

test("short writes powers of ten where there would be only zeros", () => {
  assert.equal(short(0.0000042), "4.2·10⁻⁶");
  assert.equal(short(-1e-5), "−10⁻⁵");
  assert.equal(short(9.99e-5), "10⁻⁴");
  assert.equal(short(12345, 5), "12,345");
  assert.equal(short(null), "–");
});

test("values on an axis have as many decimals as their distance needs", () => {
  assert.equal(onAxis(0.15, 0.05), "0.15");
  assert.equal(onAxis(2000, 1000), "2,000");
  assert.equal(shareOnAxis(0.975, 0.005), "97.5%");
});

test("when is the local time of an ISO date", () => {
  const date = new Date(2025, 10, 22, 19, 38);
  assert.equal(when(date.toISOString()), "2025-11-22 19:38");
  assert.equal(when("never"), "never");
});

test("what is typed is a number in any usual spelling, within its bounds", () => {
  const bounds = { low: -10, high: 1000 };
  for (const [text, value] of /** @type {[string, number | null][]} */ ([
    ["3", 3],
    [" −2,5 ", -2.5],
    ["1e2", 100],
    [".5", 0.5],
    ["-0", 0],
    ["", null],
    ["−", null],
    ["1001", null],
    ["0x10", null],
    ["Infinity", null],
  ]))
    assert.equal(parseNumber(text, bounds), value, text);
  assert.equal(parseNumber("1,000", { ...bounds, whole: true }), 1000);
  assert.equal(parseNumber("2.5", { ...bounds, whole: true }), null);
});
