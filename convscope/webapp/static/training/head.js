/** The top of a run's page: what it is, how it stands, what can be asked of it, its figures. */

/** @import { LiveState, Metric, Run } from "../types.js" */

import { post } from "../api.js";
import { el, messageOf, say, write } from "../element.js";
import { count } from "../numbers.js";
import { travel } from "../state.js";
import { replaceChildren } from "../focus.js";
import { duration, exactly, inWords, isLive, metricName, metricValue, rightWord, short } from "./words.js";

/** @typedef {"pause" | "resume" | "save" | "stop"} Command */
/**
 * A command that was sent and is not acknowledged yet.
 * @typedef {{command: Command, id: number, since: number}} Pending
 */

/** @type {Record<Command, string>} */
const WAIT = { pause: "Pausing…", resume: "Resuming…", save: "Saving…", stop: "Stopping…" };
const PATIENCE = 8000; // milliseconds after which it is said that no answer has come

/**
 * @param {string} run
 * @param {{resumed: () => void, note: string}} how  what happens after "Resume"; a sentence to begin with
 */
export function head(run, { resumed, note }) {
  const path = `/runs/${encodeURIComponent(run)}`;
  const title = el("h2", {});
  const lead = el("p", { class: "lead" });
  const actions = el("div", { class: "row acts" });
  const lost = el("p", { class: "note lost", role: "alert", hidden: true });
  const refusal = el("p", { class: "note", role: "alert", hidden: !note }, note);
  const bar = el("progress", { max: 1, "aria-label": "How far the training is" });
  const figures = el("dl", { class: "facts" });
  /** @type {Pending | null} */
  let pending = null;
  let key = "";
  let state = "";
  /** @type {Run} */
  let shown;

  /** Do what a button says; a refusal is shown below. @param {() => Promise<void>} work */
  const act = (work) => async () => {
    refusal.hidden = true;
    try {
      await work();
    } catch (error) {
      write(refusal, messageOf(error));
      refusal.hidden = false;
    }
    draw(shown);
  };
  /** @param {Command} command */
  const send = (command) =>
    act(async () => {
      pending = { command, id: Infinity, since: performance.now() };
      draw(shown);
      try {
        const { id } = await post(`${path}/commands`, { command });
        pending.id = id;
      } catch (error) {
        pending = null;
        throw error;
      }
    });
  const resume = act(async () => {
    const { message } = await post(`${path}/resume`, {});
    write(refusal, message ?? "");
    refusal.hidden = !message;
    resumed();
  });
  const lookInside = act(async () => travel(`/look/${encodeURIComponent((await post(`${path}/open`, {})).network)}`));
  /** @param {string} text @param {string} name @param {() => void} work @param {boolean} [main] */
  const button = (text, name, work, main = false) => ({ text, name, work, main });

  /** @param {ReturnType<typeof button>} button */
  const toElement = ({ text, name, work, main }) =>
    el(
      "button",
      {
        class: main ? "pill main" : "pill",
        "data-focus": name,
        "aria-disabled": pending ? "true" : null,
        onclick: pending ? null : work,
      },
      text,
    );

  function buttons() {
    const { metrics, now } = shown;
    const running = ["training", "evaluating"].includes(state);
    const paused = state === "paused";
    const canResume = ["stopped", "interrupted"].includes(state) || (state === "failed" && (now?.saved_step ?? 0) > 0);
    const evaluated = metrics.length > 0;
    const list = [];
    // Pause and Resume, Stop and Resume take each other's place, and with it the focus.
    if (paused) list.push(button("Resume", "pause", send("resume"), true));
    if (running) list.push(button("Pause", "pause", send("pause")));
    if (running || paused) list.push(button("Save", "save", send("save")), button("Stop", "stop", send("stop")));
    if (canResume) list.push(button("Resume", "stop", resume, true));
    if (evaluated) {
      const compare = () => travel(`/compare?runs=${encodeURIComponent(run)}`);
      list.push(button("Compare", "compare", compare), button("Look inside", "look", lookInside, state === "done"));
    }
    return list;
  }

  /** @param {Run} now */
  function draw(now) {
    shown = now;
    if (shown.state !== state && state) say(`${inWords(shown.state)}. ${shown.message}`);
    state = shown.state;
    if (pending && (!isLive(state) || (shown.now?.acknowledged ?? 0) >= pending.id)) pending = null;
    write(title, shown.title);
    patch(lead, sentences(run, shown, pending));
    const list = buttons();
    const wanted = JSON.stringify([list.map(({ text, main }) => [text, main]), pending?.command]);
    if (wanted !== key) {
      const waiting = pending ? [el("span", { class: "caption", role: "status" }, WAIT[pending.command])] : [];
      replaceChildren(actions, ...list.map(toElement), ...waiting);
    }
    key = wanted;
    bar.hidden = !shown.now || shown.now.progress === undefined || state === "done";
    if (shown.now) bar.value = shown.now.progress;
    patch(figures, facts(shown));
  }

  return {
    element: el(
      "div",
      { class: "about" },
      el("div", { class: "row spread" }, el("div", {}, title, lead), actions),
      refusal,
      lost,
      bar,
      figures,
    ),
    draw,
    /** Why nothing new is told, or nothing. @param {string} sentence */
    lose(sentence) {
      lost.hidden = !sentence;
      write(lost, sentence);
    },
  };
}

