/** The exercises of this page: questions, and what is right, by the translated `check`. */

/** @typedef {any} Value */

import { index, readTable } from "./data.js";
import { checked, taskOf } from "./task.js";

/**
 * One exercise as Python wrote it, or a sentence that says why there is none.
 * @param {string} lesson @param {number} number @param {number} variant @returns {Promise<Value>}
 */
async function find(lesson, number, variant) {
  if (!(Number.isInteger(variant) && variant >= 1 && variant <= index.variants))
    return `There is no variant ${variant}. This course has the variants 1 to ${index.variants}.`;
  if (!(Number.isInteger(number) && number >= 1 && number <= index.exercises))
    return `There is no exercise ${number}. This course has ${index.exercises} of each lesson.`;
  const all = await readTable(`exercises/${lesson}`);
  return all[variant - 1][number - 1];
}

/** The question without its answer. @param {string} lesson @param {number} number @param {number} variant @returns {Promise<Value>} */
export async function question(lesson, number, variant) {
  const item = await find(lesson, number, variant);
  if (typeof item === "string") return item;
  const { answer: _answer, hint: _hint, worked: _worked, mistakes: _mistakes, ...asked } = item;
  return { ...asked, lesson, number, seed: String(variant), form: taskOf(item).answer.form };
}

/** @param {string} lesson @param {number} number @param {number} variant @param {string} answer @param {number} tries @returns {Promise<Value>} */
export async function judge(lesson, number, variant, answer, tries) {
  const item = await find(lesson, number, variant);
  if (typeof item === "string") return item;
  const verdict = checked(item, answer, tries);
  return {
    right: verdict.right,
    counted: verdict.counted,
    message: verdict.sentence,
    worked: verdict.worked && { rows: verdict.worked.rows, remarks: verdict.worked.remarks },
  };
}
