/** What `convscope/webapp/page_file/pack.py` wrote: many answers of one shape, their numbers as columns. */

/** @typedef {{template: unknown, slots: number, rows: number, start: number}} Table */

/** Float32 values, whose bytes lie apart. @param {Uint8Array} bytes */
export const floats = (bytes) => joined(bytes, 4).buffer;

/** Bytes in planes, the lowest ones first, put together. @param {Uint8Array} planes @param {number} size */
function joined(planes, size) {
  const count = planes.length / size;
  const together = new Uint8Array(planes.length);
  for (let k = 0; k < size; k++) for (let i = 0; i < count; i++) together[i * size + k] = planes[k * count + i];
  return together;
}

/** The answers that were packed together, each made when it is asked for. */
export class Answers {
  /** @param {Uint8Array<ArrayBuffer>} bytes  inflated */
  constructor(bytes) {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const { templates, of, texts } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    this.bytes = bytes;
    /** @type {string[]} */
    this.texts = texts;
    /** @type {number[]} */
    this.of = of;
    /** @type {number[]} */
    this.rows = [];
    const rows = templates.map(() => 0);
    for (const t of this.of) this.rows.push(rows[t]++);
    let start = 4 + length;
    /** @type {Table[]} */
    this.tables = templates.map((/** @type {unknown} */ template, /** @type {number} */ t) => {
      const table = { template, slots: slotsIn(template), rows: rows[t], start };
      start += 8 * table.slots * table.rows;
      return table;
    });
  }

  /** One of them. @param {number} place @returns {unknown} */
  at(place) {
    const { template, slots, rows, start } = this.tables[this.of[place]];
    const row = this.rows[place];
    const plane = slots * rows;
    const view = new DataView(new ArrayBuffer(8));
    let slot = 0;
    const next = () => {
      for (let k = 0; k < 8; k++) view.setUint8(k, this.bytes[start + k * plane + slot * rows + row]);
      slot += 1;
      return view.getFloat64(0, true);
    };
    /** @param {unknown} part @returns {unknown} */
    const fill = (part) => {
      if (part === 0) return next();
      if (part === "") return this.texts[next()];
      if (Array.isArray(part)) return part.map(fill);
      if (part && typeof part === "object")
        return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, fill(value)]));
      return part;
    };
    return fill(template);
  }
}

/** How many numbers and texts were taken out. @param {unknown} part @returns {number} */
function slotsIn(part) {
  if (part === 0 || part === "") return 1;
  if (part && typeof part === "object") return Object.values(part).reduce((sum, value) => sum + slotsIn(value), 0);
  return 0;
}
