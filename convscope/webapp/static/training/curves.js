/** The four curves of a training, over its steps. */

/** @import { Metric, MetricName, Run, Series, StepTable } from "../types.js" */

import { chart } from "../chart.js";
import { el, write } from "../element.js";
import { count } from "../numbers.js";
import { rateControl } from "./rate.js";
import { capital, exactly, metricName, metricValue, onAxis, rightWord, shareOnAxis, short } from "./words.js";

/**
 * The columns of the table of steps by name.
 * @typedef {"loss" | "loss_low" | "low_at" | "loss_high" | "high_at" | "top1" | "lr" | "images_per_second" |
 *   "seconds"} Measured
 * @typedef {{first: number[], last: number[]} & Record<Measured, (number | null)[]>} Columns
 */

const STEPS = { across: "steps", empty: "Waiting for the first steps." };

/**
 * @param {Run} run
 * @param {{isLog: (name: string) => boolean, setLog: (name: string, log: boolean) => void}} axes
 */
export function curves({ name: run, task, metric }, { isLog, setLog }) {
  const right = rightWord(task);
  const squares = metric === "top1" ? "" : ` Squares: their ${metricName(metric)}.`;
  /** @param {string} name @param {string} kind */
  const button = (name, kind) => {
    const log = () => isLog(name);
    const node = el(
      "button",
      {
        class: "pill",
        "aria-pressed": String(log()),
        "aria-label": `Log axis: ${kind}`,
        onclick: () => {
          setLog(name, !log());
          node.setAttribute("aria-pressed", String(log()));
        },
      },
      "Log axis",
    );
    return node;
  };
  const note = el("span", { class: "bands" });
  const loss = chart(
    "Loss",
    { ...STEPS, text: onAxis, from: 0, log: isLog("loss"), height: 240 },
    { tools: button("loss", "Loss") },
  );
  loss.element.append(el("figcaption", { class: "caption" }, note));
  const accuracy = chart(
    capital(metric === "top1" ? right : `${right} and ${metricName(metric)}`),
    { ...STEPS, text: shareOnAxis, to: 1, height: 240 },
    { note: `Line: training images, running mean. Dots: validation images.${squares}` },
  );
  const rate = chart(
    "Learning rate",
    { ...STEPS, text: onAxis, from: 0, log: isLog("lr"), height: 160 },
    { tools: button("lr", "Learning rate") },
  );
  const speed = chart(
    "Throughput",
    { ...STEPS, text: onAxis, from: 0, height: 160 },
    { note: "Images per second: those of neighboring steps by the time that they took together." },
  );
  const byHand = rateControl(run);
  rate.element.append(byHand.element);
  const all = [loss, accuracy, rate, speed];
  return {
    element: el("div", { class: "charts" }, ...all.map((one) => one.element)),
    again: () => all.forEach((one) => one.again()),
    stop: () => all.forEach((one) => one.stop()),
    told: byHand.draw,
    /** @param {Run} run */
    draw(run) {
      const steps = table(run);
      const near = reach(steps.last.length);
      write(note, wording(run.width, near));
      const evaluated = run.metrics.filter((line) => line.val_loss !== undefined);
      loss.draw(lossLines(steps, evaluated, near), { log: isLog("loss"), from: isLog("loss") ? undefined : 0 });
      accuracy.draw([...accuracyLines(steps, evaluated, near), ...metricLines(metric, evaluated)]);
      rate.draw([plain("learning rate", steps, steps.lr, (v) => short(v, 3))], {
        log: isLog("lr"),
        from: isLog("lr") ? undefined : 0,
      });
      speed.draw([
        plain(
          "images per second",
          steps,
          smooth(steps.images_per_second, near, steps.seconds),
          (_, i) => `${short(steps.images_per_second[i], 3)} images per second`,
        ),
      ]);
    },
  };
}

const EMPTY = {
  first: [],
  last: [],
  loss: [],
  loss_low: [],
  low_at: [],
  loss_high: [],
  high_at: [],
  top1: [],
  lr: [],
  images_per_second: [],
  seconds: [],
};

/** The columns of the steps by name. @param {StepTable} table @returns {Columns} */
const table = ({ columns, rows }) => ({
  ...EMPTY,
  ...Object.fromEntries(columns.map((name, i) => [name, rows.map((row) => row[i])])),
});

