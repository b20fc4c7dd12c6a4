/** Results: how good the network is, what to distrust, and which images are wrong; each image opens in Look inside. */

/** @import { Network } from "../types.js" */
/** @import { Status } from "../learned/types.js" */
/** @import { Results, ResultsState } from "./types.js" */

import { network, networks } from "../api.js";
import { el, entitle, styles } from "../element.js";
import { replaceChildren } from "../focus.js";
import * as api from "../learned/api.js";
import { studyCard } from "../learned/study.js";
import { several } from "../numbers.js";
import { redraw, travel } from "../state.js";
import { isRandom, trainLink } from "../train_link.js";
import { address, read } from "./address.js";
import { gallery } from "./gallery.js";
import { classes, confusion, figures, reliability, slices } from "./tables.js";

/**
 * @typedef {{net: Network, state: ResultsState, found: Results, late: () => boolean}} Scene
 */

/** @param {HTMLElement} stage @param {() => boolean} late */
export async function show(stage, late) {
  await Promise.all([styles("learned.css"), styles("results.css"), styles("confusion.css")]);
  const list = await networks();
  if (late()) return;
  const state = { ...read() };
  if (!state.net && list.first) state.net = list.first;
  if (!state.net)
    return replaceChildren(
      stage,
      el("h2", {}, "Results"),
      el("p", { class: "lead" }, "No network yet. Start the lab with a run: `convscope lab RUN`."),
    );
  history.replaceState(null, "", address(state));
  const net = await network(state.net);
  const status = await api.status(net.id, state.data);
  if (late()) return;
  entitle(`Results of ${net.title} · convscope`);
  const found = status.images.reason ? null : await api.results(net.id, state.data);
  if (late()) return;
  replaceChildren(stage, ...head(net, state, status), ...body({ net, state, found, late }, status));
}

/** @param {Omit<Scene, "found"> & {found: Results | null}} scene @param {Status} status */
function body({ net, state, found, late }, status) {
  if (found) return shown({ net, state, found, late });
  if (status.images.reason) return []; // which the head says
  return [
    studyCard(
      net.id,
      status,
      { kind: "results" },
      {
        sentence: "How often the network is right, with 95% intervals, what to distrust, and which images are wrong.",
        label: "Evaluate the network",
        done: redraw,
        late,
      },
    ),
  ];
}

/** @param {Scene} scene @returns {Node[]} */
function shown(scene) {
  const { found } = scene;
  return [
    found.distrust.length
      ? section(
          "What to distrust",
          el("ul", { class: "distrust" }, ...found.distrust.map((text) => el("li", {}, text))),
        )
      : null,
    section("Figures", figures(found)),
    section("Classes", classes(found)),
    found.confusion ? section("Confusion", confusion(scene)) : null,
    section("Probabilities", reliability(found)),
    section("Slices", el("p", { class: "caption" }, found.slices.sentence), slices(scene)),
    section("Images", gallery(scene)),
  ].filter((node) => node !== null);
}

/** @param {string} title @param {...(Node | null)} children */
const section = (title, ...children) =>
  el("section", { class: "level", "aria-label": title }, el("h3", {}, title), ...children);

/** @param {Network} net @param {ResultsState} state @param {Status} status */
function head(net, state, { images, choices, data }) {
  const { count, description, reason } = images;
  return [
    el(
      "div",
      { class: "row spread" },
      el(
        "div",
        {},
        el("h2", {}, `Results of ${net.title}`),
        el("p", { class: "lead" }, reason ? "" : `On ${several(count, "image")}: ${description}.`),
      ),
      choices.length < 2
        ? null
        : el(
            "select",
            {
              class: "pill",
              "aria-label": "Images",
              onchange: (event) => travel(address({ ...state, data: event.target.value, list: "confident" })),
            },
            ...choices.map((name) => el("option", { value: name, selected: name === data }, name)),
          ),
    ),
    net.warning ? el("p", { class: "note" }, net.warning) : null,
    reason ? el("p", { class: "note" }, reason) : null,
    reason && isRandom(net) ? el("div", { class: "row" }, trainLink(net)) : null,
  ].filter((node) => node !== null);
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
        onchange: (event) => travel(address({ ...state, net: event.target.value, data: "", list: "confident" })),
      },
      ...list.map(({ id, title }) => el("option", { value: id, selected: id === state.net }, title)),
    ),
  ];
}
