/** Who answers the page: the lab's server. In a page that is a file, page_file/source.js stands in its place. */

/** @param {string} path  below /api @param {RequestInit} options @returns {Promise<Response>} */
export const answerTo = (path, options) => fetch(`/api${path}`, options);
