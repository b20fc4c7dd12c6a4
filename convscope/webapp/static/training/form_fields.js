/** The fields of the form: one for each setting, lists of data and networks, and groups that fold. */

/** @import { Choice, Setting, SettingGroup } from "../types.js" */

import { el, write } from "../element.js";
import { several } from "../numbers.js";

/**
 * @typedef {{setting: Setting, element: HTMLElement, input: HTMLInputElement | HTMLSelectElement}} Field
 */

/** @type {Record<string, string>} */
const CHOICES = { epochs: "Epochs", steps: "Steps", max_minutes: "Minutes" };
export const LENGTHS = Object.keys(CHOICES);

/** @type {Record<string, string>} */
const NAMES = {
  epochs: "number of epochs",
  steps: "number of steps",
  max_minutes: "number of minutes",
  lr: "learning rate",
  optimizer: "optimizer",
  augment: "augmentation",
  mixup: "mixup alpha",
  cutmix: "CutMix alpha",
  val: "validation fraction",
  test: "test fraction",
  backbone_lr_scale: "backbone learning rate scale",
  clip_grad_norm: "largest gradient norm",
  swa_start: "start of weight averaging (SWA)",
  swa_lr: "learning rate from then on (SWA)",
  ema: "decay of the weights' average",
  resize_mode: "resize mode",
};

/** "batch_size" -> "Batch size" @param {string} name */
export const title = (name) => {
  const text = NAMES[name] ?? name.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};

/** A default as it is typed. @param {unknown} value */
export function typed(value) {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/** @param {Field} field */
export const textOf = ({ input, setting }) =>
  setting.kind === "switch" ? String(/** @type {HTMLInputElement} */ (input).checked) : input.value.trim();

/**
 * What was typed as its kind; what cannot be read goes as it is, and the server says what it expects.
 * @param {Setting} setting @param {string} text
 */
export function valueOf({ kind, choices }, text) {
  /** @param {string} word */
  const number = (word) => (word !== "" && Number.isFinite(Number(word)) ? Number(word) : word);
  if (kind === "number" || kind === "whole") return number(text);
  if (kind === "switch") return text === "true";
  if (kind === "list")
    return text
      .split(/[,\s]+/)
      .filter(Boolean)
      .map(number);
  if (kind === "choice") return choices.find((choice) => String(choice) === text) ?? text;
  return text;
}

/** @param {Setting} setting @param {string | null} given @returns {Field} */
export function field(setting, given) {
  const { name, help } = setting;
  const id = `set-${name}`;
  const start = given ?? typed(setting.default);
  const input = inputOf(setting, id, start);
  const element = el(
    "div",
    { class: "setting" },
    el("label", { for: id }, title(name)),
    input,
    el("p", { class: "caption", id: `help-${name}` }, help),
  );
  return { setting, element, input };
}

/** @param {Setting} setting @param {string} id @param {string} start @returns {HTMLInputElement | HTMLSelectElement} */
function inputOf(setting, id, start) {
  const describedBy = { "aria-describedby": `help-${setting.name}` };
  if (setting.kind === "choice") return select(id, setting, start);
  if (setting.kind === "switch")
    return el("input", { type: "checkbox", id, checked: start === "true", ...describedBy });
  return el("input", {
    class: "text",
    id,
    value: start,
    placeholder: setting.default === null ? "automatic" : null,
    inputmode: setting.kind === "text" ? null : "decimal",
    autocomplete: "off",
    spellcheck: "false",
    ...describedBy,
  });
}

/** @param {string} id @param {Setting} setting @param {string} start */
function select(id, { name, choices, default: usual }, start) {
  const all = usual === null ? ["", ...choices] : choices;
  return el(
    "select",
    { class: "pill", id, "aria-describedby": `help-${name}` },
    ...all.map((choice) =>
      el(
        "option",
        { value: String(choice), selected: String(choice) === start },
        choice === "" ? "automatic" : String(choice),
      ),
    ),
  );
}

/**
 * Data or network: a list, and a sentence on what is chosen.
 * @param {string} name @param {string} label @param {Choice[]} list @param {unknown} given
 */
export function picker(name, label, list, given) {
  const id = `set-${name}`;
  const sentence = el("p", { class: "caption", id: `help-${name}` });
  const input = /** @type {HTMLSelectElement} */ (
    el(
      "select",
      { class: "pill", id, "aria-describedby": `help-${name}` },
      ...list.map((one) => el("option", { value: one.name, selected: one.name === given }, one.name)),
    )
  );
  const describe = () => {
    const one = list.find((other) => other.name === input.value);
    write(sentence, one?.description ?? "");
  };
  input.addEventListener("change", describe);
  describe();
  return {
    element: el("div", { class: "setting" }, el("label", { for: id }, label), input, sentence),
    value: () => input.value,
    first: list[0]?.name,
  };
}

/** Epochs, steps or minutes: one of them says how long. @param {Map<string, Field>} fields @param {string} first */
export function lengths(fields, first) {
  let now = first;
  const boxes = LENGTHS.map((name) =>
    el("input", { type: "radio", name: "length", id: `by-${name}`, value: name, checked: name === now }),
  );
  const shown = LENGTHS.map((name) => fields.get(name)?.element);
  const choose = () => {
    now = boxes.find((box) => box.checked)?.value ?? now;
    LENGTHS.forEach((name, i) => shown[i] && (shown[i].hidden = name !== now));
  };
  boxes.forEach((box) => box.addEventListener("change", choose));
  choose();
  const element = el(
    "fieldset",
    { class: "length" },
    el("legend", { class: "caption" }, "How long"),
    el("div", { class: "row" }, ...boxes.map((box) => el("label", { for: box.id }, box, CHOICES[box.value]))),
    ...shown,
  );
  return { element, chosen: () => now };
}

/**
 * A group of settings, closed until it is wanted or has something changed.
 * @param {SettingGroup} group @param {Field[]} inside
 */
export function fold(group, inside) {
  if (!inside.length) return [];
  const tally = el("span", { class: "caption" });
  const names = inside.map((one) => one.setting.name);
  const asked = new URLSearchParams(location.search);
  const element = el(
    "details",
    { open: names.some((name) => asked.has(name)) },
    el("summary", {}, group.name, " ", tally),
    el("div", { class: "settings" }, ...inside.map((one) => one.element)),
  );
  /** @param {string[]} changed */
  const count = (changed) => {
    const n = names.filter((name) => changed.includes(name)).length;
    write(tally, n ? `${n} of ${several(names.length, "setting")} changed` : several(names.length, "setting"));
  };
  return [{ element, count }];
}
