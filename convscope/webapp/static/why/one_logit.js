/** Of a network that returns one number for two classes: how its sum is weighed, and what sigmoid makes of it. */

/** @import { LabImage, Network, WhyResult } from "../types.js" */

import { el } from "../element.js";
import { percent } from "../numbers.js";
import { ofOneLogit } from "../picture.js";
import { link } from "../state.js";

/** What the values are multiplied by. @param {Network} net @param {LabImage} image @param {WhyResult} result */
export function weightsOf(net, image, { target, instead_of: other }) {
  if (other === null) return "Value × weight.";
  if (!ofOneLogit(image)) return "Value × the difference of the two classes' weights.";
  const [no, yes] = net.classes;
  const said = `The network returns one number: above 0 it says ${yes}, below 0 ${no}.`;
  return target
    ? `${said} Value × weight.`
    : `${said} Here its sign is turned: what speaks against ${yes} counts for ${no}.`;
}

/** Of one number, how the probability follows from it. @param {Network} net @param {LabImage} image @param {WhyResult} result */
export function sigmoid(net, image, { target }) {
  const { probability } = image.predictions.find(({ index }) => index === target) ?? image.predictions[0];
  const place = { layer: net.answer, map: 0, row: 0, col: 0 };
  return el(
    "div",
    { class: "total" },
    net.answer
      ? el("a", { class: "to-unit", ...link({ place, layer: net.answer, trail: [], why: null }) }, "sigmoid")
      : el("span", {}, "sigmoid"),
    el("span", { class: "caption" }, `P(${net.classes[target]}) = 1 ÷ (1 + e^−sum)`),
    el("data", {}, percent(probability)),
  );
}
