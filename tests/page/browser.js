/** The little of a browser that pure modules ask for: where the page is, and the colors of its theme. */

/** @param {string} to  path and query */
export function visit(to) {
  const { pathname, search } = new URL(to, "http://localhost");
  Object.assign(globalThis, { location: { pathname, search } });
}

/** @param {Record<string, string>} colors  the values of CSS variables by their names */
export function paint(colors) {
  Object.assign(globalThis, {
    document: { documentElement: {} },
    getComputedStyle: () => ({ getPropertyValue: (/** @type {string} */ name) => colors[name.slice(2)] ?? "" }),
  });
}
