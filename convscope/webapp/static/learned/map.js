/** The map of images at a layer: each a point; those that the layer makes alike lie near each other. */

/** @import { ImageMap } from "./types.js" */
/** @import { Scene } from "./screen.js" */

import { el } from "../element.js";
import { count, several } from "../numbers.js";
import { travel } from "../state.js";
import * as api from "./api.js";
import { address, unitAddress } from "./address.js";
import { imageCanvas } from "./canvas.js";
import { DISTINCT, colorOf, shapeOf } from "./points.js";
import { openImage } from "./strip.js";
import { studyCard } from "./study.js";

const METHODS = { pca: "PCA", tsne: "t-SNE", umap: "UMAP" };
const LEGEND = 30; // classes up to which all are buttons
const MISTAKES = 24; // that are listed
const DRAWN = new Set(["conv", "dense", "maxpool", "minpool", "avgpool", "mean", "add", "concat", "mul"]);

/**
 * What is shown of a map, while it is open; `label` is the one that colors it, where images have several.
 * @type {{key: string, hidden: Set<number>, thumbs: boolean, wrong: boolean, label: string}}
 */
let kept = { key: "", hidden: new Set(), thumbs: false, wrong: false, label: "" };

/** @param {Scene} scene @returns {Promise<(Node | null)[]>} */
export async function show(scene) {
  const { net, state, status, late, redo } = scene;
  const rows = net.rows.filter((row) => DRAWN.has(row.op));
  const row = rows.find(({ name }) => name === state.row) ?? lastHidden(rows);
  if (!row) return [el("p", { class: "note" }, `${net.title} has no layer with maps or units.`)];
  const chosen = { ...state, row: row.name };
  const found = await api.imageMap(net.id, row.name, state.method, state.data);
  const controls = choices(rows, chosen);
  if (!found)
    return [
      controls,
      studyCard(
        net.id,
        status,
        { kind: "map", row: row.name, method: state.method },
        {
          sentence:
            `Where ${row.name} has each image: images that it makes alike lie near each other, and mistakes lie where ` +
            "classes meet.",
          label: "Draw the map",
          done: redo,
          late,
        },
      ),
    ];
  const sheet = await api.sheet(net.id, row.name, state.method, state.data);
  return [controls, ...drawn({ ...scene, state: chosen }, found, sheet)];
}

/** The last layer before that of the classes. @template {{op: string}} R @param {R[]} rows */
function lastHidden(rows) {
  const weighted = rows.filter(({ op }) => op === "conv" || op === "dense");
  return weighted.at(-2) ?? weighted.at(-1) ?? rows.at(-1);
}

/** @param {Scene["net"]["rows"]} rows @param {Scene["state"]} state */
function choices(rows, state) {
  return el(
    "div",
    { class: "row" },
    el(
      "select",
      {
        class: "pill",
        "aria-label": "Layer",
        onchange: (event) => travel(address({ ...state, row: event.target.value })),
      },
      ...rows.map(({ name }) => el("option", { value: name, selected: name === state.row }, name)),
    ),
    el(
      "select",
      {
        class: "pill",
        "aria-label": "Projection",
        onchange: (event) => travel(address({ ...state, method: event.target.value })),
      },
      ...Object.entries(METHODS).map(([name, title]) =>
        el("option", { value: name, selected: name === state.method }, title),
      ),
    ),
  );
}

/** @param {Scene} scene @param {ImageMap} known @param {string} sheet */
function drawn({ net, state, redo }, known, sheet) {
  const key = JSON.stringify([net.id, state]);
  if (kept.key !== key)
    kept = { key, hidden: new Set(), thumbs: known.images <= 200, wrong: false, label: known.label };
  const colored = known.colors.find(({ name }) => name === kept.label);
  const found = { ...known, ...(colored && { labels: colored.labels, predicted: colored.predicted }) };
  const classes = colored?.classes ?? net.classes;
  const mistakes = found.labels.flatMap((label, i) => (label === found.predicted[i] ? [] : [i]));
  /** @param {number} i */
  const name = (i) => {
    const truth = found.truths?.[i] ?? classes[found.labels[i]];
    const answer = found.answers?.[i] ?? classes[found.predicted[i]];
    return { image: found.names[i], text: truth === answer ? truth : `${truth}, predicted as ${answer}` };
  };
  /** @param {number} i @param {EventTarget | null} pressed */
  const open = (i, pressed) =>
    openImage(pressed, { net: net.id, data: state.data, key: found.names[i] }, (id) =>
      unitAddress(net.id, id, state.row),
    );
  const view = imageCanvas({ found, sheet, name, open, kept });
  const some = found.images < found.all ? `${count(found.images)} of the ${several(found.all, "image")}` : "";
  const which = some
    ? `${some} (${found.data}), evenly out of all`
    : `${several(found.images, "image")} (${found.data})`;
  const lead = `${which}; ${count(mistakes.length)} ${mistakes.length === 1 ? "is" : "are"} predicted wrong${colored ? ` for ${colored.name}` : ""}.`;
  return [
    el("p", { class: "lead" }, [lead, ...found.lines].join(" ")),
    tools(view.draw, view.fit, view.zoom, labelChooser(known, redo)),
    view.node,
    legend(classes, found, view.draw),
    wrongOnes(found, mistakes, sheet, name, open),
    el(
      "p",
      { class: "caption" },
      "Drag to move, scroll or pinch to zoom; with the keyboard, arrow keys go from image to image and Enter opens one. A " +
        "ring marks an image that is predicted wrong, in the color of what was predicted. " +
        found.notes.join(" "),
    ),
  ];
}

