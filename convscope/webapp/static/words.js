/** Words of others are data: names of files, classes and layers as they are shown. */

const HIDDEN = new RegExp(
  "[\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f" +
    "\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb" +
    "\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e007f}\\ud800-\\udfff]" +
    "|(?<![^\\u0000-\\u007f\\u200c\\u200d])[\\u200c\\u200d]|[\\u200c\\u200d](?![^\\u0000-\\u007f\\u200c\\u200d])",
  "gu",
);

/**
 * Text in which control characters, and what would turn or hide the text around it, are written as Python does:
 * `\x1b`, `\u202e`. Line breaks stay.
 * @param {string} text
 */
export const visible = (text) => text.replace(HIDDEN, escaped);

/** @param {string} letter */
function escaped(letter) {
  if (letter === "\r") return "\\r";
  if (letter === "\t") return "\\t";
  const code = letter.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

/** @param {number} code @param {number} digits */
const hex = (code, digits) => code.toString(16).padStart(digits, "0");
