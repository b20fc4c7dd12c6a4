/** A course has no layers to search. */

export const hasSearch = false;
