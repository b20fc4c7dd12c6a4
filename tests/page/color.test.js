/** The scale of values, with the colors of the page's own themes. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { cell, peakOf, readPalette } from "../../convscope/webapp/static/color.js";
import { paint } from "./browser.js";

const tokens = readFileSync(new URL("../../convscope/webapp/static/style/tokens.css", import.meta.url), "utf8");
const blocks = tokens.split("}").filter((block) => block.includes("--zero:"));

/** @param {string} block */
const colorsOf = (block) =>
  Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map(([, name, hex]) => [name, hex]));

/** @param {string} text  "rgb(1 2 3)" or "#010203" */
function channels(text) {
  const numbers = text.startsWith("#")
    ? [1, 3, 5].map((i) => Number.parseInt(text.slice(i, i + 2), 16))
    : (text.match(/\d+/g) ?? []).map(Number);
  return numbers;
}

/** The contrast of the WCAG 2. @param {string} one @param {string} other */
function contrast(one, other) {
  const [dark, light] = [one, other]
    .map((text) => {
      const [r, g, b] = channels(text).map((v) => (v <= 10.31475 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    })
    .sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test("both themes are found", () => assert.equal(blocks.length, 2));

for (const [theme, block] of [...blocks.entries()]) {
  const colors = colorsOf(block);

  test(`zero is the paper and the ends are the darkest stops, theme ${theme}`, () => {
    paint(colors);
    readPalette();
    assert.deepEqual(channels(cell(0, 1).background), channels(colors.zero));
    assert.deepEqual(channels(cell(1, 1).background), channels(colors["pos-4"]));
    assert.deepEqual(channels(cell(-2, 1).background), channels(colors["neg-4"])); // beyond the peak
    assert.deepEqual(channels(cell(0.5, 1).background), channels(colors["pos-2"]));
    assert.deepEqual(channels(cell(5, 0).background), channels(colors.zero)); // all is zero
  });

  test(`every cell's figure can be read, theme ${theme}`, () => {
    paint(colors);
    readPalette();
    for (let value = -1; value <= 1; value += 1 / 64) {
      const { background, color } = cell(value, 1);
      assert.ok(contrast(background, color) >= 4.5, `${value}: ${background} under ${color}`);
    }
  });
}

test("the peak is the largest finite magnitude", () => {
  assert.equal(peakOf([1, -3, Number.NaN, Number.POSITIVE_INFINITY]), 3);
  assert.equal(peakOf([]), 0);
});
