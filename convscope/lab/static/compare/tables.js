/** Results, settings and sizes, in tables. */

import { el } from "../element.js";
import { count } from "../numbers.js";
import { exactly } from "../training/curves.js";
import { inside } from "../training/list.js";
import { duration, inWords, short, when } from "../training/words.js";
import { letter, swatch } from "./chooser.js";

const NONE = "–";
const known = (value, text) => (value === null || value === undefined ? NONE : text(value));
const section = (title, ...children) => el("section", { class: "card" }, el("h3", {}, title), ...children);
const scroll = (label, table) =>
  el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);

/** @param {string} label @param {[string, boolean][]} heads  text, and whether its column holds numbers @param {(Node | string)[][]} rows  the first is the row's name */
function table(label, heads, rows) {
  const numeric = (i) => (heads[i][1] ? "n" : null);
  return scroll(
    label,
    el(
      "table",
      { class: "rows" },
      el("thead", {}, el("tr", {}, ...heads.map(([text], i) => el("th", { scope: "col", class: numeric(i) }, text)))),
      el(
        "tbody",
        {},
        ...rows.map(([first, ...rest]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, first),
            ...rest.map((one, i) => el("td", { class: numeric(i + 1) }, one)),
          ),
        ),
      ),
    ),
  );
}

/** @param {import("./screen.js").Run[]} runs */
export function resultTable(runs) {
  /** @type {[string, boolean][]} */
  const heads = [
    ["Run", false],
    ["State", false],
    ["Test accuracy", true],
    ["95% interval", true],
    ["Validation, best", true],
    ["Epochs", true],
    ["Steps", true],
    ["Time", true],
    ["Images per second", true],
    ["Parameters", true],
    ["Multiply-adds", true],
    ["Begun", false],
  ];
  return section(
    "Results",
    table(
      "Results",
      heads,
      runs.map((run, i) => [
        el("span", { class: "named" }, swatch(i), el("a", inside(`/train/${encodeURIComponent(run.name)}`), run.name)),
        inWords(run.state),
        known(run.test, (test) => `${exactly(test.top1)} (${count(test.num_correct)} of ${count(test.images)})`),
        known(run.test, (test) => `${exactly(test.low)} to ${exactly(test.high)}`),
        known(run.val_top1, exactly),
        count(run.epochs),
        count(run.steps),
        known(run.seconds, duration),
        known(run.images_per_second, (v) => count(Math.round(v))),
        known(run.parameters, count),
        known(run.multiply_adds, count),
        when(run.when),
      ]),
    ),
  );
}

/** @param {any} value */
function plain(value) {
  if (value === null || value === undefined || value === "") return NONE;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(plain).join(", ");
  if (typeof value === "number")
    return Number.isInteger(value)
      ? count(value)
      : short(value, 6)
          .replace(/(\.\d*?)0+$/, "$1")
          .replace(/\.$/, "");
  return String(value);
}

/**
 * @param {import("./screen.js").Run[]} runs @param {import("./screen.js").Setting[]} settings
 * @param {boolean} whole @param {() => void} toggle
 */
export function settingTable(runs, settings, whole, toggle) {
  const differing = settings.filter((one) => one.differs),
    equal = settings.filter((one) => !one.differs);
  /** @type {[string, boolean][]} */
  const heads = [
    ["Setting", false],
    ["Group", false],
    ...runs.map((_, i) => /** @type {[string, boolean]} */ ([letter(i), true])),
  ];
  const line = (one) => [
    el("span", { title: one.help || null, class: one.differs ? "differs" : null }, one.name.replaceAll("_", " ")),
    one.group,
    ...one.values.map(plain),
  ];
  return section(
    "Settings",
    el("p", { class: "caption" }, differing.length ? "What differs comes first." : "Nothing differs."),
    differing.length || whole
      ? table("Settings", heads, [...differing, ...(whole ? equal : [])].map(line))
      : el("span", {}),
    equal.length
      ? el(
          "button",
          { class: "pill after", "aria-label": "Equal settings", "aria-expanded": String(whole), onclick: toggle },
          whole ? "Hide what is equal" : `Show the ${count(equal.length)} that are equal`,
        )
      : el("span", {}),
  );
}

/** 25165824 -> "25.2 MB" @param {number} bytes */
const bytes = (bytes) => (bytes < 1e6 ? `${count(Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** @param {import("./screen.js").Network[]} networks */
export function networkTable(networks) {
  /** @type {[string, boolean][]} */
  const heads = [
    ["Network", false],
    ["Image", true],
    ["Layers with weights", true],
    ["Parameters", true],
    ["Multiply-adds", true],
    ["Memory of the maps", true],
  ];
  return section(
    "Networks",
    table(
      "Networks",
      heads,
      networks.map((net) => [
        net.title || net.name,
        net.size,
        count(net.layers),
        count(net.parameters),
        known(net.multiply_adds, count),
        known(net.memory, bytes),
      ]),
    ),
  );
}
