/**
 * What the server tells of one run, kept up to date. The server sends whole tables, or their end: nothing here grows
 * without a bound.
 *
 * @typedef {{state: string, message: string, description: string, step: number, steps: number | null, epoch: number, epochs: number | null,
 *   batches: number, progress: number, seconds: number, seconds_left: number | null, images_per_second: number | null, lr: number,
 *   loss: number | null, top1: number | null, saved_step: number, acknowledged: number}} Now
 * @typedef {{epoch: number, step: number, seconds: number, lr: number, train_loss: number, train_top1: number, val_loss?: number,
 *   val_top1?: number, best?: boolean}} Metric
 * @typedef {{images: number, top1: number, top1_interval: number[], loss: number}} Test
 * @typedef {{name: string, title: string, state: string, now: Now | null, test: Test | null, log: string[], message: string,
 *   settings?: Record<string, any>, metrics: Metric[], width: number, columns: string[], rows: number[][]}} Told
 * @typedef {"state" | "steps" | "evaluation" | "look" | "filters" | "wrong" | "lost"} What
 */

import { Refused, ask, streamAddress } from "../api.js";

const AGAIN = 2000; // milliseconds after which a closed stream is opened anew
const GONE =
  "The lab does not answer. The training goes on without it. Start the lab again with `convscope lab`; this page will go on where it is.";

/**
 * @param {string} run
 * @param {(what: What, told: Told) => void} heard
 */
export async function feed(run, heard) {
  const path = `/runs/${encodeURIComponent(run)}`;
  const read = async () => (await ask(path)).json();
  /** @type {Told} */
  const told = { width: 1, columns: [], rows: [], ...(await read()) };
  /** @type {EventSource | null} */
  let stream = null;
  let timer = 0,
    ended = false,
    lost = "";

  const tell = (/** @type {What} */ what) => !ended && heard(what, told);
  const lose = (/** @type {string} */ sentence) => {
    if (lost === sentence) return;
    lost = sentence;
    tell("lost");
  };
  /** @type {Record<string, (data: any) => void>} */
  const acts = {
    state: (data) => Object.assign(told, data),
    steps: ({ width, from, columns, rows }) => {
      const kept = width === told.width ? told.rows.slice(0, from) : [];
      Object.assign(told, { width, columns, rows: [...kept, ...rows] });
    },
    evaluation: ({ metrics }) => (told.metrics = metrics),
    look: () => {},
    filters: () => {},
    wrong: () => {},
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
        tell(/** @type {What} */ (name));
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
      Object.assign(told, await read());
      ["state", "evaluation"].forEach((what) => tell(/** @type {What} */ (what)));
    } catch {
      // What was told last stays.
    }
  }

  return {
    told,
    open,
    lost: () => lost,
    stop() {
      ended = true;
      clearTimeout(timer);
      stream?.close();
    },
  };
}
