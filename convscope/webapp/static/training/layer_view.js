/**
 * Inside the network while it learns: what each layer holds for one image, as the training goes or after an epoch.
 *
 * The training writes it only while this part of the page is seen.
 */

/** @import { Examples, LayerView, Run } from "../types.js" */

import { ask } from "../api.js";
import { el, messageOf, write } from "../element.js";
import { count, percent } from "../numbers.js";
import { photo } from "./canvas.js";
import { chooser } from "./example_chooser.js";
import { layerRows, readView } from "./layer_rows.js";
import { latest } from "./pictures.js";
import { short } from "./words.js";

const WATCH = 2000; // milliseconds between two signs that somebody looks
const PLAY = 350; // milliseconds for an epoch
const code = encodeURIComponent;

/**
 * @param {string} run
 * @param {{at: () => string, setAt: (step: string) => void}} state  the step that is shown; "" for now
 */
export function layerView(run, state) {
  const path = `/runs/${code(run)}`;
  const rows = layerRows();
  const image = el("div", { class: "looked-at" });
  const answers = el("div", { class: "chances", role: "img" });
  const told = el("p", { class: "caption", role: "status" });
  const note = el("p", { class: "caption" });
  const slider = el("input", { type: "range", min: "0", step: "1", "aria-label": "Epoch" });
  const when = el("output", {});
  const play = el("button", { class: "pill", "data-focus": "play" }, "Play the epochs");
  const choice = chooser(
    run,
    () => reader.ask(),
    (sentence) => write(told, sentence),
  );
  const time = el("div", { class: "row epochs" }, play, slider, when);
  const none = el(
    "p",
    { class: "caption", hidden: true },
    "There are no epochs to go back to: weights are kept only of small networks, as said below.",
  );
  const element = el(
    "section",
    { class: "card inside", hidden: true, "aria-label": "Inside the network for one image" },
    el("h3", {}, "Inside the network, for one image"),
    el(
      "p",
      { class: "caption" },
      "What each layer makes of an image that is not trained on. The gradients of the activations are those of this " +
        "image's loss; the gradients of the weights are those of the whole batch, by which the last step changed them.",
    ),
    choice.element,
    time,
    none,
    el("div", { class: "outcome" }, image, el("div", {}, answers, told)),
    rows.element,
    note,
  );
  /** @type {Examples | null} */
  let known = null;
  /** @type {LayerView | null} */
  let view = null;
  let live = false;
  let seen = false;
  let watchTimer = 0;
  let playTimer = 0;

  const epochs = () => known?.epochs ?? [];
  /** The step whose weights are shown; null for the training as it goes. */
  function step() {
    const chosen = epochs().find((one) => String(one.step) === state.at());
    if (chosen) return chosen.step;
    return live ? null : (epochs().at(-1)?.step ?? null);
  }

  const reader = latest(async () => {
    const at = step();
    if (!seen || (at === null && !live)) return;
    if (at === null) await ask(`${path}/layers/watch`, { method: "POST", body: "{}" });
    try {
      const answer = await ask(`${path}/layers.bin${at === null ? "" : `?step=${at}`}`, { cache: "no-store" });
      view = readView(await answer.arrayBuffer());
    } catch (error) {
      if (at !== null) write(told, messageOf(error));
      return; // the training has not written it yet
    }
    draw();
  });

  function draw() {
    if (!view) return;
    const at = step();
    rows.draw(view);
    const pixels = view.tensors.get("pixels");
    if (pixels) {
      const [, height, width, channels] = pixels.shape;
      const bytes = new Uint8Array(pixels.data.buffer, pixels.data.byteOffset, pixels.data.length);
      image.replaceChildren(photo(bytes, height, width, channels));
    }
    drawAnswers(view);
    choice.mark(view.example.name);
    const last = epochs().length + (live ? 0 : -1);
    slider.max = String(Math.max(0, last));
    const place = epochs().findIndex((one) => one.step === at);
    if (document.activeElement !== slider || at === null) slider.value = String(place < 0 ? last : place);
    const words = at === null ? `now, step ${count(view.step)}` : spoken(view);
    write(when, words);
    slider.setAttribute("aria-valuetext", words);
    time.hidden = epochs().length < 2;
    none.hidden = epochs().length > 0;
  }

  /** @param {LayerView} view */
  const spoken = ({ epoch, step }) =>
    step ? `after epoch ${count(epoch)}, step ${count(step)}` : "before the first step";

  /** @param {LayerView} view */
  function drawAnswers({ answers: list, example, loss, target, layers, left_out }) {
    answers.ariaLabel = list.map(([name, share]) => `${name} ${percent(share)}`).join(", ") || "No classes";
    answers.replaceChildren(
      ...list
        .slice(0, 5)
        .map(([name, share]) =>
          el(
            "div",
            { class: name === example.truth ? "chance truth" : "chance" },
            el("span", { class: "class" }, name),
            el("i", {}, el("i", { style: { width: `${100 * (share ?? 0)}%` } })),
            el("span", { class: "n" }, percent(share)),
          ),
        ),
    );
    const truth = example.truth ? `True class ${example.truth}. ` : "An image of yours: its class is not known. ";
    const of = example.truth || target === null ? "" : " for the predicted class, which the gradients are of";
    write(told, loss === null ? truth : `${truth}Loss ${short(loss, 3)}${of}.`);
    const more = left_out ? ` ${count(layers.length)} of ${count(layers.length + left_out)} layers.` : "";
    write(note, `${known?.note ?? ""}${more} Orange below 0, blue above, the darkest at each picture's largest value.`);
  }

  const refresh = latest(async () => {
    known = /** @type {Examples} */ (await (await ask(`${path}/examples`, { cache: "no-store" })).json());
    element.hidden = !known.images.length || !(live || epochs().length);
    await choice.draw(known);
    reader.ask();
  });

  slider.addEventListener("input", () => {
    stopPlaying();
    const one = epochs()[Number(slider.value)];
    state.setAt(one ? String(one.step) : "");
    reader.ask();
  });
  play.addEventListener("click", () => (playTimer ? stopPlaying() : startPlaying()));
  function startPlaying() {
    let next = 0;
    write(play, "Stop");
    playTimer = setInterval(() => {
      const one = epochs()[next++];
      state.setAt(one ? String(one.step) : "");
      reader.ask();
      if (!one) stopPlaying();
    }, PLAY);
  }
  function stopPlaying() {
    clearInterval(playTimer);
    playTimer = 0;
    write(play, "Play the epochs");
  }

  const observer = new IntersectionObserver((entries) => {
    seen = entries.some((entry) => entry.isIntersecting);
    watch();
  });
  observer.observe(element);

  /** Let the training know that somebody looks, as long as somebody does. */
  function watch() {
    clearInterval(watchTimer);
    if (!seen) return;
    reader.ask();
    if (live)
      watchTimer = setInterval(() => {
        if (!document.hidden && step() === null)
          ask(`${path}/layers/watch`, { method: "POST", body: "{}" }).catch(() => {});
      }, WATCH);
  }

  return {
    element,
    /** There is a new view. */
    ask: () => step() === null && reader.ask(),
    examples: refresh.ask,
    /** @param {Run} data */
    told(data) {
      const now = ["training", "evaluating"].includes(data.state);
      if (now === live) return;
      live = now;
      watch();
      refresh.ask();
    },
    again: draw,
    stop() {
      stopPlaying();
      clearInterval(watchTimer);
      observer.disconnect();
      reader.stop();
      refresh.stop();
    },
  };
}
