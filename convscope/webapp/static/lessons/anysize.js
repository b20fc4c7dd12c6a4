/** Lesson: which networks take images of any size, and where others break. */

/** @import { AnySizeAnswer, AnySizeEnd, AnySizeRow, Lesson, LessonState } from "./types.js" */

import { el, styles } from "../element.js";
import { count, several, volume } from "../numbers.js";
import { wholeNumber } from "./number_field.js";
import { again, controls, pills, remark } from "./parts.js";
import { sideways } from "./sideways.js";
import { volumes } from "./volume_row.js";

await styles("lesson_figures.css");
await styles("lesson_networks.css");
await styles("lesson_motives.css");

/** @type {Record<string, LessonState>} */
const IMAGES = {
  "as built": { height: 32, width: 32 },
  "a larger one": { height: 48, width: 48 },
  "a wide one": { height: 32, width: 90 },
  "a smaller one": { height: 24, width: 24 },
  "too small": { height: 8, width: 8 },
};
/** @type {Record<string, [title: string, idea: string]>} */
const ENDS = {
  flatten: ["Flatten, then dense", "A weight for each value of the last maps, and for no other."],
  mean: ["Global average, then dense", "A mean for each map: as many numbers, whatever its size."],
  convolution: ["The dense layer as a filter", "The same weights as above, laid on every position of the last maps."],
};

/** @type {Lesson<AnySizeAnswer>} */
export const lesson = {
  lead:
    "A convolution does not care how large an image is: it has as many weights, and more positions. So why do many " +
    "networks refuse all sizes but one? Carry a size through the layers, and see where it breaks.",
  start: { height: 48, width: 48, built: "32" },

  draw(answer, state, set) {
    /** @param {"height" | "width"} name @param {string} label */
    const field = (name, label) =>
      wholeNumber(label, Number(state[name]), { low: 1, high: 512, set: (value) => set({ [name]: value }) });
    const known =
      Object.keys(IMAGES).find((name) =>
        Object.entries(IMAGES[name]).every(([part, value]) => state[part] === value),
      ) ?? "";
    return [
      controls(
        pills(
          "Built for",
          ["28", "32", "64"],
          String(state.built),
          (built) => set({ built }),
          (s) => `${s}×${s}`,
        ),
        field("height", "Height of the image"),
        field("width", "Width"),
        again(() => set({ ...lesson.start })),
      ),
      controls(pills("Try", Object.keys(IMAGES), known, (name) => set({ ...IMAGES[name] }))),
      el(
        "section",
        { class: "card lesson-card", "aria-label": "The layers that all three share" },
        el("h3", {}, "The layers that all three share"),
        sideways(
          "volumes",
          volumes(
            "Volumes",
            [{ layer: "image", volume: answer.image }, ...answer.features].map((row) => ({
              name: row.layer,
              shape: row.volume,
              chosen: false,
              choose: null,
            })),
          ),
        ),
        answer.problem
          ? el("p", { class: "note", "data-said": true }, answer.problem)
          : el(
              "p",
              { "data-said": true },
              `${volume(answer.image)} becomes ${volume(answer.features[answer.features.length - 1].volume)}, with the ` +
                `${several(answer.feature_parameters, "parameter")} of the filters, whatever the size. The network was ` +
                `built for ${volume(answer.built_for)} here.`,
            ),
      ),
      el("div", { class: "three ends" }, ...answer.ends.map(ending)),
      remark(
        "A filter as large as the maps it was built for is the dense layer, weight for weight: on an image of that size " +
          "it has one position and the same scores. On a larger image it slides, and makes a map of scores that says " +
          "where a class is.",
      ),
    ];
  },
};

/** @param {AnySizeEnd} end */
function ending({ end, rows, parameters, problem }) {
  const [title, idea] = ENDS[end];
  /** @param {AnySizeRow} row */
  const line = (row) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, row.layer),
      el(
        "td",
        {},
        el("b", {}, row.volume.length > 1 ? volume(row.volume) : count(row.volume[0])),
        row.formula ? el("span", { class: "caption" }, ` ${row.formula}`) : "",
      ),
    );
  const stops = Boolean(problem) && !rows.some((row) => row.layer === "dense" || row.layer === "global average");
  return el(
    "section",
    { class: `card lesson-card${stops ? " broken" : ""}`, "aria-label": title },
    el("h3", {}, title),
    el("p", { class: "caption" }, idea),
    rows.length ? el("table", { class: "figures end-rows" }, el("tbody", {}, ...rows.map(line))) : null,
    problem ? el("p", { class: "note", "data-said": `${title}: ${problem}` }, problem) : null,
    rows.length && !problem ? el("p", { "data-said": `${title}: works.` }, el("strong", {}, "It works.")) : null,
    el("p", { class: "caption" }, `${count(parameters)} parameters`),
  );
}
