/** Work that the lab does in the background: started, followed, shown as it goes on, left when nobody looks. */

/** @import { Computed } from "./types.js" */

import { Refused, ask, post } from "./api.js";
import { el, write } from "./element.js";
import { count } from "./numbers.js";

const BETWEEN = 250; // milliseconds between two looks

/**
 * Start it, or find it where the same was asked for before, and follow it to its end.
 * @param {string} path  below /api @param {unknown} body
 * @param {(now: Computed) => void} onChange  gets every state; `result` is null where it has not changed
 * @param {() => boolean} late  whether nobody waits any more
 * @returns {Promise<void>} throws Refused with the lab's sentence
 */
export async function compute(path, body, onChange, late) {
  /** @type {Computed} */
  let now = await post(path, body);
  for (;;) {
    if (late()) return leave(now);
    onChange(now);
    if (now.state === "failed") throw new Refused(now.message, 404);
    if (now.state === "done") return;
    await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    if (late()) return leave(now);
    if (now.state === "stopped") now = await post(path, body);
    else now = await (await ask(`/computations/${now.id}?since=${now.version}`)).json();
  }
}

/** @param {Computed} now */
function leave(now) {
  if (now.state === "waiting" || now.state === "running")
    ask(`/computations/${now.id}`, { method: "DELETE" }).catch(() => {});
}

/** A file of a result as numbers. @param {Computed} now @param {string} name */
export async function numbersOf(now, name) {
  const answer = await ask(`/computations/${now.id}/files/${name}`);
  return new Float32Array(await answer.arrayBuffer());
}

/** A file of a result as an address for an <img>. @param {Computed} now @param {string} name */
export async function pictureOf(now, name) {
  const answer = await ask(`/computations/${now.id}/files/${name}`);
  return URL.createObjectURL(await answer.blob());
}

/** A bar and a sentence that say how far it is; gone when it has ended. */
export function progressBar() {
  const bar = el("progress", { "aria-label": "Progress" });
  const text = el("span", { class: "caption" });
  const node = el("div", { class: "row progress", hidden: true }, bar, text);
  /** @param {Computed | null} now */
  const show = (now) => {
    node.hidden = !now || (now.state !== "waiting" && now.state !== "running");
    if (!now || node.hidden) return;
    if (now.total) [bar.max, bar.value] = [now.total, now.done];
    else bar.removeAttribute("value");
    write(text, sentence(now));
  };
  return { node, show };
}

/** @param {Computed} now */
function sentence({ state, doing, done, total }) {
  if (state === "waiting") return "Waiting for other computations to end…";
  return total ? `${doing}: ${count(done)} of ${count(total)}` : `${doing || "Starting"}…`;
}
