/** The random numbers of NumPy (PCG64) and of PyTorch (Mersenne Twister): the same seed, the same numbers. */

const MASK = (1n << 128n) - 1n;
const MULTIPLIER = 47026247687942121848144207491837523525n;

/** 32 bits. @param {number} value */
const word = (value) => value >>> 0;

/**
 * NumPy's SeedSequence: eight words of 32 bits for PCG64.
 * @param {number[]} entropy
 */
function seedWords(entropy) {
  let constant = 0x43b0d7e5;
  const hash = (/** @type {number} */ value) => {
    const mixed = word(value ^ constant);
    constant = word(Math.imul(constant, 0x931e8875));
    const made = word(Math.imul(mixed, constant));
    return word(made ^ (made >>> 16));
  };
  const mix = (/** @type {number} */ x, /** @type {number} */ y) => {
    const made = word(Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y));
    return word(made ^ (made >>> 16));
  };
  const pool = Array.from({ length: 4 }, (_, i) => hash(entropy[i] ?? 0));
  for (let from = 0; from < 4; from++)
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
  let other = 0x8b51f9dd;
  return Array.from({ length: 8 }, (_, i) => {
    const mixed = word(pool[i % 4] ^ other);
    other = word(Math.imul(other, 0x58f38ded));
    const made = word(Math.imul(mixed, other));
    return word(made ^ (made >>> 16));
  });
}

/** `numpy.random.default_rng(entropy)`, for up to four words. */
export class Generator {
  /** @param {number[]} entropy */
  constructor(entropy) {
    const words = seedWords(entropy).map(BigInt);
    const [a, b, c, d] = [0, 2, 4, 6].map((i) => words[i] | (words[i + 1] << 32n));
    this.increment = ((((c << 64n) | d) << 1n) | 1n) & MASK;
    this.state = 0n;
    this.step();
    this.state = (this.state + ((a << 64n) | b)) & MASK;
    this.step();
    /** @type {number | null} */
    this.kept = null;
  }
  step() {
    this.state = (this.state * MULTIPLIER + this.increment) & MASK;
  }
  bits64() {
    this.step();
    const [high, low] = [this.state >> 64n, this.state & 0xffffffffffffffffn];
    const value = high ^ low;
    const turn = high >> 58n;
    return ((value >> turn) | (value << (64n - turn))) & 0xffffffffffffffffn;
  }
  bits32() {
    if (this.kept !== null) {
      const kept = this.kept;
      this.kept = null;
      return kept;
    }
    const both = this.bits64();
    this.kept = Number(both >> 32n);
    return Number(both & 0xffffffffn);
  }
  /** @param {number} low @param {number} high @param {number} count */
  uniform(low, high, count) {
    return Array.from({ length: count }, () => low + (high - low) * (Number(this.bits64() >> 11n) / 2 ** 53));
  }
  /** A whole number from 0 to `most`. @param {number} most */
  upTo(most) {
    const mask = 2 ** Math.ceil(Math.log2(most + 1)) - 1;
    for (;;) {
      const value = this.bits32() & mask;
      if (value <= most) return value;
    }
  }
  /** 0 to `count` - 1 in another order. @param {number} count */
  permutation(count) {
    const order = [...Array(count).keys()];
    for (let i = count - 1; i > 0; i--) {
      const k = this.upTo(i);
      [order[i], order[k]] = [order[k], order[i]];
    }
    return order;
  }
}

const SIZE = 624;

/** PyTorch's generator on the CPU: words of 32 bits. */
export class Twister {
  /** @param {number} seed */
  constructor(seed) {
    this.state = new Uint32Array(SIZE);
    this.state[0] = seed;
    for (let i = 1; i < SIZE; i++) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, before) + i;
    }
    this.at = SIZE;
  }
  refill() {
    const { state } = this;
    for (let i = 0; i < SIZE; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
      state[i] = state[(i + 397) % SIZE] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }
  bits32() {
    if (this.at === SIZE) this.refill();
    let y = this.state[this.at];
    this.at += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }
  /** `torch.randint(low, high + 1)`. @param {number} low @param {number} high */
  between(low, high) {
    return low + (this.bits32() % (high - low + 1));
  }
}
