/** A page of a course has all its styles from the start. */

/** @param {string} _name @returns {Promise<void>} */
export const styles = (_name) => Promise.resolve();
