/** Stylesheets that a screen brings with it. A page that is a file has them all, see course/styles.js. */

/** The stylesheets that were asked for. @type {Map<string, Promise<void>>} */
const loading = new Map();

/** Have a stylesheet of /static/style; resolves when it is there. @param {string} name @returns {Promise<void>} */
export function styles(name) {
  const known = loading.get(name);
  if (known) return known;
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: `/static/style/${name}` });
  /** @type {Promise<void>} */
  const ready = new Promise((resolve) => {
    for (const event of ["load", "error"]) link.addEventListener(event, () => resolve());
  });
  loading.set(name, ready);
  document.head.append(link);
  return ready;
}
