/** Python's regular expressions, as far as translated code uses them. */

/** @typedef {any} Value */

export const IGNORECASE = "i";

class Match {
  /** @param {RegExpMatchArray} found */
  constructor(found) {
    this.found = found;
  }
  /** @param {number} at */
  __getitem__(at) {
    return this.found[at] ?? null;
  }
  groups() {
    return this.found.slice(1).map((group) => group ?? null);
  }
}

class Pattern {
  /** @param {string} text @param {string} flags */
  constructor(text, flags) {
    this.pattern = new RegExp(unicode(text), `gu${flags}`);
  }
  /** @param {Value} other @param {string} text */
  sub(other, text) {
    if (typeof other === "string") return text.replace(this.pattern, other.replace(/\\(\d)/g, "$$$1"));
    const all = [...text.matchAll(this.pattern)];
    let [made, end] = ["", 0];
    for (const found of all) {
      made += text.slice(end, found.index) + other(new Match(found));
      end = Number(found.index) + found[0].length;
    }
    return made + text.slice(end);
  }
  /** @param {string} text */
  search(text) {
    const [found] = text.matchAll(this.pattern);
    return found ? new Match(found) : null;
  }
  /** @param {string} text */
  finditer(text) {
    return [...text.matchAll(this.pattern)].map((found) => new Match(found));
  }
  /** @param {string} text */
  split(text) {
    return text.split(this.pattern);
  }
}

/** Python's letters and digits are those of all languages; a class of JavaScript knows A to Z. @param {string} text */
const unicode = (text) =>
  text
    .replace(/\[((?:\\.|[^\]\\])*)\]/g, (_, inner) => `[${inner.replaceAll("\\w", WORD)}]`)
    .replace(/\\w/g, `[${WORD}]`)
    .replace(/\\b/g, `(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`)
    .replace(/(\[[^\]]*?)\\'/g, "$1'");
const WORD = "\\p{L}\\p{N}_";

/** @param {string} text @param {string} [flags] */
export const compile = (text, flags = "") => new Pattern(text, flags);
/** @param {string} text @param {string} of */
export const search = (text, of) => compile(text).search(of);
/** @param {string} text @param {string} of */
export const split = (text, of) => compile(text).split(of);
export const sub = Object.assign(
  (
    /** @type {string} */ text,
    /** @type {Value} */ other,
    /** @type {string} */ of,
    /** @type {string} */ flags = "",
  ) => compile(text, flags).sub(other, of),
  { $params: ["text", "other", "of", "flags"] },
);
