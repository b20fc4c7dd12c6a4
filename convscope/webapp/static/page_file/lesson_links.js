/** Lessons are in the lab and in a course, not in a file. */

/** @param {import("../types.js").Row} _row @returns {HTMLElement | null} */
export const lessonLinks = (_row) => null;
