/**
 * How numbers are set: a true minus, a fixed number of decimals in a column, no false digits.
 * @type {Record<string, string>}
 */
const WORDS = { nan: "NaN", inf: "∞", "-inf": "−∞", NaN: "NaN", Infinity: "∞", "-Infinity": "−∞" };

/**
 * @param {number | string} value  the words "nan", "inf" and "-inf" stand for what is no number
 * @param {number} decimals
 * @returns {string}
 */
export function fixed(value, decimals) {
  if (!Number.isFinite(value)) return WORDS[String(value)] ?? String(value);
  value = Number(value);
  const text = Math.abs(value).toFixed(decimals);
  return (value < 0 && Number(text) !== 0 ? "−" : "") + text;
}

/** Always with a sign, as in a ledger. Zero has none. @param {number | string} value @param {number} decimals */
export function signed(value, decimals) {
  const text = fixed(value, decimals);
  return Number(value) > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** A factor, with three decimals: in parentheses where it is negative. @param {number} v */
export const wrapped = (v) => (v < 0 ? `(${fixed(v, 3)})` : fixed(v, 3));

/** Decimals that show `digits` significant digits of the largest of a column, at most six. @param {number[]} values */
export function decimalsFor(values, digits = 4) {
  const known = values.filter(Number.isFinite);
  const peak = known.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  if (known.every(Number.isInteger)) return 0;
  return peak === 0 ? 0 : Math.max(0, Math.min(6, digits - 1 - Math.floor(Math.log10(peak))));
}

/**
 * The shortest text that reads back as the same float32: what is copied, and shown on hover.
 * @param {number | string} value
 */
export function whole(value) {
  if (!Number.isFinite(value)) return WORDS[String(value)] ?? String(value);
  value = Number(value);
  for (let digits = 1; digits <= 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === Math.fround(value)) return String(Number(text)).replaceAll("-", "−");
  }
  return String(value).replaceAll("-", "−");
}

const ENGLISH = new Intl.NumberFormat("en"); // made once: a chart asks for thousands

/** 61706 -> "61,706" @param {number} n */
export const count = (n) => ENGLISH.format(n);

/** "1 layer", "3 layers" @param {number} n @param {string} word */
export const several = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

/** 0.99871 -> "99.87%"; never a rounded "100.00%" for what is not certain. @param {number | string | null} p */
export function percent(p) {
  if (p === null) return WORDS.nan;
  if (!Number.isFinite(p)) return WORDS[String(p)] ?? String(p);
  p = Number(p);
  if (p > 0.9999) return "> 99.99%";
  if (p < 0.0001) return "< 0.01%";
  return `${(100 * p).toFixed(2)}%`;
}

/** [6, 28, 28] -> "6@28×28", the notation of the LeNet paper; a vector is "84". @param {number[]} shape */
export const volume = ([c = 1, ...sides]) =>
  sides.every((side) => side === 1) ? String(c) : `${c}@${sides.join("×")}`;

/** [5, 5] -> "5×5" @param {number[]} sides */
export const sides = (sides) => sides.join("×");

/** [2, 2] -> "2", [1, 2] -> "1×2" @param {number[]} pair */
export const one = (pair) => (pair.every((v) => v === pair[0]) ? String(pair[0]) : pair.join("×"));
