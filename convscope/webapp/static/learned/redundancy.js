/** Which filters detect the same pattern over the data set, and which none: a table, then layer by layer. */

/** @import { LayerRedundancy, Redundancy } from "./types.js" */
/** @import { Scene } from "./screen.js" */

import { el } from "../element.js";
import { count, fixed } from "../numbers.js";
import { go, travel } from "../state.js";
import * as api from "./api.js";
import { unitAddress } from "./address.js";
import { similarityPicture } from "./similarity.js";
import { openPatch, patchStrip } from "./strip.js";
import { studyCard } from "./study.js";
import { NO_SCORE, redundancyText, sureText } from "./words.js";

const PAIRS = 12; // that are listed
const MAPS = 8; // of a group, that are drawn
const PATCHES = 5;

/** @param {Scene} scene @returns {Promise<(Node | null)[]>} */
export async function show(scene) {
  const { net, state, status, late, redo } = scene;
  const found = await api.redundancy(net.id, state.data);
  if (!found)
    return [
      studyCard(
        net.id,
        status,
        { kind: "redundancy" },
        {
          sentence:
            "Which maps of each convolution go up and down together over the data set, and which never change: filters " +
            "that a pruned network can do without.",
          label: "Compare the maps",
          done: redo,
          late,
        },
      ),
    ];
  const worth = found.layers.filter((layer) => layer.groups.length || layer.dead.length || layer.has_matrix);
  const sections = await Promise.all(worth.map((layer) => layerSection(scene, layer)));
  return [
    el("p", { class: "lead" }, redundancyText(found)),
    overview(found),
    ...sections,
    el("p", { class: "caption" }, definition(found)),
  ];
}

/** @param {Redundancy} found */
const definition = (found) =>
  `Twins correlate by ${found.correlated} or more, unit by unit over all images, or by −${found.correlated} or less, as ` +
  "negatives do. A dead map hardly changes. Redundant are dead maps and all but the first of each group. The effective " +
  "rank is the number of maps of one strength, none like another, that would vary as evenly. Intervals are of 95%, over " +
  `images. ${found.notes.join(" ")} \`convscope prune\` removes what is redundant and measures what that costs.`;

/** @param {Redundancy} found */
function overview({ layers }) {
  const heads = ["Layer", "Maps", "Dead", "Groups of twins", "Redundant", "Effective rank (95% interval)"];
  return el(
    "div",
    { class: "card scroll", tabindex: 0, role: "region", "aria-label": "Redundancy of the layers" },
    el(
      "table",
      { class: "rows" },
      el("thead", {}, el("tr", {}, ...heads.map((text, i) => el("th", { scope: "col", class: i ? "n" : null }, text)))),
      el("tbody", {}, ...layers.map(line)),
    ),
  );
}

/** @param {LayerRedundancy} layer */
function line({ layer, maps, dead, groups, redundant, rank, rank_interval: [low, high] }) {
  const cells = [
    count(maps),
    count(dead.length),
    count(groups.length),
    count(redundant.length),
    `${fixed(rank, 1)} (${fixed(low, 1)} to ${fixed(high, 1)})`,
  ];
  return el("tr", {}, el("th", { scope: "row" }, layer), ...cells.map((text) => el("td", { class: "n" }, text)));
}

/** @param {Scene} scene @param {LayerRedundancy} layer */
async function layerSection(scene, layer) {
  const groups = layer.groups.map((group) => group.filter((map) => !layer.dead.includes(map)));
  const drawn = await Promise.all(
    groups.filter((group) => group.length > 1).map((group, place) => groupCard(scene, layer, group, place)),
  );
  return el(
    "section",
    { class: "level", "aria-label": layer.layer },
    el("h3", {}, layer.layer),
    layer.dead.length
      ? el(
          "div",
          { class: "row" },
          el("span", {}, "Dead:"),
          ...layer.dead.slice(0, 100).map((map) => mapButton(scene, layer, map)),
          layer.dead.length > 100 ? `and ${count(layer.dead.length - 100)} more` : null,
        )
      : null,
    ...drawn,
    layer.num_pairs ? pairs(layer) : null,
    layer.has_matrix ? everyTwo(scene, layer) : null,
  );
}