/** Chooses the label that colors the map; null where each image has one class. @param {ImageMap} found @param {() => void} redo */
function labelChooser({ colors }, redo) {
  if (!colors.length) return null;
  return el(
    "select",
    {
      class: "pill",
      "aria-label": "Label that colors the map",
      onchange: (event) => {
        kept = { ...kept, label: event.target.value, hidden: new Set() };
        redo();
      },
    },
    ...colors.map(({ name }) => el("option", { value: name, selected: name === kept.label }, name)),
  );
}

/**
 * @param {() => void} draw @param {() => void} fit @param {(factor: number) => void} zoom
 * @param {Node | null} chooser
 */
function tools(draw, fit, zoom, chooser) {
  /** @param {"thumbs" | "wrong"} name @param {string} text */
  const toggle = (name, text) =>
    el(
      "button",
      {
        class: "pill",
        "aria-pressed": String(kept[name]),
        onclick: (event) => {
          kept[name] = !kept[name];
          event.target.setAttribute("aria-pressed", String(kept[name]));
          draw();
        },
      },
      text,
    );
  return el(
    "div",
    { class: "row" },
    toggle("thumbs", "Thumbnails"),
    toggle("wrong", "Mistakes only"),
    el("button", { class: "pill", "aria-label": "Smaller", onclick: () => zoom(1 / 1.4) }, "−"),
    el("button", { class: "pill", "aria-label": "Larger", onclick: () => zoom(1.4) }, "+"),
    el("button", { class: "pill", onclick: fit }, "All"),
    chooser,
  );
}

/** The classes; pressing one hides it. Of many, one is chosen from a list. @param {string[]} classes @param {ImageMap} found @param {() => void} draw */
function legend(classes, found, draw) {
  const numbers = classes.map(() => 0);
  for (const label of found.labels) numbers[label] += 1;
  const present = [...classes.keys()].filter((label) => numbers[label]);
  if (present.length > LEGEND) return chooser(classes, present, numbers, draw);
  return el(
    "div",
    { class: "row classes-of-map", role: "group", "aria-label": "Classes that are shown" },
    ...present.map((label) =>
      el(
        "button",
        {
          class: "quiet",
          "aria-pressed": String(!kept.hidden.has(label)),
          onclick: (event) => {
            if (!kept.hidden.delete(label)) kept.hidden.add(label);
            event.target.closest("button")?.setAttribute("aria-pressed", String(!kept.hidden.has(label)));
            draw();
          },
        },
        el("span", { class: `class-mark ${shapeOf(label)}`, style: { "--swatch": colorOf(label) } }),
        el("span", {}, `${classes[label]} (${count(numbers[label])})`),
      ),
    ),
  );
}

/** @param {string[]} classes @param {number[]} present @param {number[]} numbers @param {() => void} draw */
function chooser(classes, present, numbers, draw) {
  const select = el(
    "select",
    {
      class: "pill",
      "aria-label": "Class that is shown",
      onchange: (event) => {
        const only = event.target.value;
        kept.hidden = new Set(only ? present.filter((label) => label !== Number(only)) : []);
        draw();
      },
    },
    el("option", { value: "" }, `All ${count(present.length)} classes`),
    ...present.map((label) => el("option", { value: label }, `${classes[label]} (${count(numbers[label])})`)),
  );
  const said = present.length > DISTINCT ? "Colors repeat; choose a class to see it alone." : "";
  return el("div", { class: "row" }, select, el("span", { class: "caption" }, said));
}

/**
 * The images that are predicted wrong, as buttons.
 * @param {ImageMap} found @param {number[]} mistakes @param {string} sheet
 * @param {(i: number) => {image: string, text: string}} name @param {(i: number, pressed: EventTarget | null) => void} open
 */
function wrongOnes({ side, columns, names }, mistakes, sheet, name, open) {
  if (!mistakes.length) return null;
  const rows = Math.ceil(names.length / columns);
  const shown = mistakes.slice(0, MISTAKES);
  return el(
    "section",
    { "aria-label": "Mistakes" },
    el(
      "h3",
      {},
      shown.length < mistakes.length ? `The first ${MISTAKES} of ${count(mistakes.length)} mistakes` : "Mistakes",
    ),
    el(
      "ul",
      { class: "mistakes" },
      ...shown.map((i) => {
        const { image, text } = name(i);
        const [row, column] = [Math.floor(i / columns), i % columns];
        const at = `${-1.5 * side * column}px ${-1.5 * side * row}px`;
        const size = `${1.5 * side * columns}px ${1.5 * side * rows}px`;
        const style = {
          "background-image": `url(${sheet})`,
          "background-size": size,
          "background-position": at,
          width: `${1.5 * side}px`,
          height: `${1.5 * side}px`,
        };
        return el(
          "li",
          {},
          el(
            "button",
            {
              class: "mistake",
              title: image,
              "aria-label": `${text}: ${image}. Open it.`,
              onclick: (event) => open(i, event.target),
            },
            el("span", { class: "pixels", style }),
            el("span", { class: "of-class" }, text),
          ),
        );
      }),
    ),
  );
}
