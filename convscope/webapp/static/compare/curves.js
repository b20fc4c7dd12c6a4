/** Runs over time, and what they cost against how right they are. */

/** @import { CompareState, ComparedRun, Metric, Series } from "../types.js" */

import { chart } from "../chart.js";
import { el, write } from "../element.js";
import { count } from "../numbers.js";
import { duration, exactly, onAxis, rightWordOf, shareOnAxis, short } from "../training/words.js";
import { DASHES, MARKS, letter } from "./chooser.js";

/** @typedef {"multiply_adds" | "parameters" | "seconds"} Cost */

/** @type {Record<string, { across: string, at: (line: Metric) => number }>} */
const OVER = {
  epochs: { across: "epochs", at: (line) => line.epoch },
  steps: { across: "steps", at: (line) => line.step },
  seconds: { across: "seconds of training", at: (line) => line.seconds },
};
/** @type {Record<Cost, string>} */
const COST = { multiply_adds: "multiply-adds for one image", parameters: "parameters", seconds: "seconds of training" };
const CUT = 16; // letters of a name beside its line

/**
 * One of several, as a row of buttons.
 * @param {string} label
 * @param {Record<string, string>} names
 * @param {string} current
 * @param {(name: string) => void} choose
 */
function choice(label, names, current, choose) {
  const buttons = Object.entries(names).map(([name, text]) =>
    el(
      "button",
      { class: "pill", "aria-label": `${label}: ${text}`, "data-name": name, onclick: () => choose(name) },
      text,
    ),
  );
  const element = el("div", { class: "row", role: "group", "aria-label": label }, ...buttons);
  /** @param {string} now */
  const mark = (now) => buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.name === now)));
  mark(current);
  return { element, mark };
}

/** @param {ComparedRun} run @param {ComparedRun[]} runs */
const named = (run, runs) => (runs.filter((other) => other.title === run.title).length > 1 ? run.name : run.title);
/** @param {ComparedRun} run @param {ComparedRun[]} runs @param {number} i */
const label = (run, runs, i) => {
  const text = named(run, runs);
  return `${letter(i)} ${text.length > CUT ? `…${text.slice(1 - CUT)}` : text}`;
};

/**
 * Validation accuracy and loss of each run.
 * @param {ComparedRun[]} runs
 * @param {(change: Partial<CompareState>, replace?: boolean) => void} go
 * @param {() => CompareState} read
 */
export function curves(runs, go, read) {
  const over = choice("Drawn over", { epochs: "Epochs", steps: "Steps", seconds: "Seconds" }, "epochs", (name) =>
    go({ over: name }, true),
  );
  const log = el(
    "button",
    {
      class: "pill",
      "aria-label": "Log axis: validation loss",
      onclick: () => go({ log: read().log.includes("loss") ? [] : ["loss"] }, true),
    },
    "Log axis",
  );
  const accuracy = chart(
    `Validation ${rightWordOf(runs)}`,
    { across: "epochs", text: shareOnAxis, to: 1, height: 280, empty: "No run was evaluated yet." },
    { tools: over.element },
  );
  const loss = chart(
    "Validation loss",
    { across: "epochs", text: onAxis, from: 0, height: 280, empty: "No run was evaluated yet." },
    { tools: log },
  );
  return {
    element: el("div", { class: "charts" }, accuracy.element, loss.element),
    stop: () => [accuracy, loss].forEach((one) => one.stop()),
    /** @param {ComparedRun[]} runs @param {CompareState} state */
    draw(runs, state) {
      const { across, at } = OVER[state.over] ?? OVER.epochs;
      over.mark(state.over in OVER ? state.over : "epochs");
      const logarithmic = state.log.includes("loss");
      log.setAttribute("aria-pressed", String(logarithmic));
      /** @param {"val_top1" | "val_loss"} figure @param {(value: number) => string} text */
      const lines = (figure, text) =>
        runs.map((run, i) => {
          const evaluated = run.metrics.flatMap((line) => {
            const value = line[figure];
            return value === undefined || value === null ? [] : [{ line, value }];
          });
          return {
            name: `${letter(i)} ${run.name}`,
            x: evaluated.map(({ line }) => at(line)),
            y: evaluated.map(({ value }) => value),
            said: evaluated.map(
              ({ line: { epoch, step, seconds }, value }) =>
                `${letter(i)} ${run.name}\nepoch ${count(epoch)}, step ${count(step)}, ${duration(seconds)}: ` +
                `${text(value)}`,
            ),
            color: `run-${i + 1}`,
            dash: DASHES[i],
            marks: evaluated.length < 40 ? MARKS[i] : undefined,
            width: 2,
            label: label(run, runs, i),
            short: letter(i),
          };
        });
      accuracy.draw(lines("val_top1", exactly), { across });
      const losses = lines("val_loss", (loss) => short(loss, 4));
      loss.draw(losses, { across, log: logarithmic, from: logarithmic ? undefined : 0 });
    },
  };
}

/**
 * Cost on a logarithmic axis against accuracy on test images, with its interval.
 * @param {ComparedRun[]} runs
 * @param {(change: Partial<CompareState>, replace?: boolean) => void} go
 */
export function scatter(runs, go) {
  const cost = choice(
    "Cost",
    { multiply_adds: "Multiply-adds", parameters: "Parameters", seconds: "Seconds" },
    "multiply_adds",
    (name) => go({ cost: name }, true),
  );
  const caption = el("p", { class: "caption" });
  const plot = chart(
    `Cost against test ${rightWordOf(runs)}`,
    {
      across: COST.multiply_adds,
      acrossLog: true,
      rangeless: true,
      text: shareOnAxis,
      height: 300,
      empty: "No run was tested yet: a training tests its best weights at its end.",
    },
    { tools: cost.element },
  );
  plot.element.append(caption);
  return {
    element: plot.element,
    stop: plot.stop,
    /** @param {ComparedRun[]} runs @param {CompareState} state */
    draw(runs, state) {
      const kind = state.cost in COST ? /** @type {Cost} */ (state.cost) : "multiply_adds";
      cost.mark(kind);
      const points = runs.map((run, i) => point(run, runs, i, kind));
      plot.draw(
        points.filter((series) => series !== null),
        { across: COST[kind] },
      );
      const missing = runs.flatMap(({ test }, i) =>
        points[i] ? [] : [`${letter(i)} (${test ? `no ${COST[kind]} known` : "not tested yet"})`],
      );
      write(caption, `Bars: 95% intervals.${missing.length ? ` Left out: ${missing.join(", ")}.` : ""}`);
    },
  };
}

/**
 * A run as one point; null where its test or its cost is not known.
 * @param {ComparedRun} run @param {ComparedRun[]} runs @param {number} i @param {Cost} kind
 * @returns {Series | null}
 */
function point(run, runs, i, kind) {
  const { test } = run;
  const value = run[kind];
  if (!test || !value) return null;
  const said = [
    `${letter(i)} ${run.name}`,
    `${exactly(test.top1)}: ${count(test.num_correct)} of ${count(test.images)} test images`,
    `95% interval ${exactly(test.low)} to ${exactly(test.high)}`,
    kind === "seconds" ? duration(value) : `${count(value)} ${COST[kind]}`,
  ];
  return {
    name: `${letter(i)} ${run.name}`,
    x: [value],
    y: [test.top1],
    error: { low: [test.low], high: [test.high] },
    color: `run-${i + 1}`,
    marks: MARKS[i],
    width: 0,
    label: label(run, runs, i),
    short: letter(i),
    said: [said.join("\n")],
  };
}
