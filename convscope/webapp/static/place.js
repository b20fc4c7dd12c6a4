/** The address of the page: the server's paths. A page in a file has its own, see page_file/place.js. */

/** "/look/NETWORK/IMAGE" */
export const path = () => location.pathname;

/** "?rank=importance", or "" */
export const query = () => location.search;

/** What a link to an address of the page has to say. @param {string} to */
export const href = (to) => to;

/** A new entry in the history. @param {string} to */
export const push = (to) => history.pushState(null, "", to);

/** The same entry, with another address. @param {string} to */
export const replace = (to) => history.replaceState(null, "", to);