/** Change the children that say something else than before. @param {HTMLElement} parent @param {Node[]} children */
function patch(parent, children) {
  const before = [...parent.childNodes];
  if (before.length !== children.length) return parent.replaceChildren(...children);
  children.forEach((child, i) => child.textContent !== before[i].textContent && before[i].replaceWith(child));
}

/** How it stands, and what is trained on what. @param {string} run @param {Run} run @param {Pending | null} pending */
function sentences(run, { state, message, now }, pending) {
  const waited = pending && performance.now() - pending.since > PATIENCE;
  const late = waited ? "It has not answered yet: commands are read between steps." : "";
  const word = message.startsWith(inWords(state)) ? "" : `${inWords(state)}. `;
  return [
    el("b", {}, word),
    el("span", {}, [message, late].filter(Boolean).join(" ")),
    el("span", { class: "line" }, now?.description ?? ""),
    el("span", { class: "line caption" }, run),
  ];
}

/** @param {string} label @param {string} value @param {...(string | false | null | undefined)} notes */
const fact = (label, value, ...notes) =>
  el(
    "div",
    { class: "fact" },
    el("dt", { class: "caption" }, label),
    el("dd", {}, el("b", {}, value), el("span", { class: "caption" }, notes.filter(Boolean).join("; "))),
  );

/** @param {Run} run */
function facts({ now, metrics, test, state, task, metric }) {
  const right = rightWord(task);
  const name = metric === "top1" ? right : metricName(metric);
  /** @param {Metric} line */
  const value = (line) => metricValue(metric, line[`val_${metric}`]);
  const evaluated = metrics.filter((line) => line.val_top1 !== undefined);
  const last = evaluated.at(-1);
  const best = evaluated.findLast((line) => line.best);
  const live = isLive(state);
  return [
    test &&
      fact(
        `Test ${name}`,
        metricValue(metric, test[metric]),
        metric !== "top1" && `${right} ${exactly(test.top1)}`,
        `${count(test.images)} test images`,
        `95% interval ${metric === "top1" ? "" : `of the ${right} `}` +
          `${exactly(test.top1_interval[0])} to ${exactly(test.top1_interval[1])}`,
      ),
    fact(
      `Validation ${name}`,
      last ? value(last) : "–",
      last && metric !== "top1" && `${right} ${exactly(last.val_top1)}`,
      last ? `after epoch ${count(last.epoch)}` : "at the end of the epoch",
      best && best !== last && `best weights ${value(best)}`,
    ),
    fact(
      "Loss",
      short(now?.loss ?? metrics.at(-1)?.train_loss, 3),
      `training images of ${live && now && now.loss !== null ? "this" : "the last"} epoch`,
      last && `validation ${short(last.val_loss, 3)}`,
    ),
    fact(
      "Throughput",
      now?.images_per_second ? `${count(Math.round(now.images_per_second))}/s` : "–",
      "images",
      !!now?.steps_per_second && `${rateOf(now.steps_per_second)} steps per second`,
      !!now?.images_per_second && (state === "done" ? "mean of the training" : "over the last seconds"),
    ),
    fact(
      live && now?.seconds_left !== null && now ? "Time left" : "Time",
      time(now, live, metrics),
      live && now ? `${duration(now.seconds)} so far` : "in training",
    ),
    fact(
      "Step",
      count(now?.step ?? metrics.at(-1)?.step ?? 0),
      now?.steps ? `of ${count(now.steps)}` : "",
      now && `epoch ${count(now.epoch)}${now.epochs ? ` of ${count(now.epochs)}` : ""}`,
      now?.saved_step ? `saved at ${count(now.saved_step)}` : "",
    ),
  ].filter((fact) => fact !== null);
}

/** @param {number} steps */
const rateOf = (steps) => (steps >= 10 ? count(Math.round(steps)) : short(steps, 2));

/** @param {LiveState | null} now @param {boolean} live @param {Metric[]} metrics */
function time(now, live, metrics) {
  const last = metrics.at(-1);
  if (!now) return last ? duration(last.seconds) : "–";
  return live && now.seconds_left !== null ? duration(now.seconds_left) : duration(now.seconds);
}
