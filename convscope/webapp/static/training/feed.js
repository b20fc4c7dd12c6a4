/**
 * What the server tells of one run, kept up to date. The server sends whole tables, or their end: nothing here grows
 * without a bound.
 *
 * @typedef {"state" | "steps" | "evaluation" | "look" | "filters" | "wrong" | "confusion" | "layers" | "examples" |
 *   "lost"} What
 */

/** @import { Run, StepTable } from "../types.js" */

import { Refused, ask, streamAddress } from "../api.js";

const AGAIN = 2000; // milliseconds after which a closed stream is opened anew
const GONE =
  "The lab does not answer. The training goes on without it. Start the lab again with `convscope lab`; this page " +
  "will then continue.";

/**
 * @param {string} run
 * @param {(what: What, told: Run) => void} onChange
 */
export async function feed(run, onChange) {
  const path = `/runs/${encodeURIComponent(run)}`;
  const read = async () => (await ask(path)).json();
  /** @type {Run} */
  const data = { width: 1, columns: [], rows: [], ...(await read()) };
  /** @type {EventSource | null} */
  let stream = null;
  let timer = 0;
  let ended = false;
  let lost = "";

  const notify = (/** @type {What} */ what) => !ended && onChange(what, data);
  const lose = (/** @type {string} */ sentence) => {
    if (lost === sentence) return;
    lost = sentence;
    notify("lost");
  };
  const acts = {
    /** @param {Partial<Run>} change */
    state: (change) => Object.assign(data, change),
    /** @param {StepTable & {width: number, from: number}} end  of the table, from a row on */
    steps: ({ width, from, columns, rows }) => {
      const kept = width === data.width ? data.rows.slice(0, from) : [];
      Object.assign(data, { width, columns, rows: [...kept, ...rows] });
    },
    /** @param {Pick<Run, "metrics">} change */
    evaluation: ({ metrics }) => (data.metrics = metrics),
    look: () => {},
    filters: () => {},
    wrong: () => {},
    confusion: () => {},
    layers: () => {},
    examples: () => {},
  };

  function open() {
    clearTimeout(timer);
    stream?.close();
    stream = new EventSource(streamAddress(`${path}/events`));
    stream.addEventListener("open", () => lose(""));
    stream.addEventListener("error", () => {
      lose(lost || GONE);
      if (stream?.readyState === EventSource.CLOSED) timer = setTimeout(anew, AGAIN);
    });
    for (const [name, act] of Object.entries(acts)) {
      stream.addEventListener(name, (event) => {
        act(JSON.parse(/** @type {MessageEvent} */ (event).data));
        notify(/** @type {What} */ (name));
      });
    }
    stream.addEventListener("end", close);
  }

  /** The browser has given up, for it was refused: why, what there is, and then listen again. */
  async function anew() {
    const stop = new AbortController();
    try {
      await refresh();
      await ask(`${path}/events`, { signal: stop.signal });
      if (!ended) open();
    } catch (error) {
      if (error instanceof Refused) lose(error.status ? error.message : GONE);
      if (!ended) timer = setTimeout(anew, AGAIN);
    }
    stop.abort();
  }

  /** The training has ended and all was told. */
  async function close() {
    stream?.close();
    stream = null;
    lose("");
    await refresh();
  }

  async function refresh() {
    try {
      Object.assign(data, await read());
      ["state", "evaluation"].forEach((what) => notify(/** @type {What} */ (what)));
    } catch {
      // What was told last stays.
    }
  }

  return {
    data,
    open,
    lost: () => lost,
    stop() {
      ended = true;
      clearTimeout(timer);
      stream?.close();
    },
  };
}
