/** Choose a class: a list of the likeliest, and a search where there are many. */

/** @import { LabImage, Network } from "../types.js" */

import { dialog, el, write } from "../element.js";
import { count, percent } from "../numbers.js";

const LISTED = 30; // classes of a list; the others are searched

/**
 * @param {Network} net @param {LabImage} image
 * @param {{label: string, chosen: number | null, none: string, choose: (index: number | null) => void}} how
 *   `none` is what the choice of no class is called
 */
export function classChooser(net, image, { label, chosen, none, choose }) {
  const likeliest = image.predictions;
  const listed = likeliest.length <= LISTED + 10 ? likeliest : likeliest.slice(0, LISTED);
  const isListed = chosen === null || listed.some(({ index }) => index === chosen);
  const more = "more";
  const select = el(
    "select",
    {
      class: "pill",
      "aria-label": label,
      onchange: (event) => {
        const { value } = event.target;
        if (value !== more) return choose(value === "" ? null : Number(value));
        event.target.value = chosen === null ? "" : String(chosen);
        find(net, label, choose);
      },
    },
    el("option", { value: "", selected: chosen === null }, none),
    isListed ? null : el("option", { value: chosen, selected: true }, net.classes[chosen ?? 0]),
    ...listed.map(({ index, class: name, probability }) =>
      el("option", { value: index, selected: index === chosen }, `${name} · ${percent(probability)}`),
    ),
    listed.length < likeliest.length ? el("option", { value: more }, `Another of ${count(likeliest.length)}…`) : null,
  );
  return el("label", { class: "asked-for" }, el("span", { class: "caption" }, label), select);
}

/** Search a class by a part of its name. @param {Network} net @param {string} label @param {(index: number) => void} choose */
function find(net, label, choose) {
  const list = el("ul", { class: "found", role: "list", "aria-label": "Classes found" });
  const status = el("p", { class: "caption", role: "status" });
  const input = el("input", {
    class: "field-of-text",
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    autofocus: true,
    "aria-label": "Part of a class's name",
    oninput: () => show(),
    onkeydown: (event) => event.key === "Enter" && found.length && take(found[0]),
  });
  const box = dialog(label, input, list, status);
  /** @type {number[]} */
  let found = [];
  /** @param {number} index */
  const take = (index) => {
    box.close();
    choose(index);
  };
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = [...net.classes.keys()].filter((k) => words.every((word) => net.classes[k].toLowerCase().includes(word)));
    list.replaceChildren(
      ...found
        .slice(0, LISTED)
        .map((k) => el("li", {}, el("button", { class: "quiet", onclick: () => take(k) }, net.classes[k]))),
    );
    const first = found.length > LISTED ? `, the first ${LISTED} shown` : "";
    write(
      status,
      found.length ? `${count(found.length)} of ${count(net.classes.length)} classes${first}` : "No class.",
    );
  };
  show();
}
