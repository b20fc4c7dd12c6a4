/** From a lesson to a layer of an open network that does what it teaches. */

import { network, networks } from "../api.js";
import { el } from "../element.js";
import { link } from "./screen.js";

/** The networks that some lessons are about. @type {Record<string, RegExp>} */
const NAMED = {
  lenet5: /lenet/i,
  vgg: /vgg|alexnet/i,
  towers: /alexnet/i,
  ilsvrc: /alexnet|vgg|googlenet|resnet/i,
};

/** " · See it in a network: conv1 of lenet5-digits"; empty where no open network has such a layer. @param {string} lesson */
export function seeLayer(lesson) {
  const line = el("span", { class: "see-layer" });
  find(lesson).then(
    (found) => found && line.append(" · See it in a network: ", link(found.to, found.name)),
    () => line.remove(),
  );
  return line;
}

/** @param {string} lesson @returns {Promise<{to: string, name: string} | null>} */
async function find(lesson) {
  const { networks: open } = await networks();
  const code = encodeURIComponent;
  for (const { id, title } of open) {
    if (NAMED[lesson]) {
      if (NAMED[lesson].test(title)) return { to: `/look/${code(id)}`, name: title };
      continue;
    }
    const net = await network(id);
    const row =
      net.rows.find(({ lessons }) => lessons[0] === lesson) ?? net.rows.find((r) => r.lessons.includes(lesson));
    const [image] = net.images;
    if (row && image) return { to: `/look/${code(id)}/${image.id}/${code(row.name)}`, name: `${row.name} of ${title}` };
  }
  return null;
}
