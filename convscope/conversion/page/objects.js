/** The objects that a network finds, drawn over the image. */

/** @import { FoundObject } from "./network.js" */

const SVG = "http://www.w3.org/2000/svg";
const LINES = 26; // of text that the longer side of an image has room for

/**
 * @param {SVGElement} over @param {FoundObject[]} objects  by falling score @param {string[]} classes
 * @param {{ width: number, height: number }} size  of the image
 */
export function drawObjects(over, objects, classes, { width, height }) {
  over.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const letter = Math.max(width, height) / LINES;
  const drawn = [...objects].reverse().flatMap(({ label, score, box: [left, top, right, bottom] }) => {
    const sides = { x: left, y: top, width: right - left, height: bottom - top };
    const y = top > 1.3 * letter ? top - 0.3 * letter : Math.min(top + letter, height);
    const text = made("text", { x: left, y, "font-size": letter, "stroke-width": letter / 4 });
    text.textContent = `${classes[label]} ${score.toFixed(2)}`;
    return [made("rect", { class: "halo", ...sides }), made("rect", sides), text];
  });
  over.replaceChildren(...drawn);
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function made(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