/** Over how many neighbors on either side a line is drawn. @param {number} length */
const reach = (length) => Math.min(12, Math.floor(length / 24));

/** @param {number} width @param {number} near */
function wording(width, near) {
  const line = near ? `their running mean over ${2 * near + 1} points` : "their mean";
  return width === 1
    ? `Thin line: the loss of each step. Thick line: ${line}. Dots: validation images.`
    : `Band: lowest to highest loss of every ${count(width)} steps. Line: ${line}. Dots: validation images.`;
}

/**
 * A mean over neighbors, fewer at the ends.
 * @param {(number | null)[]} values @param {number} near
 * @param {(number | null)[]} [weights]  of the values; equal ones by default
 */
export function smooth(values, near, weights) {
  if (!near) return values;
  return values.map((_, i) => {
    let [sum, total] = [0, 0];
    for (let k = Math.max(0, i - near); k <= Math.min(values.length - 1, i + near); k++) {
      const weight = weights ? (weights[k] ?? 0) : 1;
      if (values[k] === null) continue;
      sum += weight * /** @type {number} */ (values[k]);
      total += weight;
    }
    return total ? sum / total : null;
  });
}

/** @param {Columns} steps @param {number} i */
const span = (steps, i) =>
  steps.first[i] === steps.last[i]
    ? `step ${count(steps.last[i])}`
    : `steps ${count(steps.first[i])} to ${count(steps.last[i])}`;

/** @param {Columns} steps @param {Metric[]} evaluated @param {number} near @returns {Series[]} */
function lossLines(steps, evaluated, near) {
  const said = steps.last.map((_, i) => {
    const mean = `${span(steps, i)}: ${short(steps.loss[i], 4)}`;
    if (steps.first[i] === steps.last[i]) return mean;
    const lowest = `lowest ${short(steps.loss_low[i], 4)} at step ${count(steps.low_at[i] ?? 0)}`;
    const highest = `highest ${short(steps.loss_high[i], 4)} at step ${count(steps.high_at[i] ?? 0)}`;
    return `${mean} on average\n${lowest}\n${highest}`;
  });
  return [
    { name: "training", x: steps.last, y: smooth(steps.loss, near), said, low: steps.loss_low, high: steps.loss_high },
    {
      name: "validation",
      x: evaluated.map((line) => line.step),
      y: evaluated.map((line) => line.val_loss ?? null),
      said: evaluated.map((line) => `epoch ${count(line.epoch)}: validation ${short(line.val_loss, 4)}`),
      color: "run-1",
      marks: "circle",
      width: 1.25,
    },
  ];
}

/** @param {Columns} steps @param {Metric[]} evaluated @param {number} near @returns {Series[]} */
function accuracyLines(steps, evaluated, near) {
  return [
    {
      name: "training",
      x: steps.last,
      y: smooth(steps.top1, near),
      said: steps.last.map((_, i) => `${span(steps, i)}: ${exactly(steps.top1[i])} of the training images`),
    },
    {
      name: "validation",
      x: evaluated.map((line) => line.step),
      y: evaluated.map((line) => line.val_top1 ?? null),
      said: evaluated.map((line) => `epoch ${count(line.epoch)}: validation ${exactly(line.val_top1)}`),
      color: "run-1",
      marks: "circle",
      width: 1.25,
    },
  ];
}

/** What chooses the best weights where it is not the accuracy. @param {MetricName} metric @param {Metric[]} evaluated @returns {Series[]} */
function metricLines(metric, evaluated) {
  if (metric === "top1") return [];
  const values = evaluated.map((line) => line[`val_${metric}`] ?? null);
  return [
    {
      name: metricName(metric),
      x: evaluated.map((line) => line.step),
      y: values,
      said: evaluated.map(
        (line, i) => `epoch ${count(line.epoch)}: ${metricName(metric)} ${metricValue(metric, values[i])}`,
      ),
      color: "run-2",
      marks: "square",
      width: 1.25,
    },
  ];
}

/**
 * @param {string} name
 * @param {Columns} steps
 * @param {(number | null)[]} y
 * @param {(value: number | null, index: number) => string} text
 */
const plain = (name, steps, y, text) => ({
  name,
  x: steps.last,
  y,
  said: steps.last.map((_, i) => `${span(steps, i)}: ${text(y[i], i)}`),
});
