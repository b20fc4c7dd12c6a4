/** States, lengths of time and small and large numbers, in words. */

/** @import { MetricName, Task } from "../types.js" */

import { fixed, percent } from "../numbers.js";

/** @type {Record<string, string>} */
const STATES = {
  starting: "Starting",
  training: "Training",
  paused: "Paused",
  evaluating: "Evaluating",
  testing: "Testing",
  done: "Done",
  stopped: "Stopped",
  failed: "Failed",
  interrupted: "Interrupted",
};

/** What the share of images that are right is called, by task. @param {Task} task */
export const rightWord = (task) => (task === "multi-label" ? "exact match" : "accuracy");

/** The same of several runs. @param {{task: Task}[]} runs */
export const rightWordOf = (runs) =>
  [...new Set(runs.map((run) => rightWord(run.task)))].sort().join(" or ") || "accuracy";

/** @type {Record<MetricName, string>} */
const METRIC_NAMES = { top1: "accuracy", map: "mAP", kappa: "quadratic kappa" };

/** @param {MetricName} metric */
export const metricName = (metric) => METRIC_NAMES[metric];

/** A metric's value: a share as a percentage, kappa as a number. @param {MetricName} metric @param {number | null | undefined} value */
export function metricValue(metric, value) {
  if (value === null || value === undefined) return "–";
  return metric === "kappa" ? fixed(value, 3) : exactly(value);
}

/** A share that was counted may well be all or nothing. @param {number | null | undefined} share */
export function exactly(share) {
  if (share === null || share === undefined) return "–";
  if (share === 1) return "100%";
  return share === 0 ? "0%" : percent(share);
}

/** @param {string} text */
export const capital = (text) => (text.startsWith("mAP") ? text : text[0].toUpperCase() + text.slice(1));

/** @param {string} state */
export const inWords = (state) => STATES[state] ?? state;

/** Does the training of this state go on by itself? @param {string} state */
export const isLive = (state) => ["starting", "training", "paused", "evaluating", "testing"].includes(state);

/** 75 -> "1 min 15 s". @param {number} seconds */
export function duration(seconds) {
  const whole = Math.round(seconds);
  if (seconds < 10) return `${fixed(seconds, 1)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** @type {Record<string, string>} */
const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/**
 * 0.0000042 -> "4.2·10⁻⁶"; numbers of everyday size as they are.
 * @param {number | null | undefined} value @param {number} digits
 */
export function short(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 0.001 && size < 1e6)
    return fixed(value, Math.max(0, digits - 1 - Math.floor(Math.log10(size)))).replace(/^(−?\d+)(?=\d{3}$)/, "$1,");
  let power = Math.floor(Math.log10(size));
  let front = (size / 10 ** power).toFixed(digits - 1);
  if (front.startsWith("10")) [front, power] = ["1", power + 1];
  const digitsBefore = Number(front) === 1 ? "" : `${Number(front)}·`;
  const exponent = [...String(power)].map((sign) => RAISED[sign]).join("");
  return `${value < 0 ? "−" : ""}${digitsBefore}10${exponent}`;
}

/** A value on an axis whose ticks are `step` apart. @param {number} value @param {number} step */
export function onAxis(value, step) {
  if (value === 0) return "0";
  if (Math.abs(value) < 1e-4) return short(value, 2);
  const text = fixed(value, Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9))));
  return Math.abs(value) >= 1000 ? Number(text.replace("−", "-")).toLocaleString("en").replace("-", "−") : text;
}

/** The same for shares: 0.975 -> "97.5%". @param {number} value @param {number} step */
export const shareOnAxis = (value, step) =>
  `${fixed(100 * value, Math.max(0, Math.min(2, Math.ceil(-Math.log10(100 * step) - 1e-9))))}%`;

/** "2025-11-22T19:38:12" as the person's own clock has it. @param {string} iso */
export function when(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso ?? "";
  /** @param {number} n */
  const two = (n) => String(n).padStart(2, "0");
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}`
  );
}
