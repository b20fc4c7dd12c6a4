/**
 * The form that starts a training. Only what was changed is sent; it stands in the address, so nothing typed is lost.
 */

/** @import { FormSchema } from "../types.js" */
/** @import { Field } from "./form_fields.js" */

import { post } from "../api.js";
import { el, messageOf, write } from "../element.js";
import { redraw, travel } from "../state.js";
import { LENGTHS, field, fold, lengths, picker, textOf, title, typed, valueOf } from "./form_fields.js";
import { preview } from "./preview.js";
import { tableEditor } from "./table_editor.js";

const PAUSE = 400; // milliseconds without a key

const OWN = "a table of your own";
const USUAL = ["batch_size", "lr", "optimizer", "augment"];

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
    [...choices.networks, { name: OWN, description: "Its layers, row by row, as in a layer table." }],
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
  const table = tableEditor(choices.tables, asked.get("table") ?? "", () => touched());
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
    table.element,
    el("div", { class: "usual" }, length.element, ...USUAL.map((one) => fields.get(one)?.element)),
    ...folded.map((one) => one.element),
    preview(() => ({ data: data.value(), settings: settings() })),
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
    if (model.value() !== OWN && model.value() !== all.find((setting) => setting.name === "model")?.default)
      sent.model = model.value();
    for (const [key, one] of fields) {
      if (LENGTHS.includes(key) && key !== length.chosen()) continue;
      const text = textOf(one);
      if (text !== typed(one.setting.default) && text !== "") sent[key] = valueOf(one.setting, text);
    }
    return sent;
  }

  const isOwn = () => model.value() === OWN;

  function touched() {
    const now = settings();
    const query = new URLSearchParams({
      ...(data.value() === data.first ? {} : { data: data.value() }),
      ...Object.fromEntries(Object.entries(now).map(([key, value]) => [key, typed(value)])),
      ...(name.value ? { name: name.value } : {}),
      ...(isOwn() ? { model: OWN, table: table.text() } : {}),
    });
    table.element.hidden = !isOwn();
    if (isOwn()) table.measure();
    if (length.chosen() !== "epochs" && !query.has(length.chosen())) query.set(length.chosen(), "");
    history.replaceState(null, "", location.pathname + (query.size ? `?${query}` : ""));
    clearTimeout(timer);
    timer = setTimeout(() => element.isConnected && redraw(), PAUSE); // so that the page knows where it was left
    const names = Object.keys(now).filter((key) => key !== "model");
    write(
      changed,
      names.length
        ? `Changed: ${names.map((key) => `${title(key).toLowerCase()} ${typed(now[key])}`).join(", ")}.`
        : "All settings are at their defaults.",
    );
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
        ...(isOwn() ? { table: table.value() } : {}),
      });
      setNote(message ?? "");
      travel(`/train/${encodeURIComponent(run)}`);
    } catch (error) {
      write(refusal, messageOf(error));
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
