/** A pass over the images: what it finds out, a button that starts it, its progress, and a button that cancels it. */

/** @import { Computed } from "../types.js" */
/** @import { Status, Study } from "./types.js" */

import { progressBar } from "../computation.js";
import { el, messageOf, say, write } from "../element.js";
import { several } from "../numbers.js";
import { cancel, follow, forgetStrips, start } from "./api.js";

/**
 * What is not known yet: a sentence on what a pass would find, and the button; or why there is none.
 * @param {string} net
 * @param {Status} status
 * @param {Study} study
 * @param {{sentence: string, label: string, done: () => void, late: () => boolean}} how  `done` draws the result
 */
export function studyCard(net, status, study, { sentence, label, done, late }) {
  const { count, description, reason } = status.images;
  if (reason) return el("p", { class: "note" }, reason);
  const data = status.data;
  const bar = progressBar();
  const failure = el("p", { class: "note", role: "alert", hidden: true });
  const over = `One pass over ${several(count, "image")} (${description}); it can be cancelled and continued.`;
  const begin = el("button", { class: "pill main", "data-focus": "study", onclick: press }, label);
  const end = el("button", { class: "pill", "data-focus": "cancel", hidden: true }, "Cancel");
  const row = el("div", { class: "row" }, begin, bar.node, end);
  const card = el("div", { class: "study" }, el("p", { class: "lead" }, `${sentence} ${over}`), row, failure);

  async function press() {
    failure.hidden = true;
    begin.disabled = true;
    try {
      await watch(await start(net, { ...study, data }));
    } catch (error) {
      failed(messageOf(error));
    }
  }

  /** @param {Computed} first */
  async function watch(first) {
    begin.hidden = true;
    end.hidden = false;
    end.onclick = () => {
      end.disabled = true;
      cancel(first.id).catch((error) => failed(messageOf(error)));
    };
    await follow(first.id, show, () => late() || !card.isConnected);
  }

  /** @param {Computed} now */
  function show(now) {
    bar.show(now);
    if (now.state === "failed") failed(now.message);
    if (now.state === "stopped") ready("Continue", "Cancelled. What was done is kept.");
    if (now.state !== "done") return;
    say("The pass over the images is done.");
    forgetStrips();
    done();
  }

  /** @param {string} message */
  function failed(message) {
    write(failure, message);
    failure.hidden = false;
    ready(label, "");
  }

  /** @param {string} name @param {string} spoken */
  function ready(name, spoken) {
    bar.show(null);
    write(begin, name);
    [begin.hidden, begin.disabled, end.hidden, end.disabled] = [false, false, true, false];
    if (spoken) say(spoken);
  }

  const running = status.studies.find((one) => isSame(one, study));
  if (running)
    queueMicrotask(() => watch({ id: running.computation, ...NOTHING }).catch((error) => failed(messageOf(error))));
  return card;
}

/** @type {Omit<Computed, "id">} */
const NOTHING = { state: "waiting", doing: "", done: 0, total: 0, message: "", version: 0, result: null };

/** @param {Status["studies"][number]} one @param {Study} study */
const isSame = (one, { kind, row = "", method = "pca" }) =>
  one.kind === kind && one.row === row && one.method === method;
