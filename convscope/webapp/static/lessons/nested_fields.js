/** Stacked small filters: the receptive field of the top unit, from the side and from above. */

import { svg } from "../element.js";

const CELL = 26,
  RISE = 40,
  TOP = 14;

/**
 * From the side: a row of cells for each layer, the image at the bottom.
 * @param {number[]} sides  cells of each layer that count, the image first, one at the top
 * @param {([number, number] | null)[][]} seen  for each layer above the image, the cells below that each unit reads
 */
export function fromTheSide(sides, seen) {
  const wide = sides[0] * CELL;
  const high = sides.length * CELL + (sides.length - 1) * RISE + 2 * TOP;
  /** @param {number} layer */
  const left = (layer) => (wide - sides[layer] * CELL) / 2;
  /** @param {number} layer */
  const top = (layer) => TOP + (sides.length - 1 - layer) * (CELL + RISE);
  const rays = seen.flatMap((units, k) =>
    units.map(
      (range, unit) =>
        range &&
        svg("polygon", {
          class: `ray${unit === (units.length - 1) / 2 ? " now" : ""}`,
          points: [
            [left(k + 1) + unit * CELL, top(k + 1) + CELL],
            [left(k + 1) + (unit + 1) * CELL, top(k + 1) + CELL],
            [left(k) + range[1] * CELL, top(k)],
            [left(k) + range[0] * CELL, top(k)],
          ]
            .map((pair) => pair.join(","))
            .join(" "),
        }),
    ),
  );
  const cells = sides.flatMap((count, layer) =>
    Array.from({ length: count }, (_, i) =>
      svg("rect", {
        class: `grain${layer === sides.length - 1 ? " now" : ""}`,
        x: left(layer) + i * CELL,
        y: top(layer),
        width: CELL,
        height: CELL,
      }),
    ),
  );
  const names = sides.map((count, layer) =>
    svg("text", { x: wide + 12, y: top(layer) + CELL / 2 + 4 }, `${layer ? `layer ${layer}` : "image"}: ${count}`),
  );
  return svg(
    "svg",
    {
      class: "nested",
      viewBox: `-1 0 ${wide + 92} ${high}`,
      width: wide + 92,
      height: high,
      role: "img",
      "aria-label": `From the side: one unit of layer ${sides.length - 1} sees ${sides[0]} cells of the image`,
    },
    ...rays.filter(Boolean),
    ...cells,
    ...names,
  );
}

/** From above: the field in each layer, laid on the image. @param {number[]} sides */
export function fromAbove(sides) {
  const whole = sides[0] * CELL;
  const grain = Array.from({ length: sides[0] ** 2 }, (_, i) =>
    svg("rect", {
      class: "grain",
      x: (i % sides[0]) * CELL,
      y: Math.floor(i / sides[0]) * CELL,
      width: CELL,
      height: CELL,
    }),
  );
  const outlines = sides.map((side, layer) => {
    const at = (whole - side * CELL) / 2;
    return svg(
      "g",
      {},
      svg("rect", {
        class: `outline${layer === 0 ? " now" : ""}`,
        x: at,
        y: at,
        width: side * CELL,
        height: side * CELL,
      }),
      svg(
        "text",
        { class: "on", x: whole / 2, y: side === 1 ? whole / 2 + 4 : at + CELL / 2 + 4, "text-anchor": "middle" },
        side === 1 ? "1" : `${side}×${side}`,
      ),
    );
  });
  return svg(
    "svg",
    {
      class: "nested",
      viewBox: `-2 -2 ${whole + 4} ${whole + 4}`,
      width: whole + 4,
      height: whole + 4,
      role: "img",
      "aria-label": `From above: ${[...sides]
        .reverse()
        .map((side) => `${side}×${side}`)
        .join(" within ")}`,
    },
    ...grain,
    ...outlines,
  );
}
