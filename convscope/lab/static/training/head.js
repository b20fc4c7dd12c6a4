/** The top of a run's page: what it is, how it stands, what can be asked of it, its figures. */

import { post } from "../api.js";
import { el, say } from "../element.js";
import { count } from "../numbers.js";
import { travel } from "../state.js";
import { exactly } from "./curves.js";
import { duration, inWords, isLive, short } from "./words.js";

const WAIT = { pause: "Pausing…", resume: "Going on…", save: "Saving…", stop: "Stopping…" };
const PATIENCE = 8000; // milliseconds after which it is said that no answer has come

/**
 * @param {string} run
 * @param {{resumed: () => void, note: string}} how  what happens after "Train on"; a sentence to begin with
 */
export function head(run, { resumed, note }) {
  const path = `/runs/${encodeURIComponent(run)}`;
  const title = el("h2", {}),
    lead = el("p", { class: "lead" }),
    acts = el("div", { class: "row acts" });
  const lost = el("p", { class: "note lost", role: "alert", hidden: true });
  const refusal = el("p", { class: "note", role: "alert", hidden: !note }, note);
  const bar = /** @type {HTMLProgressElement} */ (el("progress", { max: 1, "aria-label": "How far the training is" }));
  const figures = el("dl", { class: "facts" });
  /** @type {{command: string, id: number, since: number} | null} */
  let pending = null;
  let key = "",
    state = "";
  /** @type {import("./feed.js").Told} */
  let told;

  /** Do what a button says; a refusal is shown below. */
  const act = (work) => async () => {
    refusal.hidden = true;
    try {
      await work();
    } catch (error) {
      refusal.textContent = error.message;
      refusal.hidden = false;
    }
    draw(told);
  };
  const command = (name) =>
    act(async () => {
      pending = { command: name, id: Infinity, since: performance.now() };
      draw(told);
      try {
        const { id } = await post(`${path}/commands`, { command: name });
        pending.id = id;
      } catch (error) {
        pending = null;
        throw error;
      }
    });
  const resume = act(async () => {
    const { message } = await post(`${path}/resume`, {});
    refusal.textContent = message ?? "";
    refusal.hidden = !message;
    resumed();
  });
  const lookInside = act(async () => travel(`/look/${encodeURIComponent((await post(`${path}/open`, {})).network)}`));
  const button = (text, work, main = false) => ({ text, work, main });

  function buttons() {
    const { metrics, now } = told;
    const running = ["training", "evaluating"].includes(state),
      paused = state === "paused";
    const some = metrics.length > 0;
    return [
      paused && button("Go on", command("resume"), true),
      running && button("Pause", command("pause")),
      (running || paused) && button("Save", command("save")),
      (running || paused) && button("Stop", command("stop")),
      (["stopped", "interrupted"].includes(state) || (state === "failed" && now && now.saved_step > 0)) &&
        button("Train on", resume, !some || state !== "done"),
      some && button("Compare", () => travel(`/compare?runs=${encodeURIComponent(run)}`)),
      some && button("Look inside", lookInside, state === "done"),
    ].filter(Boolean);
  }

  function draw(now) {
    told = now;
    if (told.state !== state && state) say(`${inWords(told.state)}. ${told.message}`);
    state = told.state;
    if (pending && (!isLive(state) || (told.now?.acknowledged ?? 0) >= pending.id)) pending = null;
    title.textContent = told.title;
    patch(lead, sentences(run, told, pending));
    const list = buttons();
    const wanted = JSON.stringify([list.map((b) => [b.text, b.main]), pending?.command]);
    if (wanted !== key) {
      const had = document.activeElement?.parentElement === acts ? document.activeElement.textContent : null;
      acts.replaceChildren(
        ...list.map((b) =>
          el(
            "button",
            {
              class: b.main ? "pill main" : "pill",
              "aria-disabled": pending ? "true" : null,
              onclick: pending ? null : b.work,
            },
            b.text,
          ),
        ),
        ...(pending ? [el("span", { class: "caption", role: "status" }, WAIT[pending.command])] : []),
      );
      if (had !== null) keepFocus(acts, had);
    }
    key = wanted;
    bar.hidden = !told.now || told.now.progress === undefined || state === "done";
    if (told.now) bar.value = told.now.progress;
    patch(figures, facts(told));
  }

  return {
    element: el(
      "div",
      { class: "about" },
      el("div", { class: "row spread" }, el("div", {}, title, lead), acts),
      refusal,
      lost,
      bar,
      figures,
    ),
    draw,
    /** Why nothing new is told, or nothing. @param {string} sentence */
    lose(sentence) {
      lost.hidden = !sentence;
      lost.textContent = sentence;
    },
  };
}

