/** Which runs and networks are compared: chips that go, and lists to add from. */

/** @import { CompareState } from "../types.js" */

import { el } from "../element.js";
import { inside } from "../training/list.js";

const MOST = 8;
/** How the run at a place is drawn, also for who sees no colors. */
export const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px", "1px,4px"];
export const MARKS = ["circle", "square", "diamond", "triangle-up", "x", "star", "triangle-down", "cross"];
/** @param {number} i */
export const letter = (i) => "ABCDEFGH"[i] ?? "?";

/**
 * @param {CompareState} state
 * @param {{name: string, title: string, state: string}[]} runs
 * @param {{name: string}[]} networks
 * @param {(change: Partial<CompareState>) => void} go
 */
export function chooser(state, runs, networks, go) {
  const full = state.runs.length + state.networks.length >= MOST;
  /** @param {"runs" | "networks"} kind @param {string} name @param {number} i */
  const chip = (kind, name, i) =>
    el(
      "span",
      { class: "chip" },
      kind === "runs" ? swatch(i) : null,
      kind === "runs" ? el("a", inside(`/train/${encodeURIComponent(name)}`), name) : el("span", {}, name),
      el(
        "button",
        {
          class: "quiet",
          "aria-label": `Remove ${name}`,
          onclick: () => go({ [kind]: state[kind].filter((one) => one !== name) }),
        },
        "×",
      ),
    );
  /** @param {"runs" | "networks"} kind @param {string} label @param {{name: string}[]} list */
  const adder = (kind, label, list) => {
    const left = list.filter(({ name }) => !state[kind].includes(name));
    if (!left.length) return null;
    return el(
      "select",
      {
        class: "pill",
        "aria-label": label,
        disabled: full,
        onchange: (event) => go({ [kind]: [...state[kind], event.target.value] }),
      },
      el("option", { selected: true, disabled: true }, label),
      ...left.map(({ name }) => el("option", { value: name }, name)),
    );
  };
  return el(
    "section",
    { class: "card chooser", "aria-label": "What is compared" },
    el(
      "div",
      { class: "row" },
      ...state.runs.map((name, i) => chip("runs", name, i)),
      adder("runs", "Add a run", runs),
    ),
    el(
      "div",
      { class: "row" },
      ...state.networks.map((name, i) => chip("networks", name, i)),
      adder("networks", "Add a network", networks),
    ),
    full ? el("p", { class: "caption" }, "At most eight can be compared.") : null,
  );
}

/** The letter of a run in its color. @param {number} i */
export const swatch = (i) =>
  el(
    "b",
    { class: "letter", style: { "border-color": `var(--run-${i + 1})`, color: `var(--run-${i + 1})` } },
    letter(i),
  );
