/** What it learned: levels, redundancy and the map of images of one network, each computed when it is asked for. */

/** @import { LearnedState, Status, View } from "./types.js" */
/** @import { Network } from "../types.js" */

import { network, networks } from "../api.js";
import { el, entitle, styles } from "../element.js";
import { replaceChildren } from "../focus.js";
import { several } from "../numbers.js";
import { redraw, travel } from "../state.js";
import { isRandom, trainLink } from "../train_link.js";
import { address, read } from "./address.js";
import { status as askStatus } from "./api.js";

/** @type {Record<View, [string, () => Promise<{show: ShowView}>]>} */
const VIEWS = {
  levels: ["Levels", () => import("./levels.js")],
  redundancy: ["Twins and dead filters", () => import("./redundancy.js")],
  map: ["Map of images", () => import("./map.js")],
};

/**
 * @typedef {{net: Network, state: LearnedState, status: Status, late: () => boolean, redo: () => void}} Scene
 * @typedef {(scene: Scene) => Promise<(Node | null)[]>} ShowView
 */

/** @param {HTMLElement} stage @param {() => boolean} late */
export async function show(stage, late) {
  await styles("learned.css");
  const list = await networks();
  if (late()) return;
  const state = { ...read() };
  if (!state.net && list.first) state.net = list.first;
  if (!state.net)
    return replaceChildren(
      stage,
      el("h2", {}, "What it learned"),
      el("p", { class: "lead" }, "No network yet. Start the lab with a run: `convscope lab RUN`."),
    );
  history.replaceState(null, "", address(state));
  const net = await network(state.net);
  const status = await askStatus(net.id, state.data);
  if (late()) return;
  entitle(`What ${net.title} learned · convscope`);
  const [, open] = VIEWS[state.view];
  const view = await open();
  const shown = status.images.reason ? [] : await view.show({ net, state, status, late, redo: redraw });
  if (late()) return;
  replaceChildren(stage, ...head(net, state, status), ...shown.filter((node) => node !== null));
}

/** Title, which images, and the views. @param {Network} net @param {LearnedState} state @param {Status} status */
function head(net, state, status) {
  const { count, description, reason } = status.images;
  return [
    el(
      "div",
      { class: "row spread" },
      el(
        "div",
        {},
        el("h2", {}, `What ${net.title} learned`),
        el("p", { class: "lead" }, reason ? "" : `From ${several(count, "image")}: ${description}.`),
      ),
      choices(state, status),
    ),
    net.warning ? el("p", { class: "note" }, net.warning) : null,
    reason ? el("p", { class: "note" }, reason) : views(state),
    reason && isRandom(net) ? el("div", { class: "row" }, trainLink(net)) : null,
  ].filter((node) => node !== null);
}

/** @param {LearnedState} state */
const views = (state) =>
  el(
    "div",
    { class: "row", role: "group", "aria-label": "What to look at" },
    ...Object.entries(VIEWS).map(([name, [title]]) => {
      const view = /** @type {View} */ (name);
      return el(
        "button",
        {
          class: "pill",
          "aria-pressed": String(view === state.view),
          onclick: () => travel(address({ ...state, view, row: "" })),
        },
        title,
      );
    }),
  );

/** Which data, where there is a choice. @param {LearnedState} state @param {Status} status */
function choices(state, { choices: names, data }) {
  if (names.length < 2) return null;
  return el(
    "select",
    {
      class: "pill",
      "aria-label": "Images",
      onchange: (event) => travel(address({ ...state, data: event.target.value })),
    },
    ...names.map((name) => el("option", { value: name, selected: name === data }, name)),
  );
}

/** Which network, where there is a choice. @returns {Promise<(Node | null)[]>} */
export async function tools() {
  const { networks: list } = await networks();
  const state = read();
  if (list.length < 2) return [];
  return [
    el(
      "select",
      {
        class: "pill",
        "aria-label": "Network",
        onchange: (event) => travel(address({ ...state, net: event.target.value, row: "", data: "" })),
      },
      ...list.map(({ id, title }) => el("option", { value: id, selected: id === state.net }, title)),
    ),
  ];
}