/** Change the children that say something else than before. @param {HTMLElement} parent @param {Node[]} children */
function patch(parent, children) {
  const before = [...parent.childNodes];
  if (before.length !== children.length) return parent.replaceChildren(...children);
  children.forEach((child, i) => child.textContent !== before[i].textContent && before[i].replaceWith(child));
}

/** The button that had the focus, or the one that took its place. */
function keepFocus(acts, text) {
  const all = /** @type {HTMLButtonElement[]} */ ([...acts.querySelectorAll("button")]);
  const other = { Pause: "Go on", "Go on": "Pause", Stop: "Train on", "Train on": "Pause" }[text];
  (all.find((b) => b.textContent === text) ?? all.find((b) => b.textContent === other) ?? all[0])?.focus({
    preventScroll: true,
  });
}

/** How it stands, and what is trained on what. */
function sentences(run, { state, message, now }, pending) {
  const late =
    pending && performance.now() - pending.since > PATIENCE
      ? "It has not answered yet. It looks for commands between two steps."
      : "";
  const word = message.startsWith(inWords(state)) ? "" : `${inWords(state)}. `;
  return [
    el("b", {}, word),
    el("span", {}, [message, late].filter(Boolean).join(" ")),
    el("span", { class: "line" }, now?.description ?? ""),
    el("span", { class: "line caption" }, run),
  ];
}

const fact = (label, value, ...notes) =>
  el(
    "div",
    { class: "fact" },
    el("dt", { class: "caption" }, label),
    el("dd", {}, el("b", {}, value), el("span", { class: "caption" }, notes.filter(Boolean).join("; "))),
  );

/** @param {import("./feed.js").Told} told */
function facts({ now, metrics, test, state }) {
  const evaluated = metrics.filter((line) => line.val_top1 !== undefined);
  const last = evaluated.at(-1);
  const best = evaluated.findLast((line) => line.best);
  const live = isLive(state);
  return [
    test &&
      fact(
        "Test accuracy",
        exactly(test.top1),
        `${count(test.images)} test images`,
        `95% interval ${exactly(test.top1_interval[0])} to ${exactly(test.top1_interval[1])}`,
      ),
    fact(
      "Validation accuracy",
      last?.val_top1 === undefined ? "–" : exactly(last.val_top1),
      last ? `after epoch ${count(last.epoch)}` : "at the end of the epoch",
      best && best !== last && best.val_top1 !== undefined && `best weights ${exactly(best.val_top1)}`,
    ),
    fact(
      "Loss",
      short(now?.loss ?? metrics.at(-1)?.train_loss, 3),
      `training images of ${live && now && now.loss !== null ? "this" : "the last"} epoch`,
      last && `validation ${short(last.val_loss, 3)}`,
    ),
    fact("Throughput", now?.images_per_second ? `${count(Math.round(now.images_per_second))}/s` : "–", "images"),
    fact(
      live && now?.seconds_left !== null && now ? "Time left" : "Time",
      time(now, live, metrics),
      live && now ? `${duration(now.seconds)} so far` : "in training",
    ),
    fact(
      "Step",
      count(now?.step ?? metrics.at(-1)?.step ?? 0),
      now?.steps ? `of ${count(now.steps)}` : "",
      now?.epochs ? `epoch ${count(now.epoch)} of ${count(now.epochs)}` : now ? `epoch ${count(now.epoch)}` : "",
      now?.saved_step ? `saved at ${count(now.saved_step)}` : "",
    ),
  ].filter(Boolean);
}

function time(now, live, metrics) {
  if (!now) return metrics.length ? duration(metrics.at(-1).seconds) : "–";
  return live && now.seconds_left !== null ? duration(now.seconds_left) : duration(now.seconds);
}
