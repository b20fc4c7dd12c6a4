/** Elements, made in one expression, and sentences for a screen reader. */

import { visible } from "./words.js";

export { styles } from "./styles.js";

/** @import { Child, Properties, Styles } from "./types.js" */

/** Attributes that are read, or read out; others are data of the page. */
const READ = new Set(["title", "aria-label", "alt", "placeholder"]);

/**
 * Make an element: `el("button", {class: "pill", onclick}, "Play")`. Properties that start with "on" are
 * listeners; null and false properties are left out; null children are left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/**
 * The same for SVG.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

/**
 * @template {HTMLElement | SVGElement} Element
 * @param {Element} node
 * @param {Properties} properties
 * @param {Child[]} children
 */
function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "style") setStyle(node, /** @type {Styles} */ (value));
    else node.setAttribute(name, value === true ? "" : READ.has(name) ? visible(String(value)) : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined) node.append(child instanceof Node ? child : visible(String(child)));
  }
  return node;
}

/** @param {HTMLElement | SVGElement} node @param {Styles} styles */
function setStyle(node, styles) {
  for (const [name, value] of Object.entries(styles)) node.style.setProperty(name, String(value));
}

/** One of the parts of the page: bar, strip, trail, picture, stage. @param {string} id */
export const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** What draws on a canvas. @param {HTMLCanvasElement} canvas @param {CanvasRenderingContext2DSettings} [settings] */
export const contextOf = (canvas, settings) =>
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", settings));

/** What an error says. @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** Tell a screen reader, in a sentence. @param {string} sentence */
export function say(sentence) {
  const said = document.getElementById("said");
  if (said) write(said, sentence);
}

/** Put text into an element. @param {Element} node @param {string} text */
export function write(node, text) {
  node.textContent = visible(text);
}

/** Name the page in the browser's tab. @param {string} text */
export function entitle(text) {
  document.title = visible(text);
}

/** A dialog over the page that takes itself away when it is closed. @param {string} label @param {...Node} children */
export function dialog(label, ...children) {
  const box = el("dialog", { class: "card", "aria-label": label }, ...children);
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => event.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}
