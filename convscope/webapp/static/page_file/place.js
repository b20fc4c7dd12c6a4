/** The address of a page that is a file: below "#", since a file has no paths. */

const START = `/${document.body.dataset.screen}`;
let last = START; // where a link to a part of the page, such as #stage, was followed

/** The address: "/look/NETWORK/IMAGE?rank=importance". */
function address() {
  if (location.hash.startsWith("#/")) last = location.hash.slice(1);
  return last;
}

/** "/look/NETWORK/IMAGE" */
export const path = () => address().split("?")[0];

/** "?rank=importance", or "" */
export const query = () => address().slice(path().length);

/** What a link to an address of the page has to say. @param {string} to */
export const href = (to) => `#${to}`;

/** A new entry in the history. @param {string} to */
export const push = (to) => history.pushState(null, "", `#${to}`);

/** The same entry, with another address. @param {string} to */
export const replace = (to) => history.replaceState(null, "", `#${to}`);