/** @param {Scene} scene @param {LayerRedundancy} layer */
function everyTwo(scene, layer) {
  const { net, state } = scene;
  return similarityPicture(
    layer,
    () => api.similarity(net.id, layer.layer, state.data),
    (map, pressed) => openMap(scene, layer, map, pressed),
  );
}

/**
 * Maps that go up and down together, each with its patches where these are known.
 * @param {Scene} scene @param {LayerRedundancy} layer @param {number[]} group @param {number} place
 */
async function groupCard(scene, layer, group, place) {
  const { net, state } = scene;
  const shown = group.slice(0, MAPS);
  const filters = await Promise.all(
    shown.map((map) => (layer.row ? api.filter(net.id, layer.row, map, state.data) : null)),
  );
  const more = group.length - shown.length;
  return el(
    "div",
    { class: "card" },
    el("h4", {}, `Group ${place + 1}: ${group.length} twins`),
    el(
      "ul",
      { class: "twins" },
      ...shown.map((map, i) => {
        const one = filters[i];
        return el(
          "li",
          {},
          mapButton(scene, layer, map),
          one
            ? patchStrip({
                net: net.id,
                data: state.data,
                row: layer.row,
                filter: map,
                patches: one.patches.slice(0, PATCHES),
                of: one.patches.length,
                name: `map ${map}`,
                captions: false,
              })
            : null,
        );
      }),
    ),
    more > 0
      ? el("p", { class: "caption" }, `and ${count(more)} more: ${group.slice(MAPS, MAPS + 40).join(", ")}`)
      : null,
  );
}

/**
 * Open a map at its strongest unit, where that is known, else on the first image.
 * @param {Scene} scene @param {LayerRedundancy} layer @param {number} map @param {EventTarget} pressed
 */
async function openMap({ net, state }, { row }, map, pressed) {
  const found = await api.filter(net.id, row, map, state.data);
  if (found?.patches.length) return openPatch(pressed, { net: net.id, data: state.data, row }, found.patches[0]);
  if (net.images.length) travel(unitAddress(net.id, net.images[0].id, row, [map, 0, 0]));
  else go({ net: net.id, layer: row });
}

/** A map's number, which opens it. @param {Scene} scene @param {LayerRedundancy} layer @param {number} map */
function mapButton(scene, layer, map) {
  return el(
    "button",
    {
      class: "as-link",
      "aria-label": `Open map ${map} of ${layer.layer}`,
      onclick: (event) => openMap(scene, layer, map, event.target),
    },
    `map ${map}`,
  );
}

/** How alike, and how sure that is. @param {LayerRedundancy} layer */
function pairs(layer) {
  const shown = layer.pairs.slice(0, PAIRS);
  const more = layer.num_pairs - shown.length;
  const heads = ["Maps", "Correlation", "95% interval", "Sure", "CKA", "Cosine of the filters"];
  return el(
    "details",
    { class: "card scroll", open: true },
    el("summary", {}, `How alike they are. ${sureText(layer)}`),
    el(
      "table",
      { class: "rows" },
      el("thead", {}, el("tr", {}, ...heads.map((text, i) => el("th", { scope: "col", class: i ? "n" : null }, text)))),
      el(
        "tbody",
        {},
        ...shown.map((pair) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, `${pair.first} and ${pair.second}`),
            ...[
              fixed(pair.correlation, 3),
              `${fixed(pair.low, 3)} to ${fixed(pair.high, 3)}`,
              pair.is_sure ? "yes" : "no",
              fixed(pair.alignment, 3),
              pair.cosine === null ? NO_SCORE : fixed(pair.cosine, 3),
            ].map((text) => el("td", { class: "n" }, text)),
          ),
        ),
      ),
    ),
    more > 0 ? el("p", { class: "caption" }, `and ${count(more)} more pairs, less alike`) : null,
  );
}
