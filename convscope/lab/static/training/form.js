/**
 * The form that starts a training. Only what was changed is sent; it stands in the address, so nothing typed is lost.
 */

/** @import { Choice, FormSchema, Setting, SettingGroup } from "../types.js" */

import { post } from "../api.js";
import { el, messageOf } from "../element.js";
import { several } from "../numbers.js";
import { redraw, travel } from "../state.js";

/**
 * @typedef {{setting: Setting, element: HTMLElement, input: HTMLInputElement | HTMLSelectElement}} Field
 */

const PAUSE = 400; // milliseconds without a key
const LENGTHS = ["epochs", "steps", "max_minutes"];
const USUAL = ["batch_size", "lr", "optimizer", "augment"];
/** @type {Record<string, string>} */
const NAMES = {
  epochs: "number of epochs",
  steps: "number of steps",
  max_minutes: "number of minutes",
  lr: "learning rate",
  optimizer: "optimizer",
  augment: "augmentation",
  val: "validation fraction",
  test: "test fraction",
  backbone_lr_scale: "backbone learning rate scale",
  clip_grad_norm: "largest gradient norm",
  resize_mode: "resize mode",
};

/** "batch_size" -> "Batch size" @param {string} name */
const title = (name) => {
  const text = NAMES[name] ?? name.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};
/** A default as it is typed. @param {unknown} value */
function typed(value) {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/**
 * @param {FormSchema} choices
 * @param {(sentence: string) => void} setNote  what the next page says first
 */
export function form(choices, setNote) {
  const asked = new URLSearchParams(location.search);
  const all = choices.groups.flatMap((group) => group.settings);
  /** @type {Map<string, Field>} */
  const fields = new Map(
    all
      .filter(({ name }) => name !== "model")
      .map((setting) => [setting.name, field(setting, asked.get(setting.name))]),
  );
  const data = picker("data", "Data", [...choices.local_data, ...choices.sources], asked.get("data"));
  const model = picker(
    "model",
    "Network",
    choices.networks,
    asked.get("model") ?? all.find(({ name }) => name === "model")?.default,
  );
  const name = el("input", {
    class: "text",
    id: "set-name",
    value: asked.get("name") ?? "",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "help-name",
  });
  const refusal = el("p", { class: "note", role: "alert", hidden: true });
  const changed = el("p", { class: "caption changed" });
  const go = el("button", { class: "pill main", type: "submit" }, "Start training");
  const length = lengths(fields, LENGTHS.find((one) => asked.has(one)) ?? "epochs");
  const top = ["data", "model", ...LENGTHS, ...USUAL];
  const folded = choices.groups.flatMap((group) => {
    const shown = group.settings.filter((setting) => !top.includes(setting.name));
    return fold(
      group,
      shown.flatMap((setting) => fields.get(setting.name) ?? []),
    );
  });
  const element = el(
    "form",
    { class: "card start", novalidate: true, "aria-label": "Start a training" },
    el("h3", {}, "Start a training"),
    el("div", { class: "two" }, data.element, model.element),
    el("div", { class: "usual" }, length.element, ...USUAL.map((one) => fields.get(one)?.element)),
    ...folded.map((one) => one.element),
    el(
      "div",
      { class: "setting" },
      el("label", { for: "set-name" }, "Name of the run"),
      name,
      el("p", { class: "caption", id: "help-name" }, "Letters, digits, - and _. Default: date, network and data."),
    ),
    refusal,
    el("div", { class: "row" }, go, changed),
  );

  let timer = 0;

  /** What differs from the defaults, as it is sent. */
  function settings() {
    /** @type {Record<string, unknown>} */
    const sent = {};
    if (model.value() !== all.find((setting) => setting.name === "model")?.default) sent.model = model.value();
    for (const [key, one] of fields) {
      if (LENGTHS.includes(key) && key !== length.chosen()) continue;
      const text = textOf(one);
      if (text !== typed(one.setting.default) && text !== "") sent[key] = valueOf(one.setting, text);
    }
    return sent;
  }

  function touched() {
    const now = settings();
    const query = new URLSearchParams({
      ...(data.value() === data.first ? {} : { data: data.value() }),
      ...Object.fromEntries(Object.entries(now).map(([key, value]) => [key, typed(value)])),
      ...(name.value ? { name: name.value } : {}),
    });
    if (length.chosen() !== "epochs" && !query.has(length.chosen())) query.set(length.chosen(), "");
    history.replaceState(null, "", location.pathname + (query.size ? `?${query}` : ""));
    clearTimeout(timer);
    timer = setTimeout(() => element.isConnected && redraw(), PAUSE); // so that the page knows where it was left
    const names = Object.keys(now).filter((key) => key !== "model");
    changed.textContent = names.length
      ? `Changed: ${names.map((key) => `${title(key).toLowerCase()} ${typed(now[key])}`).join(", ")}.`
      : "All settings are at their defaults.";
    folded.forEach((one) => one.count(names));
    for (const [key, one] of fields) one.element.classList.toggle("is-changed", names.includes(key));
    for (const bad of element.querySelectorAll("[aria-invalid]")) bad.removeAttribute("aria-invalid");
  }

  /** @param {SubmitEvent} event */
  async function start(event) {
    event.preventDefault();
    [refusal.hidden, go.disabled] = [true, true];
    try {
      const { run, message } = await post("/runs", {
        data: data.value(),
        settings: settings(),
        name: name.value.trim() || null,
      });
      setNote(message ?? "");
      travel(`/train/${encodeURIComponent(run)}`);
    } catch (error) {
      refusal.textContent = messageOf(error);
      [refusal.hidden, go.disabled] = [false, false];
      point(messageOf(error), fields, name);
    }
  }

  element.addEventListener("input", touched);
  element.addEventListener("submit", start);
  touched();
  return element;
}

/**
 * A field that the refusal names gets the focus.
 * @param {string} sentence @param {Map<string, Field>} fields @param {HTMLInputElement} name
 */
function point(sentence, fields, name) {
  const words = sentence.replaceAll("-", "_");
  const found = [...fields].find(
    ([key]) =>
      new RegExp(`(^|[^a-z])(__)?${key}([^a-z_]|$)`).test(words) &&
      (words.includes(`__${key} `) || words.includes(`: ${key} `)),
  );
  const input = found ? found[1].input : /name/i.test(sentence) && name.value ? name : null;
  if (!input) return;
  input.closest("details")?.setAttribute("open", "");
  input.setAttribute("aria-invalid", "true");
  input.focus();
}

/** @param {Field} field */
const textOf = ({ input, setting }) =>
  setting.kind === "switch" ? String(/** @type {HTMLInputElement} */ (input).checked) : input.value.trim();

/**
 * What was typed as its kind; what cannot be read goes as it is, and the server says what it expects.
 * @param {Setting} setting @param {string} text
 */
function valueOf({ kind, choices }, text) {
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
function field(setting, given) {
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
function picker(name, label, list, given) {
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
    sentence.textContent = one?.description ?? "";
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
function lengths(fields, first) {
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
    el(
      "div",
      { class: "row" },
      ...boxes.map((box) => el("label", { for: box.id }, box, box.value[0].toUpperCase() + box.value.slice(1))),
    ),
    ...shown,
  );
  return { element, chosen: () => now };
}

/**
 * A group of settings, closed until it is wanted or has something changed.
 * @param {SettingGroup} group @param {Field[]} inside
 */
function fold(group, inside) {
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
    tally.textContent = n ? `${n} of ${several(names.length, "setting")} changed` : several(names.length, "setting");
  };
  return [{ element, count }];
}
