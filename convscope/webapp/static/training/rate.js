/** The learning rate, set by hand while a training runs. */

/** @import { Run } from "../types.js" */

import { post } from "../api.js";
import { el, messageOf, write } from "../element.js";
import { short } from "./words.js";

/** @param {string} run */
export function rateControl(run) {
  const field = el("input", {
    class: "text",
    id: "rate-now",
    inputmode: "decimal",
    autocomplete: "off",
    spellcheck: "false",
  });
  const told = el("p", { class: "caption", role: "status" });
  const changes = el("p", { class: "caption" });
  /** @param {string} text @param {string} label @param {number} factor */
  const times = (text, label, factor) =>
    el(
      "button",
      { class: "pill", type: "button", "aria-label": label, onclick: () => shown?.now && send(factor * shown.now.lr) },
      text,
    );
  const form = el(
    "form",
    { class: "row rate", "aria-label": "Change the learning rate", hidden: true },
    el("label", { for: "rate-now" }, "From the next step on"),
    field,
    el("button", { class: "pill", type: "submit" }, "Set"),
    times("÷ 10", "÷ 10: divide the learning rate by 10", 0.1),
    times("÷ 2", "÷ 2: halve the learning rate", 0.5),
    times("× 2", "× 2: double the learning rate", 2),
  );
  /** @type {Run | null} */
  let shown = null;
  let waitsFor = 0;

  /** @param {unknown} lr */
  async function send(lr) {
    if (waitsFor) return; // the rate that is multiplied may be an old one
    waitsFor = Infinity;
    write(told, "Waiting for the next step…");
    try {
      waitsFor = (await post(`/runs/${encodeURIComponent(run)}/commands`, { command: "lr", lr })).id;
      field.value = "";
    } catch (error) {
      waitsFor = 0;
      write(told, messageOf(error));
      field.focus();
    }
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text && Number.isFinite(Number(text))) return void send(Number(text));
    if (text) write(told, `“${text}” is not a number. Enter one such as 0.01.`);
    field.focus();
  });

  return {
    element: el("div", { class: "by-hand" }, form, told, changes),
    /** @param {Run} run */
    draw(run) {
      shown = run;
      const { now, state } = run;
      form.hidden = !["training", "evaluating", "paused"].includes(state);
      field.placeholder = now ? short(now.lr, 3) : "";
      if (waitsFor && (now?.acknowledged ?? 0) >= waitsFor) {
        waitsFor = 0;
        write(told, "The schedule goes on from there in proportion; the change is saved with the run.");
      }
      if (waitsFor && form.hidden) {
        waitsFor = 0;
        write(told, "The training ended before the next step: the learning rate was not changed.");
      }
      changes.hidden = !now?.lr_changes;
      write(changes, `Set by hand: ${now?.lr_changes ?? ""}.`);
    },
  };
}
