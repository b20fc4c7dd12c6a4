/**
 * Who learns, and what is kept of that: nothing in the lab, where the address holds an exercise's seed. In a course
 * without the lab, course/student.js stands in its place.
 */

/** @import { Question } from "./types.js" */

/** Do exercises stand on screens of their own, where no lesson computes the answer? */
export const isApart = false;

/** Is there a clock for layers that run? */
export const hasClock = true;

/** Is there a sheet to print, with solutions? */
export const hasSheet = true;

/** The seed of exercises whose address names none. */
export const ownSeed = () => "1";

/** Above the list of lessons. @returns {Node | null} */
export const studentCard = () => null;

/** What is done of a lesson. @param {string} _lesson @returns {string} */
export const progressOf = (_lesson) => "";

/** Ways to the exercises of a lesson. @param {Question} _question @param {(number: number) => void} _go @returns {Node | null} */
export const exerciseRow = (_question, _go) => null;

/** Where a lesson's numbers come from. @param {string} _lesson @returns {string} */
export const originOf = (_lesson) => "";
