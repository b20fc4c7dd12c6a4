/** Lesson: the ImageNet challenge, top-5 errors, and depth. */

/** @import { IlsvrcAnswer, Lesson, LessonState, SetState } from "./types.js" */

import { el, styles } from "../element.js";
import { count, several } from "../numbers.js";
import { controls, remark, stepper } from "./parts.js";
import { bars } from "./share_bars.js";
import { sideways } from "./sideways.js";

await styles("lesson_figures.css");
await styles("lesson_networks.css");
await styles("lesson_motives.css");

/** 0.153 -> "15.3%", with the digits that were published. @param {number} share */
const error = (share) => `${Number((100 * share).toFixed(2))}%`;

/** @type {Lesson<IlsvrcAnswer>} */
export const lesson = {
  lead:
    "ILSVRC, the ImageNet challenge, has 1,000 classes, some of them hard to tell apart. So a network may give five " +
    "answers, and an image counts as wrong only if its class is none of them: the top-5 error. In 2012 AlexNet won by " +
    "far, and from then on networks grew deeper.",
  start: { answers: 5 },

  draw(answer, state, set) {
    return [examples(answer, state, set), winners(answer), single(answer)];
  },
};

/** @param {IlsvrcAnswer} answer @param {LessonState} state @param {SetState} set */
function examples({ examples: images, wrong, errors }, state, set) {
  const allowed = Number(state.answers);
  return el(
    "section",
    { class: "card lesson-card", "aria-label": "Six images and five answers" },
    el("h3", {}, "Six images, five answers each"),
    controls(stepper("Answers that count", allowed, { low: 1, high: 5, set: (answers) => set({ answers }) })),
    sideways(
      "answers",
      el(
        "table",
        { class: "layer-table answers" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ...["class", "1st", "2nd", "3rd", "4th", "5th", ""].map((head) =>
              el("th", { scope: "col", class: "word" }, head),
            ),
          ),
        ),
        el(
          "tbody",
          {},
          ...images.map(({ name, answers, place, right }) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, name),
              ...answers.map((text, i) =>
                el("td", { class: `word${i + 1 === place ? " hit" : ""}${i >= allowed ? " late" : ""}` }, text),
              ),
              el("td", { class: "word" }, el("b", {}, right ? "right" : "wrong")),
            ),
          ),
        ),
      ),
    ),
    el(
      "p",
      { "data-said": true },
      `${several(wrong, "image")} of ${images.length} ${wrong === 1 ? "is" : "are"} wrong: the top-${allowed} error is `,
      el("strong", {}, error(errors[allowed - 1])),
      `. With 1 to 5 answers: ${errors.map(error).join(", ")}.`,
    ),
    el("p", { class: "caption" }, "These images and answers are made up; the figures below are published."),
  );
}

/** @param {IlsvrcAnswer} answer */
function winners({ winners: rows, runner_up }) {
  const most = Math.max(runner_up.error, ...rows.map((one) => one.error));
  const deepest = Math.max(...rows.map((one) => one.layers));
  return el(
    "section",
    { class: "card lesson-card network-card winners", "aria-label": "Winners by year" },
    el("h3", {}, "Winners by year"),
    sideways(
      "winners",
      bars(
        "Winners by year",
        ["year", "top-5 error", "layers"],
        rows.map((one) => ({
          name: `${one.year} ${one.network}`,
          bars: [
            { share: one.error / most, text: error(one.error), title: one.source },
            { share: one.layers / deepest, text: count(one.layers), title: `${one.team}: ${one.network}` },
          ],
        })),
      ),
    ),
    remark(
      `On the test images, several networks together. In ${runner_up.year} the second-best entry had ` +
        `${error(runner_up.error)}. Layers are those with weights, from the image to the classes. Shown are years whose ` +
        "winning network has a published depth; ",
      el("code", {}, "convscope history"),
      " lists all.",
    ),
    sources(rows.map(({ year, source }) => [String(year), source])),
  );
}

/** @param {IlsvrcAnswer} answer */
function single({ single: rows }) {
  const most = Math.max(...rows.map((one) => one.top5_error));
  const deepest = Math.max(...rows.map((one) => one.layers));
  return el(
    "section",
    { class: "card lesson-card network-card", "aria-label": "One network, ten crops" },
    el("h3", {}, "One network alone"),
    sideways(
      "single networks",
      bars(
        "One network alone",
        ["network", "top-5 error", "top-1 error", "layers"],
        rows.map((one) => ({
          name: one.name,
          bars: [
            { share: one.top5_error / most, text: error(one.top5_error) },
            one.error === null ? { share: 0, text: "" } : { share: one.error, text: error(one.error) },
            { share: one.layers / deepest, text: count(one.layers) },
          ],
        })),
      ),
    ),
    remark(
      "On the validation images, the mean over ten crops of each. Deeper networks make fewer errors here, but depth is not " +
        "all that changed: GoogLeNet has far fewer weights than VGG-16, and ResNets have skip connections. A bar that is " +
        "missing was not published.",
    ),
    sources(rows.map(({ name, source }) => [name, source])),
  );
}

/** @param {[string, string][]} rows */
const sources = (rows) =>
  el(
    "details",
    {},
    el("summary", {}, "Sources"),
    el("ul", { class: "caption" }, ...rows.map(([name, source]) => el("li", {}, `${name}: ${source}`))),
  );
