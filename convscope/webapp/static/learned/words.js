/** What is said of filters, of levels and of twins. Text alone. */

/** @import { Amount, Filter, LayerRedundancy, Level, Redundancy } from "./types.js" */

import { count, fixed, several, signed } from "../numbers.js";

const CLASSES = 4; // that a sentence lists
const NUMBERS = 12; // of filters that a sentence lists

/** "10,000 images (the test split of mnist)" @param {{images: number, data: string}} about */
export const imagesOf = ({ images, data }) => `${several(images, "image")} (${data})`;

/** "1 class", "3 other classes" @param {number} number */
const classesOf = (number, kind = "") => `${count(number)} ${kind}${number === 1 ? "class" : "classes"}`;

/** 0.4231 -> "42%"; what is not quite all or nothing is said so. @param {number} share */
export function share(share) {
  if (share > 0 && share < 0.005) return "< 1%";
  if (share < 1 && share >= 0.995) return "> 99%";
  return `${Math.round(100 * share)}%`;
}

/** A value with three digits. @param {number | string} value */
export function short(value) {
  if (typeof value === "string") return fixed(value, 0);
  const size = Math.abs(value);
  return fixed(value, size >= 100 || size === 0 ? 0 : Math.min(6, 2 - Math.floor(Math.log10(size))));
}

/** What a filter responds to, in sentences. @param {Filter} filter */
export function responseOf(filter) {
  if (filter.state === "dead") return "Dead: it has one and the same value everywhere, on all of these images.";
  const listed = filter.top_classes.slice(0, CLASSES).map(([name, number]) => `${name} (${number})`);
  const more = filter.num_top_classes - listed.length;
  const classes = `${listed.join(", ")}${more > 0 ? ` and ${classesOf(more, "other ")}` : ""}`;
  return [
    filter.state === "always on" ? "Always on: it is above 0 nearly everywhere." : "",
    filter.num_top ? `Classes of its ${count(filter.num_top)} strongest images: ${classes}.` : "",
    selectivityOf(filter),
    `Above 0 in ${share(filter.active_images)} of the images and in ${share(filter.active_units)} of its units.`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** @param {Pick<Filter, "preferred" | "selectivity">} filter */
export function selectivityOf({ preferred, selectivity }) {
  if (!preferred) return "";
  if (selectivity === null) return `Most active for ${preferred}.`;
  return `Most active for ${preferred}; selectivity ${fixed(selectivity, 2)} of 1.`;
}

export const SELECTIVITY =
  "Selectivity compares the class with the largest mean activation, m, with the mean of the others, r: (m − r) ÷ (m + r). " +
  "0 means all classes alike, 1 one class alone.";

/** What a level is. @param {Level} level */
export function levelText({ is_classes, shape, field, is_exact, filters, layer, row }) {
  const [all, ...sides] = shape;
  const shown = filters.length < all ? ` Shown: ${filters.length}.` : "";
  if (is_classes) return `The scores of ${classesOf(all)}.${shown}`;
  const after = row && row !== layer ? ` after ${row}` : "";
  const units = sides.length ? ` of ${sides.join("×")} units${after}` : after;
  return `${several(all, "filter")}${units}; each unit sees ${is_exact ? "" : "at most "}${field.join("×")} pixels.${shown}`;
}

/** "+34%", or the amount where the value is 0. @param {Amount} amount */
export const amount = ({ added, share }) =>
  share === null ? signed(added, 3) : `${signed(100 * share, Math.abs(share) < 0.01 ? 1 : 0)}%`;

/** "1, 2, 3 and 4 more" @param {number[]} numbers */
export function listed(numbers) {
  const more = numbers.length - NUMBERS;
  return `${numbers.slice(0, NUMBERS).join(", ")}${more > 0 ? ` and ${count(more)} more` : ""}`;
}

/** What all layers together come to. @param {Redundancy} found */
export function redundancyText(found) {
  const maps = found.layers.reduce((sum, layer) => sum + layer.maps, 0);
  const redundant = found.layers.reduce((sum, layer) => sum + layer.redundant.length, 0);
  const over = `Over ${imagesOf(found)}`;
  if (!redundant)
    return `${over}, none of the ${count(maps)} maps of the convolutions is dead, and no two of a layer are twins.`;
  return `${over}, ${count(redundant)} of the ${count(maps)} maps of the convolutions are dead or a twin of another one.`;
}

/** How sure it is that a layer's twins are twins. @param {LayerRedundancy} layer */
export function sureText({ pairs, num_pairs }) {
  if (!num_pairs) return "";
  const sure = pairs.filter((pair) => pair.is_sure).length;
  const all = pairs.length;
  if (sure === all && all > 1) return `All ${all < num_pairs ? "listed " : ""}pairs are sure.`;
  if (all === 1) return sure ? "The pair is sure." : "The pair is not sure: its interval reaches across the threshold.";
  if (!sure) return `None of the ${all} pairs is sure: their intervals reach across the threshold.`;
  return `${sure} of ${all} pairs are sure; the intervals of the others reach across the threshold.`;
}

export const NO_SCORE = "–";
