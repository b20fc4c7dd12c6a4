/**
 * The screen Training.
 *
 *   /train        the runs, and the form that starts one
 *   /train/RUN    one run, as it goes; ?log=CHART~...&layer=LAYER&open=PART~...
 */

import { el, entitle, styles } from "../element.js";
import { listPage } from "./list.js";
import { runPage } from "./run.js";

/** @typedef {{element: HTMLElement, title?: string, again: () => void, stop: () => void}} Page */
/** @type {{run: string, page: Page} | null} */
let open = null;
let note = ""; // what the next page says first

function named() {
  const text = location.pathname.split("/")[2] ?? "";
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {HTMLElement} stage @param {() => boolean} late */
export async function show(stage, late) {
  const run = named();
  if (open && open.run === run && open.page.element.isConnected) return open.page.again();
  stop();
  const wait = setTimeout(
    () => late() || stage.replaceChildren(el("p", { class: "lead" }, run ? `Reading ${run}…` : "Reading the runs…")),
    300,
  );
  try {
    await Promise.all([styles("training.css"), styles("chart.css"), styles("confusion.css")]);
    /** @type {Page} */
    const page = run ? await runPage(run, note) : await listPage((sentence) => (note = sentence));
    if (late()) return page.stop();
    note = "";
    stop();
    open = { run, page };
    stage.replaceChildren(page.element);
    entitle([run && (page.title ?? run), "Train", "convscope"].filter(Boolean).join(" · "));
  } finally {
    clearTimeout(wait);
  }
}

/** Close the stream, the timers and the charts. */
export function stop() {
  open?.page.stop();
  open = null;
}
