/** Elements, made in one expression, and sentences for a screen reader. */

/**
 * Make an element: `el("button", {class: "pill", onclick}, "Play")`. Properties that start with "on" are
 * listeners; null and false properties are left out; null children are left out.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | number | null | undefined)} children
 * @returns {HTMLElement}
 */
export function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | number | null | undefined)} children
 * @returns {SVGElement}
 */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(
    ...children.filter((c) => c !== null && c !== undefined).map((c) => (typeof c === "number" ? String(c) : c)),
  );
  return node;
}

/** One of the parts of the page: bar, strip, trail, picture, stage. @param {string} id */
export const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Have a stylesheet of /static/style; resolves when it is there. @param {string} name @returns {Promise<void>} */
export function styles(name) {
  const href = `/static/style/${name}`;
  const held = document.head.querySelector(`link[href="${href}"]`);
  if (held) return /** @type {any} */ (held).ready ?? Promise.resolve();
  const link = /** @type {any} */ (el("link", { rel: "stylesheet", href }));
  link.ready = new Promise((resolve) =>
    ["load", "error"].forEach((name) => link.addEventListener(name, () => resolve())),
  );
  document.head.append(link);
  return link.ready;
}

/** Tell a screen reader, in a sentence. @param {string} sentence */
export function say(sentence) {
  const said = document.getElementById("said");
  if (said) said.textContent = sentence;
}

/** A dialog over the page that takes itself away when it is closed. @param {string} label @param {...Node} children */
export function dialog(label, ...children) {
  const box = /** @type {HTMLDialogElement} */ (el("dialog", { class: "card", "aria-label": label }, ...children));
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => event.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}
