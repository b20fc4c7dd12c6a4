/** On to the form that trains a network. */

import { el } from "./element.js";
import { travel } from "./state.js";

/** @param {{title: string}} net */
export function trainLink({ title }) {
  const to = `/train?model=${encodeURIComponent(title)}`;
  /** @param {MouseEvent} event */
  const act = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    travel(to);
  };
  return el("a", { class: "pill main", href: to, onclick: act }, "Train this");
}

/** Random weights mean nothing until they are trained. @param {{warning: string}} net */
export const isRandom = ({ warning }) => warning.startsWith("Random weights");
