/** Results, settings and sizes, in tables. */

/** @import { Child, ComparedNetwork, ComparedRun, ComparedSetting, SettingValue } from "../types.js" */

import { el } from "../element.js";
import { count, several } from "../numbers.js";
import { inside } from "../training/list.js";
import { duration, exactly, inWords, metricName, metricValue, rightWordOf, short, when } from "../training/words.js";
import { letter, swatch } from "./chooser.js";

const NONE = "–";
/**
 * @template Value
 * @param {Value | null | undefined} value @param {(value: Value) => string} text
 */
const known = (value, text) => (value === null || value === undefined ? NONE : text(value));
/** @param {string} title @param {...Child} children */
const section = (title, ...children) => el("section", { class: "card" }, el("h3", {}, title), ...children);
/** @param {string} label @param {HTMLElement} table */
const scroll = (label, table) =>
  el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);

/**
 * @param {string} label @param {[string, boolean][]} heads  text, and whether its column holds numbers
 * @param {(Node | string)[][]} rows  the first is the row's name
 */
function table(label, heads, rows) {
  /** @param {number} i */
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

/** What chooses the best weights beside the accuracy. @type {("map" | "kappa")[]} */
const METRICS = ["map", "kappa"];

/** @param {ComparedRun[]} runs */
export function resultTable(runs) {
  const ranked = METRICS.filter((metric) => runs.some((run) => run.metric === metric));
  /** @type {[string, boolean][]} */
  const heads = [
    ["Run", false],
    ["State", false],
    [`Test ${rightWordOf(runs)}`, true],
    ["95% interval", true],
    ...ranked.map((metric) => /** @type {[string, boolean]} */ ([`Test ${metricName(metric)}`, true])),
    ["Best validation", true],
    ["Epochs", true],
    ["Steps", true],
    ["Time", true],
    ["Images per second", true],
    ["Parameters", true],
    ["Multiply-adds", true],
    ["Started", false],
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
        ...ranked.map((metric) => known(run.test, (test) => metricValue(metric, test[metric]))),
        known(run.val_value, (value) => metricValue(run.metric, value)),
        count(run.epochs),
        count(run.steps),
        known(run.seconds, duration),
        known(run.images_per_second, (v) => count(Math.round(v))),
        known(run.parameters, count),
        known(run.multiply_adds, (n) => atLeast(n, run.is_counted)),
        when(run.when),
      ]),
    ),
  );
}

/** @param {number} multiplyAdds @param {boolean | null} isCounted whether those are all @returns {string} */
function atLeast(multiplyAdds, isCounted) {
  return `${isCounted === false ? "at least " : ""}${count(multiplyAdds)}`;
}

/** @param {SettingValue} value @returns {string} */
function plain(value) {
  if (value === null || value === undefined || value === "") return NONE;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(plain).join(", ");
  if (typeof value !== "number") return value;
  if (Number.isInteger(value)) return count(value);
  return short(value, 6)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

/**
 * @param {ComparedRun[]} runs @param {ComparedSetting[]} settings
 * @param {boolean} whole @param {() => void} toggle
 */
export function settingTable(runs, settings, whole, toggle) {
  const differing = settings.filter((setting) => setting.differs);
  const equal = settings.filter((setting) => !setting.differs);
  /** @type {[string, boolean][]} */
  const heads = [
    ["Setting", false],
    ["Group", false],
    ...runs.map((_, i) => /** @type {[string, boolean]} */ ([letter(i), true])),
  ];
  /** @param {ComparedSetting} one @returns {(Node | string)[]} */
  const line = (one) => [
    el("span", { title: one.help || null, class: one.differs ? "differs" : null }, one.name.replaceAll("_", " ")),
    one.group,
    ...one.values.map(plain),
  ];
  return section(
    "Settings",
    el("p", { class: "caption" }, differing.length ? "Settings that differ come first." : "No setting differs."),
    differing.length || whole
      ? table("Settings", heads, [...differing, ...(whole ? equal : [])].map(line))
      : el("span", {}),
    equal.length
      ? el(
          "button",
          { class: "pill after", "aria-label": "Equal settings", "aria-expanded": String(whole), onclick: toggle },
          whole ? "Hide equal settings" : `Show ${several(equal.length, "equal setting")}`,
        )
      : el("span", {}),
  );
}

/** 25165824 -> "25.2 MB" @param {number} bytes */
const bytes = (bytes) => (bytes < 1e6 ? `${count(Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** @param {ComparedNetwork[]} networks */
export function networkTable(networks) {
  /** @type {[string, boolean][]} */
  const heads = [
    ["Network", false],
    ["Image", true],
    ["Weight layers", true],
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
        known(net.multiply_adds, (n) => atLeast(n, net.is_counted)),
        known(net.memory, bytes),
      ]),
    ),
  );
}
