/** Exact fractions, as Python's `fractions.Fraction`, on whole numbers of any size. */

/** @param {bigint} a @param {bigint} b @returns {bigint} */
const divisor = (a, b) => (b ? divisor(b, a % b) : a < 0n ? -a : a);

/** A whole number as a number of JavaScript, where that is exact. @param {bigint} value */
export const small = (value) =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= -BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;

/** Rounded down, as `//`. @param {bigint} a @param {bigint} b */
export function floorDivide(a, b) {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

export class Ratio {
  /** @param {bigint} above @param {bigint} below */
  constructor(above, below) {
    if (!below) throw new Error("Division by zero.");
    const common = divisor(above, below) * (below < 0n ? -1n : 1n);
    this.above = above / common;
    this.below = below / common;
  }
  get numerator() {
    return small(this.above);
  }
  get denominator() {
    return small(this.below);
  }
  valueOf() {
    return quotient(this.above, this.below);
  }
  toString() {
    return this.below === 1n ? String(this.above) : `${this.above}/${this.below}`;
  }
}

/** The nearest number, also where numerator or denominator are beyond all numbers. @param {bigint} above @param {bigint} below */
function quotient(above, below) {
  const [a, b] = [Number(above), Number(below)];
  if (Number.isFinite(a) && Number.isFinite(b) && Math.abs(a) <= 2 ** 53 && b <= 2 ** 53) return a / b;
  const shift = BigInt(Math.max(0, below.toString(2).length - above.toString(2).length + 66));
  return Number(floorDivide(above << shift, below)) / 2 ** Number(shift);
}

/** @param {unknown} value @returns {Ratio} */
export function ratio(value) {
  if (value instanceof Ratio) return value;
  if (typeof value === "bigint") return new Ratio(value, 1n);
  if (typeof value === "boolean") return new Ratio(value ? 1n : 0n, 1n);
  if (typeof value === "number") {
    if (Number.isInteger(value)) return new Ratio(BigInt(value), 1n);
    let below = 1n;
    let left = value;
    while (!Number.isInteger(left)) [left, below] = [left * 2, below * 2n];
    return new Ratio(BigInt(left), below);
  }
  const [, sign, whole, part = "", under = "1"] =
    /^([-+]?)(\d*)(?:\.(\d*))?(?:\/(\d+))?$/.exec(String(value).trim()) ?? [];
  if (whole === undefined) throw new Error(`${value} is no fraction.`);
  const above = BigInt(`${whole}${part}` || "0") * (sign === "-" ? -1n : 1n);
  return new Ratio(above, BigInt(under) * 10n ** BigInt(part.length));
}

/** `Fraction(3, 4)`, `Fraction("0.5")`. @param {unknown} above @param {unknown} [below] */
export function Fraction(above, below = 1n) {
  const [a, b] = [ratio(above), ratio(below)];
  return new Ratio(a.above * b.below, a.below * b.above);
}

/** @type {Record<string, (a: Ratio, b: Ratio) => Ratio | number | bigint>} */
export const RATIOS = {
  add: (a, b) => new Ratio(a.above * b.below + b.above * a.below, a.below * b.below),
  sub: (a, b) => new Ratio(a.above * b.below - b.above * a.below, a.below * b.below),
  mul: (a, b) => new Ratio(a.above * b.above, a.below * b.below),
  div: (a, b) => new Ratio(a.above * b.below, a.below * b.above),
  floordiv: (a, b) => small(floorDivide(a.above * b.below, a.below * b.above)),
  mod: (a, b) => {
    const whole = floorDivide(a.above * b.below, a.below * b.above);
    return new Ratio(a.above * b.below - whole * b.above * a.below, a.below * b.below);
  },
};

/** Less than 0, 0, or more, as a is less than b. @param {Ratio} a @param {Ratio} b */
export function compare(a, b) {
  const difference = a.above * b.below - b.above * a.below;
  if (difference === 0n) return 0;
  return difference < 0n ? -1 : 1;
}

/** To a power that is a whole number. @param {Ratio} a @param {number} n */
export const power = (a, n) =>
  n >= 0
    ? new Ratio(a.above ** BigInt(n), a.below ** BigInt(n))
    : new Ratio(a.below ** BigInt(-n), a.above ** BigInt(-n));

/** Rounded to so many decimals, halves to even. @param {Ratio} a @param {number} digits */
export function rounded(a, digits) {
  const scale = 10n ** BigInt(digits);
  const whole = floorDivide(a.above * scale, a.below);
  const rest = 2n * (a.above * scale - whole * a.below);
  const up = rest > a.below || (rest === a.below && whole % 2n !== 0n);
  return new Ratio(up ? whole + 1n : whole, scale);
}
