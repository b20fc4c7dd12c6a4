/** The data of a page that is a file: an index, and bytes in elements of their own. */

/** @type {{blobs: Record<string, number>}} */
export const index = JSON.parse(document.getElementById("index")?.textContent ?? "{}");

const parsed = new Promise((resolve) =>
  document.readyState === "loading" ? addEventListener("DOMContentLoaded", resolve) : resolve(null),
);
/** @type {Map<string, Promise<Uint8Array<ArrayBuffer>>>} */
const bytes = new Map();

/**
 * The bytes of an element of this file, once the browser has read as far.
 * @param {string} key @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function blob(key) {
  const id = `b${index.blobs[key]}`;
  if (!document.getElementById(id)?.nextElementSibling) await parsed;
  const text = document.getElementById(id)?.textContent ?? "";
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Undo the compression. @param {Uint8Array<ArrayBuffer>} data */
export async function inflate(data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {string} key */
export function inflated(key) {
  const found = bytes.get(key) ?? blob(key).then(inflate);
  bytes.set(key, found);
  return found;
}
