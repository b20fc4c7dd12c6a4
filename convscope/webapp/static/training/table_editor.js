/**
 * A network as a table of layers, edited in the page: Python says what each row makes, or what is wrong with it.
 */

/** @import { StartTable, TableSizes } from "../types.js" */

import { post, superseded } from "../api.js";
import { el, messageOf, write } from "../element.js";
import { replaceChildren } from "../focus.js";
import { count, several, volume } from "../numbers.js";

const COLUMNS = ["layer", "filters", "size", "stride", "padding", "dilation", "groups", "activation"];
/** As the cells of a row stand in the address. */
const IN_ADDRESS = ["layer", "filters", "size", "stride", "padding", "activation", "dilation", "groups"];
const ACTIVATIONS = ["", "relu", "tanh", "scaled-tanh", "sigmoid", "gelu", "silu", "leaky-relu"];
const NEW = { layer: "conv", filters: "8", size: "3", padding: "same", activation: "relu" };
const PAUSE = 250; // milliseconds without a key

/** @typedef {Record<string, string>} Row */

/**
 * @param {StartTable[]} starts
 * @param {string} given  what stands in the address
 * @param {() => void} changed
 */
export function tableEditor(starts, given, changed) {
  let { rows, input } = read(given) ?? copy(starts[0]);
  let timer = 0;
  /** @type {AbortController | null} */
  let asked = null;
  /** @type {{shape: HTMLElement, parameters: HTMLElement, error: HTMLElement, line: HTMLElement}[]} */
  let told = [];

  const body = el("tbody", {});
  const total = el("p", { class: "caption", role: "status" });
  const size = el("input", {
    class: "text",
    id: "table-input",
    value: input.join("x"),
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "help-table-input",
  });
  const classes = el("input", { class: "text", id: "table-classes", value: "10", inputmode: "numeric" });
  const start = el(
    "select",
    { class: "pill", id: "table-start" },
    el("option", { value: "" }, "Choose …"),
    ...starts.map(({ name }) => el("option", { value: name }, name)),
  );
  start.addEventListener("change", () => {
    const found = starts.find(({ name }) => name === start.value);
    if (!found) return;
    ({ rows, input } = copy(found));
    size.value = input.join("x");
    start.value = "";
    draw();
    changed();
  });
  const element = el(
    "fieldset",
    { class: "own-table", hidden: true },
    el("legend", {}, "The network, layer by layer"),
    el(
      "div",
      { class: "row" },
      el("span", { class: "row" }, el("label", { for: "table-start" }, "Begin with"), start),
      el("span", { class: "row" }, el("label", { for: "table-input" }, "Input"), size),
      el("span", { class: "row" }, el("label", { for: "table-classes" }, "Classes, for the counts"), classes),
    ),
    el(
      "p",
      { class: "caption", id: "help-table-input" },
      "The input is channels x height x width; images are brought to it. A layer's name is its kind and a number: conv1, maxpool1, " +
        "avgpool1, fc1, bn1, dropout1, globalpool1. The last one has “classes” filters.",
    ),
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of layers" },
      el(
        "table",
        { class: "rows editable" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ...COLUMNS.map((name) => el("th", { scope: "col" }, name.charAt(0).toUpperCase() + name.slice(1))),
            ...["Output", "Parameters"].map((name) => el("th", { scope: "col", class: "n" }, name)),
            el("td", {}),
          ),
        ),
        body,
      ),
    ),
    el(
      "div",
      { class: "row" },
      el("button", { class: "pill", type: "button", onclick: () => add(rows.length) }, "Add a layer"),
    ),
    total,
  );

  /** Put the focus on a part of a row, or on the input. @param {string} name */
  function focus(name) {
    const found = /** @type {HTMLElement | null} */ (body.querySelector(`[data-focus="${name}"]`));
    (found ?? size).focus();
  }

  /** @param {number} at */
  function add(at) {
    let number = 1;
    while (rows.some((row) => row.layer === `conv${number}`)) number++;
    rows.splice(at, 0, { ...NEW, layer: `conv${number}` });
    draw();
    changed();
    focus(`${at} layer`);
  }

  /** @param {number} at */
  function remove(at) {
    rows.splice(at, 1);
    draw();
    changed();
    const next = Math.min(at, rows.length - 1);
    focus(`${next} remove`);
  }

  function draw() {
    told = rows.map((row, i) => {
      const shape = el("td", { class: "n" });
      const parameters = el("td", { class: "n" });
      const error = el("td", { colspan: COLUMNS.length + 3, class: "wrong-row" });
      const line = el(
        "tr",
        {},
        ...COLUMNS.map((column) => el("td", {}, cell(row, i, column))),
        shape,
        parameters,
        el(
          "td",
          { class: "row-tools" },
          el(
            "button",
            {
              class: "pill",
              type: "button",
              "data-focus": `${i} insert`,
              "aria-label": `Insert a layer above ${row.layer}`,
              onclick: () => add(i),
            },
            "+",
          ),
          el(
            "button",
            {
              class: "pill",
              type: "button",
              "data-focus": `${i} remove`,
              "aria-label": `Remove ${row.layer}`,
              onclick: () => remove(i),
            },
            "×",
          ),
        ),
      );
      return { shape, parameters, error, line };
    });
    replaceChildren(
      body,
      ...told.flatMap(({ line, error }) => [line, el("tr", { class: "why", hidden: true }, error)]),
    );
  }

  /** @param {Row} row @param {number} i @param {string} column */
  function cell(row, i, column) {
    const label = `${column} of row ${i + 1}`;
    const common = { "aria-label": label, "data-focus": `${i} ${column}` };
    const node =
      column === "activation"
        ? el(
            "select",
            { class: "pill", ...common },
            ...ACTIVATIONS.map((name) =>
              el("option", { value: name, selected: name === (row.activation ?? "") }, name || "none"),
            ),
          )
        : el("input", { class: "text", value: row[column] ?? "", autocomplete: "off", spellcheck: "false", ...common });
    node.addEventListener("input", () => (row[column] = node.value.trim()));
    return node;
  }

  /** The rows without empty cells, as they are sent. */
  const filled = () =>
    rows.map((row) => Object.fromEntries(COLUMNS.filter((name) => row[name]).map((name) => [name, row[name]])));
  const value = () => ({
    rows: filled(),
    input: size.value
      .split(/[x×,\s]+/)
      .map(Number)
      .map((side) => (Number.isInteger(side) ? side : 0)),
    classes: Number(classes.value) || 0,
  });

  function measure() {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  }

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    try {
      show(await post("/training/table", value(), asked.signal));
    } catch (error) {
      if (!superseded(error)) write(total, messageOf(error));
    }
  }

  /** @param {TableSizes} sizes */
  function show({ rows: sized, parameters, error }) {
    sized.forEach((one, i) => {
      if (!told[i]) return;
      const { shape, parameters: own, error: why, line } = told[i];
      write(shape, one.shape ? volume(one.shape) : "–");
      write(own, one.shape ? count(one.parameters) : "–");
      write(why, one.error);
      line.nextElementSibling?.toggleAttribute("hidden", !one.error);
      line.classList.toggle("is-wrong", !!one.error);
    });
    const wrong = sized.filter((one) => one.error).length;
    if (wrong) write(total, `${several(wrong, "row")} cannot be built.`);
    else write(total, error || `${several(parameters, "parameter")} in all.`);
  }

  draw();
  return {
    element,
    measure,
    value,
    /** As it stands in the address: rows apart by ~, cells by commas. */
    text: () => [size.value, ...rows.map(textOf)].join("~"),
  };
}

/** @param {StartTable} start */
const copy = ({ rows, input }) => ({ rows: rows.map((row) => ({ ...row })), input: [...input] });

/** Without the empty cells at its end. @param {Row} row */
const textOf = (row) =>
  IN_ADDRESS.map((name) => row[name] ?? "")
    .join(",")
    .replace(/,+$/, "");

/** @param {string} text @returns {{rows: Row[], input: number[]} | null} */
function read(text) {
  const [input, ...lines] = text.split("~");
  if (!lines.length) return null;
  const rows = lines.map((line) => {
    const cells = line.split(",");
    return Object.fromEntries(IN_ADDRESS.map((name, i) => [name, cells[i] ?? ""]));
  });
  return { rows, input: input.split("x").map(Number) };
}
