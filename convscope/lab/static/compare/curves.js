/** Runs over time, and what they cost against how right they are. */

import { chart } from "../chart.js";
import { el } from "../element.js";
import { count } from "../numbers.js";
import { exactly } from "../training/curves.js";
import { duration, onAxis, shareOnAxis, short } from "../training/words.js";
import { DASHES, MARKS, letter } from "./chooser.js";

const OVER = {
  epochs: ["epochs", (line) => line.epoch],
  steps: ["steps", (line) => line.step],
  seconds: ["seconds of training", (line) => line.seconds],
};
const COST = { multiply_adds: "multiply-adds for one image", parameters: "parameters", seconds: "seconds of training" };
const CUT = 16; // letters of a name beside its line

/** One of several, as a row of buttons. */
function choice(label, names, current, choose) {
  const buttons = Object.entries(names).map(([name, text]) =>
    el(
      "button",
      { class: "pill", "aria-label": `${label}: ${text}`, "data-name": name, onclick: () => choose(name) },
      text,
    ),
  );
  const element = el("div", { class: "row", role: "group", "aria-label": label }, ...buttons);
  const mark = (now) => buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.name === now)));
  mark(current);
  return { element, mark };
}

const named = (run, runs) => (runs.filter((other) => other.title === run.title).length > 1 ? run.name : run.title);
const label = (run, runs, i) => {
  const text = named(run, runs);
  return `${letter(i)} ${text.length > CUT ? `…${text.slice(1 - CUT)}` : text}`;
};

/**
 * Validation accuracy and loss of each run.
 * @param {(change: any, replace?: boolean) => void} go
 * @param {() => import("./screen.js").State} read
 */
export function curves(go, read) {
  const over = choice("Drawn over", { epochs: "Epochs", steps: "Steps", seconds: "Seconds" }, "epochs", (name) =>
    go({ over: name }, true),
  );
  const log = el(
    "button",
    {
      class: "pill",
      "aria-label": "Validation loss on a logarithmic axis",
      onclick: () => go({ log: read().log.includes("loss") ? [] : ["loss"] }, true),
    },
    "Log axis",
  );
  const accuracy = chart(
    "Validation accuracy",
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
    draw(runs, state) {
      const [across, at] = OVER[state.over] ?? OVER.epochs;
      over.mark(state.over in OVER ? state.over : "epochs");
      const logarithmic = state.log.includes("loss");
      log.setAttribute("aria-pressed", String(logarithmic));
      const lines = (get, text) =>
        runs.map((run, i) => {
          const evaluated = run.metrics.filter((line) => get(line) !== undefined && get(line) !== null);
          return {
            name: `${letter(i)} ${run.name}`,
            x: evaluated.map(at),
            y: evaluated.map(get),
            said: evaluated.map(
              (line) =>
                `${letter(i)} ${run.name}\nepoch ${count(line.epoch)}, step ${count(line.step)}, ${duration(line.seconds)}: ${text(get(line))}`,
            ),
            color: `run-${i + 1}`,
            dash: DASHES[i],
            marks: evaluated.length < 40 ? MARKS[i] : undefined,
            width: 2,
            label: label(run, runs, i),
            short: letter(i),
          };
        });
      accuracy.draw(
        lines((line) => line.val_top1, exactly),
        { across },
      );
      loss.draw(
        lines(
          (line) => line.val_loss,
          (v) => short(v, 4),
        ),
        { across, log: logarithmic, from: logarithmic ? undefined : 0 },
      );
    },
  };
}

/**
 * Cost on a logarithmic axis against accuracy on test images, with its interval.
 * @param {(change: any, replace?: boolean) => void} go
 */
export function scatter(go) {
  const cost = choice(
    "Cost",
    { multiply_adds: "Multiply-adds", parameters: "Parameters", seconds: "Seconds" },
    "multiply_adds",
    (name) => go({ cost: name }, true),
  );
  const left = el("p", { class: "caption" });
  const drawn = chart(
    "Cost against test accuracy",
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
  drawn.element.append(left);
  return {
    element: drawn.element,
    stop: drawn.stop,
    draw(runs, state) {
      const kind = state.cost in COST ? state.cost : "multiply_adds";
      cost.mark(kind);
      const shown = runs.map((run, i) => ({ run, i })).filter(({ run }) => run.test && run[kind]);
      drawn.draw(
        shown.map(({ run, i }) => ({
          name: `${letter(i)} ${run.name}`,
          x: [run[kind]],
          y: [run.test.top1],
          error: { low: [run.test.low], high: [run.test.high] },
          color: `run-${i + 1}`,
          marks: MARKS[i],
          width: 0,
          label: label(run, runs, i),
          short: letter(i),
          said: [
            `${letter(i)} ${run.name}\n${exactly(run.test.top1)}: ${count(run.test.num_correct)} of ${count(run.test.images)} test images\n95% interval ${exactly(run.test.low)} to ${exactly(run.test.high)}\n${kind === "seconds" ? duration(run[kind]) : `${count(run[kind])} ${COST[kind]}`}`,
          ],
        })),
        { across: COST[kind] },
      );
      const missing = runs.map((run, i) => ({ run, i })).filter(({ run }) => !shown.some((one) => one.run === run));
      const names = missing.map(
        ({ run, i }) => `${letter(i)} (${run.test ? `no ${COST[kind]} known` : "not tested yet"})`,
      );
      left.textContent = `Bars: 95% intervals.${names.length ? ` Left out: ${names.join(", ")}.` : ""}`;
    },
  };
}
