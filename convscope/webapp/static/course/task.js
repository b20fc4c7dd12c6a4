/** An exercise as Python has it, from what homework.py wrote, and the translated `check`. */

/** @typedef {any} Value */

import { Fraction, call } from "./python.js";
import { modules } from "./translated.js";

const { check } = modules["convscope.lessons.exercises.checking"];
const { Answer } = modules["convscope.lessons.exercises.answer"];
const { Mistake, Task } = modules["convscope.lessons.exercises.task"];
const { Derivation } = modules["convscope.arithmetic.derivation"];

/** An answer of Python, from what homework.py wrote. @param {Value} value @param {string} kind @returns {Value} */
function answerOf(value, kind) {
  if (value.kind) return answerOf(value.value, value.kind);
  if (value.choice !== undefined) return Answer(kind, value.choice);
  if (Array.isArray(value)) return Answer(kind, value);
  const [above, below = "1"] = value.split("/");
  return Answer(kind, Fraction(BigInt(above), BigInt(below)));
}

/** @param {Value} item */
export const taskOf = (item) =>
  call(Task, [], {
    question: item.question,
    answer: answerOf(item.answer, item.kind),
    hint: item.hint,
    worked: Derivation(item.worked.rows, item.worked.remarks),
    mistakes: item.mistakes.map((/** @type {[Value, string]} */ [answer, step]) =>
      Mistake(answerOf(answer, item.kind), step),
    ),
    choices: item.choices,
  });

/** @param {Value} item @param {string} answer @param {number} tries @returns {Value} */
export const checked = (item, answer, tries) => call(check, [taskOf(item), answer], { tries });
