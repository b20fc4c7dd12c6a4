/** What is supposed, as it stands in the address: `if=conv1.weight[0,0,1,1]=0.5~pool1:stride=1~paint:2=...`. */

/** @import { Block, Supposed } from "./card.js" */

const LONGEST = 4000; // letters, of which every browser and server takes more

/** @type {[string, number[]][]} */
export const COLORS = [
  ["Black", [0, 0, 0]],
  ["Gray", [128, 128, 128]],
  ["White", [255, 255, 255]],
];

const ACROSS = 32; // dots across the image: a dot of a small one is a pixel

/** @typedef {{size: [number, number], channels: number}} Painted  of an image */

/** The side of a dot in pixels. @param {number[]} size */
export const dotOf = ([high, wide]) => Math.max(1, Math.round(Math.max(high, wide) / ACROSS));

/** The dot that a pixel lies in. @param {Painted} image @param {number} color @param {number} y @param {number} x @returns {Block} */
export function blockOf({ size: [high, wide], channels }, color, y, x) {
  const dot = dotOf([high, wide]);
  const [top, left] = [y - (y % dot), x - (x % dot)];
  const [height, width] = [Math.min(dot, high - top), Math.min(dot, wide - left)];
  return { y: top, x: left, height, width, bytes: COLORS[color][1].slice(0, channels) };
}

/**
 * What is other than in the network; null where that is too much for an address.
 * @param {Pick<Supposed, "weights" | "blocks" | "settings">} supposed @param {Painted} image @returns {string[] | null}
 */
export function textsOf({ weights, blocks, settings }, image) {
  const texts = [
    ...[...weights].map(([name, value]) => `${name}=${value}`),
    ...[...settings.values()].map(({ row, name, value }) => `${row}:${name}=${value}`),
    ...COLORS.map(([, bytes], color) => {
      const own = [...blocks.values()].filter((block) => block.bytes[0] === bytes[0]);
      return own.length ? `paint:${color}=${pack(own, image)}` : "";
    }),
  ].filter(Boolean);
  return encodeURIComponent(texts.join("~")).length <= LONGEST ? texts : null;
}

/**
 * What cannot be read is left out.
 * @param {string[]} texts @param {Painted} image @returns {Pick<Supposed, "weights" | "blocks" | "settings">}
 */
export function supposedOf(texts, image) {
  /** @type {Pick<Supposed, "weights" | "blocks" | "settings">} */
  const found = { weights: new Map(), blocks: new Map(), settings: new Map() };
  for (const text of texts) {
    const [, color, bits] = /^paint:([0-2])=([\w-]*)$/.exec(text) ?? [];
    const [, row, name, side] = /^(.+):(kernel|stride|padding|dilation)=(\d{1,2})$/.exec(text) ?? [];
    const [, weight, value] = /^(.+\])=(.+)$/.exec(text) ?? [];
    if (bits !== undefined)
      for (const block of unpack(bits, Number(color), image)) found.blocks.set(`${block.y},${block.x}`, block);
    else if (row) found.settings.set(`${row} ${name}`, { row, name, value: Number(side) });
    else if (weight && Number.isFinite(Number(value))) found.weights.set(weight, Number(value));
  }
  return found;
}

/** A bit for each dot, row by row, as base64. @param {Block[]} blocks @param {Painted} image */
function pack(blocks, { size }) {
  const dot = dotOf(size);
  const across = Math.ceil(size[1] / dot);
  const bytes = new Uint8Array(Math.ceil((across * Math.ceil(size[0] / dot)) / 8));
  for (const { y, x } of blocks) {
    const place = (y / dot) * across + x / dot;
    bytes[place >> 3] |= 1 << (place & 7);
  }
  const end = bytes.findLastIndex(Boolean) + 1;
  return btoa(String.fromCharCode(...bytes.subarray(0, end)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

/** @param {string} bits @param {number} color @param {Painted} image @returns {Block[]} */
function unpack(bits, color, image) {
  const dot = dotOf(image.size);
  const across = Math.ceil(image.size[1] / dot);
  const most = across * Math.ceil(image.size[0] / dot);
  let text = "";
  try {
    text = atob(bits.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return []; // cut short
  }
  const places = [...text].flatMap((letter, byte) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => letter.charCodeAt(0) & (1 << bit)).map((bit) => 8 * byte + bit),
  );
  return places
    .filter((place) => place < most)
    .map((place) => blockOf(image, color, Math.floor(place / across) * dot, (place % across) * dot));
}
