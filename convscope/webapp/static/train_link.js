/** On to the form that trains a network. */

import { ask } from "./api.js";
import { el, write } from "./element.js";
import { travel } from "./state.js";

/** "Train this: about 5 seconds" @param {{title: string}} net */
export function trainLink({ title }) {
  const to = `/train?model=${encodeURIComponent(title)}&data=digits`;
  /** @param {MouseEvent} event */
  const act = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    travel(to);
  };
  const link = el("a", { class: "pill main", href: to, onclick: act }, "Train this");
  estimate(title).then((words) => {
    if (!words) return;
    write(link, `Train this: ${words}`);
    link.title = "On handwritten digits, with the settings by default, if this machine has nothing else to do";
  });
  return link;
}

/** "about 5 seconds", or "" where it is not known. @param {string} model @returns {Promise<string>} */
export async function estimate(model) {
  try {
    const answer = await ask(`/training/estimate?model=${encodeURIComponent(model)}`);
    return (await answer.json()).words;
  } catch {
    return "";
  }
}

/** Random weights mean nothing until they are trained. @param {{warning: string}} net */
export const isRandom = ({ warning }) => warning.startsWith("Random weights");
