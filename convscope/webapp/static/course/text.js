/** Python's texts and their formats, for translated code. */

/** @typedef {any} Value */

/** @param {Value} value @returns {string} */
const plain = (value) => {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value?.__str__) return value.__str__();
  if (value instanceof Error) return value.message;
  return Array.isArray(value) ? repr(value) : String(value);
};

/** @type {Value} */
export const str = Object.assign(plain, { maketrans: (/** @type {Map<string, string>} */ map) => map });

/** @param {Value} value @returns {string} */
export const repr = (value) => {
  if (typeof value === "string") return value.includes("'") ? `"${value}"` : `'${value}'`;
  if (!Array.isArray(value)) return plain(value);
  return `[${value.map(repr).join(", ")}]`;
};

/** A value as `format(value, spec)` writes it. @param {Value} value @param {string} spec */
export function format(value, spec) {
  const parts = /^(0?)(\d*)(,?)(?:\.(\d+))?([dfg]?)$/.exec(spec);
  if (!parts) throw new TypeError(`no format ${spec}`);
  if (!spec) return plain(value);
  const [, zero, width, comma, digits, kind] = parts;
  let text = String(value);
  if (kind === "f") text = Number(value).toFixed(Number(digits));
  if (kind === "g") text = general(Number(value), Number(digits || 6));
  if (comma) text = grouped(text);
  return width && zero ? text.padStart(Number(width), "0") : text.padStart(Number(width || 0));
}

/** @param {string} text */
const grouped = (text) =>
  text.replace(/^([-+]?)(\d+)/, (_, sign, whole) => sign + whole.replace(/\B(?=(\d{3})+$)/g, ","));

/** So many digits that count, without the zeros behind them. @param {number} value @param {number} digits */
function general(value, digits) {
  if (value === 0) return "0";
  const [number, power] = value
    .toExponential(digits - 1)
    .split("e")
    .map(Number);
  if (power < -4 || power >= digits) {
    const size = String(Math.abs(power)).padStart(2, "0");
    return `${number}e${power < 0 ? "-" : "+"}${size}`;
  }
  const text = value.toFixed(Math.max(0, digits - 1 - power));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** @param {string} letters */
const inside = (letters) => letters.replace(/[\]\\^-]/g, "\\$&");

/** The methods of texts; the first argument is the text. @type {Record<string, Value>} */
export const TEXT = {
  strip: (/** @type {string} */ text, /** @type {string} */ letters = " \t\n\r\f\v") =>
    TEXT.rstrip(text, letters).replace(new RegExp(`^[${inside(letters)}]+`), ""),
  rstrip: (/** @type {string} */ text, /** @type {string} */ letters = " \t\n\r\f\v") =>
    text.replace(new RegExp(`[${inside(letters)}]+$`), ""),
  upper: (/** @type {string} */ text) => text.toUpperCase(),
  lower: (/** @type {string} */ text) => text.toLowerCase(),
  casefold: (/** @type {string} */ text) => text.toLowerCase(),
  replace: (/** @type {string} */ text, /** @type {string} */ old, /** @type {string} */ other) =>
    text.replaceAll(old, () => other),
  split: (/** @type {string} */ text, /** @type {string | undefined} */ at) =>
    at === undefined ? text.split(/\s+/u).filter(Boolean) : text.split(at),
  isdecimal: (/** @type {string} */ text) => /^\p{Nd}+$/u.test(text),
  join: (/** @type {string} */ text, /** @type {Value} */ parts) => [...parts].join(text),
  translate: (/** @type {string} */ text, /** @type {Map<string, string>} */ map) =>
    [...text].map((letter) => map.get(letter) ?? letter).join(""),
  partition: (/** @type {string} */ text, /** @type {string} */ at) => {
    const place = text.indexOf(at);
    return place < 0 ? [text, "", ""] : [text.slice(0, place), at, text.slice(place + at.length)];
  },
  rpartition: (/** @type {string} */ text, /** @type {string} */ at) => {
    const place = text.lastIndexOf(at);
    return place < 0 ? ["", "", text] : [text.slice(0, place), at, text.slice(place + at.length)];
  },
  format: (/** @type {string} */ text, /** @type {Value[]} */ ...values) =>
    text.replaceAll("{}", () => plain(values.shift())),
};
