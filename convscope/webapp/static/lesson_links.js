/** From a layer to the lessons about it. */

/** @import { Row } from "./types.js" */

import { ask } from "./api.js";
import { el } from "./element.js";
import { travel } from "./state.js";

const MOST = 3; // lessons that are named

/** The titles of the lessons, asked for once. @type {Promise<Map<string, string>> | null} */
let titles = null;

/** @returns {Promise<Map<string, string>>} */
async function read() {
  const { lessons } = await (await ask("/lessons")).json();
  return new Map(lessons.map((/** @type {{name: string, title: string}} */ one) => [one.name, one.title]));
}

/** "Lessons: The filter takes larger steps · ..." @param {Row} row @returns {HTMLElement | null} */
export function lessonLinks({ lessons }) {
  if (!lessons.length) return null;
  const named = lessons.slice(0, MOST);
  const line = el("p", { class: "caption lessons" });
  titles ??= read();
  titles.then(
    (known) =>
      line.replaceChildren(
        named.length > 1 ? "Lessons about it: " : "The lesson about it: ",
        ...named.flatMap((name, place) => [place ? " · " : "", toLesson(name, known.get(name) ?? name)]),
      ),
    () => {
      titles = null;
      line.remove();
    },
  );
  return line;
}

/** @param {string} name @param {string} title */
function toLesson(name, title) {
  const href = `/learn/${name}`;
  /** @param {MouseEvent} event */
  const act = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    travel(href);
  };
  return el("a", { href, onclick: act }, title);
}
