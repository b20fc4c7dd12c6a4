/** The page of one run: told by the server as it happens. */

/** @import { Run } from "../types.js" */

import { el, write } from "../element.js";
import { travel } from "../state.js";
import { confusion } from "./confusion.js";
import { curves } from "./curves.js";
import { feed } from "./feed.js";
import { head } from "./head.js";
import { layerView } from "./layer_view.js";
import { layers } from "./layers.js";
import { batch, filters, wrong } from "./pictures.js";

/** What is open, chosen and logarithmic stands in the address. */
const asked = () => new URLSearchParams(location.search);
/** @param {string} name */
const listOf = (name) => (asked().get(name) ?? "").split("~").filter(Boolean);

/** Change one word of the query, in place. @param {string} name @param {string} value */
function put(name, value) {
  const query = asked();
  if (value) query.set(name, value);
  else query.delete(name);
  const text = query.toString().replaceAll("%7E", "~");
  travel(location.pathname + (text ? `?${text}` : ""), { replace: true });
}

/** @param {string} name @param {string} word @param {boolean} on */
const toggle = (name, word, on) =>
  put(name, [...listOf(name).filter((one) => one !== word), ...(on ? [word] : [])].join("~"));

/**
 * @param {string} run
 * @param {string} note  a sentence to begin with
 */
export async function runPage(run, note) {
  const parts = {
    filters: filters(run),
    wrong: wrong(run),
    batch: batch(run),
    confusion: confusion(run),
    view: layerView(run, { at: () => asked().get("at") ?? "", setAt: (step) => put("at", step) }),
    layers: layers(
      run,
      {
        chosen: () => asked().get("layer") ?? "",
        choose: (name) => put("layer", name),
        whole: () => listOf("open").includes("layers"),
        setWhole: (all) => toggle("open", "layers", all),
      },
      (look) => parts.batch.ask(look),
    ),
  };
  const source = await feed(run, onChange);
  const top = head(run, { note, resumed: () => source.open() });
  const graphs = curves(source.data, {
    isLog: (name) => listOf("log").includes(name),
    setLog: (name, log) => {
      toggle("log", name, log);
      graphs.draw(source.data);
    },
  });
  const lines = el("pre", { class: "lines", tabindex: 0 });
  const log = /** @type {HTMLDetailsElement} */ (
    el(
      "details",
      { class: "card log", open: listOf("open").includes("log") },
      el("summary", {}, "Last lines of the log"),
      lines,
    )
  );
  log.addEventListener("toggle", () => toggle("open", "log", log.open));
  const element = el(
    "div",
    { class: "run" },
    top.element,
    graphs.element,
    parts.view.element,
    parts.layers.element,
    parts.filters.element,
    parts.confusion.element,
    parts.wrong.element,
    parts.batch.element,
    log,
  );

  /** @param {import("./feed.js").What} what @param {Run} data */
  function onChange(what, data) {
    if (what === "lost") return top.lose(source.lost());
    if (what === "state") {
      const text = data.log.join("\n");
      if (lines.textContent !== text) write(lines, text);
    }
    if (what === "look") parts.layers.ask();
    else if (what === "filters") parts.filters.ask();
    else if (what === "wrong") parts.wrong.ask();
    else if (what === "confusion") parts.confusion.ask();
    else if (what === "layers") parts.view.ask();
    else if (what === "examples") parts.view.examples();
    else {
      top.draw(data);
      parts.view.told(data);
      graphs.told(data);
      if (what === "evaluation") parts.view.examples();
      if (what !== "state") graphs.draw(data);
    }
  }

  onChange("state", source.data);
  graphs.draw(source.data);
  source.open();
  const all = [graphs, ...Object.values(parts)];
  return {
    element,
    title: source.data.title,
    again: () => all.forEach((one) => one.again()),
    stop: () => [source, ...all].forEach((one) => one.stop()),
  };
}
