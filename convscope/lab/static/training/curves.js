/** The four curves of a training, over its steps. */

import { chart } from "../chart.js";
import { el } from "../element.js";
import { count, percent } from "../numbers.js";
import { onAxis, shareOnAxis, short } from "./words.js";

const STEPS = { across: "steps", empty: "The first steps are under way." };

/**
 * @param {{isLog: (name: string) => boolean, setLog: (name: string, log: boolean) => void}} axes
 */
export function curves({ isLog, setLog }) {
  const button = (name, kind) => {
    const log = () => isLog(name);
    const node = el(
      "button",
      {
        class: "pill",
        "aria-pressed": String(log()),
        "aria-label": `${kind} on a logarithmic axis`,
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
    "Accuracy",
    { ...STEPS, text: shareOnAxis, to: 1, height: 240 },
    { note: "Line: training images, before each step, a mean over neighbors. Dots: validation images." },
  );
  const rate = chart(
    "Learning rate",
    { ...STEPS, text: onAxis, from: 0, log: isLog("lr"), height: 160 },
    { tools: button("lr", "Learning rate") },
  );
  const speed = chart(
    "Throughput",
    { ...STEPS, text: onAxis, from: 0, height: 160 },
    { note: "Images per second in the steps, a mean over neighbors." },
  );
  const all = [loss, accuracy, rate, speed];
  return {
    element: el("div", { class: "charts" }, ...all.map((one) => one.element)),
    again: () => all.forEach((one) => one.again()),
    stop: () => all.forEach((one) => one.stop()),
    /** @param {import("./feed.js").Told} told */
    draw(told) {
      const steps = table(told);
      const near = reach(steps.last.length);
      note.textContent = wording(told.width, near);
      const evaluated = told.metrics.filter((line) => line.val_loss !== undefined);
      loss.draw(lossLines(steps, evaluated, near), { log: isLog("loss"), from: isLog("loss") ? undefined : 0 });
      accuracy.draw(accuracyLines(steps, evaluated, near));
      rate.draw([plain("learning rate", steps, steps.lr, (v) => short(v, 3))], {
        log: isLog("lr"),
        from: isLog("lr") ? undefined : 0,
      });
      speed.draw([
        plain(
          "images per second",
          steps,
          smooth(steps.images_per_second, near),
          (_, i) => `${short(steps.images_per_second[i], 3)} images per second`,
        ),
      ]);
    },
  };
}

/** The columns of the steps by name. @returns {Record<string, (number | null)[]>} */
function table({ columns, rows }) {
  const made = {
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
  };
  columns.forEach((name, i) => (made[name] = rows.map((row) => row[i])));
  return made;
}

/** Over how many neighbors on either side a line is drawn. */
const reach = (length) => Math.min(12, Math.floor(length / 24));

function wording(width, near) {
  const each = width === 1 ? "each step" : `each ${count(width)} steps`;
  const line = near ? `their mean over ${2 * near + 1} neighbors` : "their mean";
  return width === 1
    ? `Thin line: the loss of ${each}. Thick line: ${line}. Dots: validation images.`
    : `Band: from the lowest to the highest loss in ${each}. Line: ${line}. Dots: validation images.`;
}

/** A mean over neighbors, fewer at the ends. @param {(number | null)[]} values @param {number} near */
export function smooth(values, near) {
  if (!near) return values;
  return values.map((_, i) => {
    const some = values.slice(Math.max(0, i - near), i + near + 1).filter((v) => v !== null);
    return some.length ? some.reduce((a, b) => a + b, 0) / some.length : null;
  });
}

const span = (steps, i) =>
  steps.first[i] === steps.last[i]
    ? `step ${count(steps.last[i])}`
    : `steps ${count(steps.first[i])} to ${count(steps.last[i])}`;

function lossLines(steps, evaluated, near) {
  const said = steps.last.map((_, i) => {
    const mean = `${span(steps, i)}: ${short(steps.loss[i], 4)}`;
    return steps.first[i] === steps.last[i]
      ? mean
      : `${mean} on average\nlowest ${short(steps.loss_low[i], 4)} at step ${count(steps.low_at[i])}\nhighest ${short(steps.loss_high[i], 4)} at step ${count(steps.high_at[i])}`;
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

function accuracyLines(steps, evaluated, near) {
  return [
    {
      name: "training",
      x: steps.last,
      y: smooth(steps.top1, near),
      said: steps.last.map(
        (_, i) => `${span(steps, i)}: ${steps.top1[i] === null ? "–" : exactly(steps.top1[i])} of the training images`,
      ),
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

/** A share that was counted may well be all or nothing. @param {number} share */
export const exactly = (share) => (share === 1 ? "100%" : share === 0 ? "0%" : percent(share));

const plain = (name, steps, y, text) => ({
  name,
  x: steps.last,
  y,
  said: steps.last.map((_, i) => `${span(steps, i)}: ${text(y[i], i)}`),
});
