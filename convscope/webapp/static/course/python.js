/**
 * What translated code needs of Python: see convscope/webapp/course/translate.py. A list or tuple is an array, a dict a
 * Map, a set a Set, an int a number or, where that is not exact, a bigint.
 */

import { NDArray, Slice, elementwise } from "./arrays.js";
import { Fraction, RATIOS, Ratio, compare, floorDivide, power, ratio, rounded, small } from "./fraction.js";
import * as regular from "./regular.js";
import { format, repr, str, TEXT } from "./text.js";

/** @typedef {any} Value  anything of Python */

export { Fraction, format, repr, str };
export const re = regular;

// Calls.

/** A function with the names of its parameters. @param {string[]} names @param {Function} code @returns {Value} */
export const def = (names, code) => Object.assign(code, { $params: names });

/** @param {Value} code @param {Value[]} given @param {Record<string, Value>} named @param {Value} [self] */
export function call(code, given, named, self = undefined) {
  const all = [...given];
  for (const [name, value] of Object.entries(named)) {
    const at = code.$params?.indexOf(name) ?? -1;
    if (at < 0) throw new TypeError(`${code.name} has no parameter ${name}`);
    all[at] = value;
  }
  return code.apply(self, all);
}

/** @param {Value} of @param {string} name @param {Value[]} given @param {Record<string, Value>} [named] */
export function method(of, name, given, named) {
  let table = null;
  if (typeof of === "string") table = TEXT;
  else if (Array.isArray(of)) table = LISTS;
  else if (of instanceof Map) table = DICTS;
  else if (typeof of === "number" || typeof of === "bigint") table = NUMBERS;
  const code = table ? table[name] : of[name];
  if (!code) throw new TypeError(`no method ${name}`);
  if (table) return named ? call(code, [of, ...given], named) : code(of, ...given);
  return named ? call(code, given, named, of) : code.apply(of, given);
}

/** @type {Record<string, Value>} */
const LISTS = {
  append: (/** @type {Value[]} */ list, /** @type {Value} */ value) => void list.push(value),
  pop: (/** @type {Value[]} */ list, /** @type {number} */ at = -1) => list.splice(at, 1)[0],
  index: (/** @type {Value[]} */ list, /** @type {Value} */ value) => list.findIndex((one) => eq(one, value)),
  count: (/** @type {Value[]} */ list, /** @type {Value} */ value) => list.filter((one) => eq(one, value)).length,
  sort: def(["list", "key"], (/** @type {Value[]} */ list, /** @type {Value} */ key) => {
    list.splice(0, list.length, ...sorted(list, key));
  }),
};

/** @type {Record<string, Value>} */
const DICTS = {
  get: (/** @type {Map<Value, Value>} */ map, /** @type {Value} */ key, /** @type {Value} */ other = null) =>
    map.has(key) ? map.get(key) : other,
  items: (/** @type {Map<Value, Value>} */ map) => [...map],
  keys: (/** @type {Map<Value, Value>} */ map) => [...map.keys()],
  values: (/** @type {Map<Value, Value>} */ map) => [...map.values()],
};

/** @type {Record<string, Value>} */
const NUMBERS = {
  bit_length: (/** @type {number | bigint} */ value) => (value ? BigInt(value).toString(2).replace("-", "").length : 0),
};

// Classes.

/**
 * @param {string} name @param {[string, (() => Value)?][]} fields @param {[kind: string, name: string, code: Function][]} methods
 * @returns {Value}
 */
export function dataclass(name, fields, methods) {
  /** @type {Value} */
  const make = function (/** @type {Value[]} */ ...values) {
    const made = Object.create(make.prototype);
    fields.forEach(([field, other], i) => {
      made[field] = values[i] === undefined && other ? other() : values[i];
    });
    made.__post_init__?.();
    return made;
  };
  Object.assign(make, { $params: fields.map(([field]) => field) });
  Object.assign(make.prototype, { $fields: make.$params });
  Object.defineProperty(make, "name", { value: name });
  for (const [kind, method, code] of methods) {
    if (kind === "property") Object.defineProperty(make.prototype, method, { get: /** @type {() => Value} */ (code) });
    else (kind === "classmethod" ? make : make.prototype)[method] = code;
  }
  return make;
}

/** @param {string} name @returns {Value} */
export function exception(name) {
  /** @type {Value} */
  const make = (/** @type {string} */ message = "") => Object.setPrototypeOf(new Error(message), make.prototype);
  make.prototype = Object.create(Error.prototype, { name: { value: name } });
  Object.defineProperty(make, Symbol.hasInstance, {
    value: (/** @type {Value} */ error) => error instanceof Error && make.prototype.isPrototypeOf(error),
  });
  return make;
}
export const RequestError = exception("RequestError");
export const ValueError = exception("ValueError");

/** @param {Value} value @param {Value} type @returns {boolean} */
export function isinstance(value, type) {
  if (Array.isArray(type)) return type.some((one) => isinstance(value, one));
  if (type === str) return typeof value === "string";
  if (type === bool) return typeof value === "boolean";
  if (type === int) return Number.isInteger(value) || typeof value === "bigint" || typeof value === "boolean";
  if (type === float) return typeof value === "number";
  if (type === list || type === tuple) return Array.isArray(value);
  if (type === dict) return value instanceof Map;
  if (type === Fraction) return value instanceof Ratio;
  return value instanceof type;
}

/** @param {Value} of @param {string} name */
export const getattr = (of, name) => of[name];

// Truth and comparison.

/** @param {Value} value */
export function truth(value) {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map || value instanceof Set) return value.size > 0;
  if (value instanceof Ratio) return value.above !== 0n;
  if (typeof value === "object" && value?.__len__) return value.__len__() > 0;
  return Boolean(value);
}
/** @param {Value} first @param {...(() => Value)} rest */
export function and(first, ...rest) {
  let value = first;
  for (const next of rest) if (truth(value)) value = next();
  return value;
}
/** @param {Value} first @param {...(() => Value)} rest */
export function or(first, ...rest) {
  let value = first;
  for (const next of rest) if (!truth(value)) value = next();
  return value;
}
const whole = (/** @type {Value} */ value) =>
  typeof value === "bigint" || Number.isInteger(value) || typeof value === "boolean";

/** @param {Value} a @param {Value} b @returns {Value} */
export function eq(a, b) {
  if (a instanceof NDArray) return elementwise(a, b, (x, y) => x === y, true);
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((one, i) => truth(eq(one, b[i])));
  if (a instanceof Ratio || b instanceof Ratio) return isNumber(a) && isNumber(b) && compare(ratio(a), ratio(b)) === 0;
  if (a?.$fields && b?.$fields)
    return (
      Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
      a.$fields.every((/** @type {string} */ field) => eq(a[field], b[field]))
    );
  if (isNumber(a) && isNumber(b)) return a == b; // eslint-disable-line eqeqeq -- a number and a bigint
  return a === b;
}
const isNumber = (/** @type {Value} */ value) =>
  ["number", "bigint", "boolean"].includes(typeof value) || value instanceof Ratio;
/** @param {Value} a @param {Value} b @returns {Value} */
export const ne = (a, b) => (a instanceof NDArray ? elementwise(a, b, (x, y) => x !== y, true) : !eq(a, b));

/** @param {Value} a @param {Value} b @returns {number} */
function order(a, b) {
  if (Array.isArray(a)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) if (!eq(a[i], b[i])) return order(a[i], b[i]);
    return a.length - b.length;
  }
  if (a instanceof Ratio || b instanceof Ratio) return compare(ratio(a), ratio(b));
  if (a < b) return -1;
  return a > b ? 1 : 0;
}
/**
 * @param {(x: number, y: number) => boolean} holds @param {(order: number) => boolean} meets
 * @returns {(a: Value, b: Value) => Value}
 */
const comparison = (holds, meets) => (a, b) => {
  if (a instanceof NDArray) return elementwise(a, b, holds, true);
  return typeof a === "number" && typeof b === "number" ? holds(a, b) : meets(order(a, b));
};
export const lt = comparison((x, y) => x < y, (order) => order < 0); // prettier-ignore
export const gt = comparison((x, y) => x > y, (order) => order > 0); // prettier-ignore
export const le = comparison((x, y) => x <= y, (order) => order <= 0); // prettier-ignore
export const ge = comparison((x, y) => x >= y, (order) => order >= 0); // prettier-ignore

/** @param {Value} all @param {Value} value */
export function contains(all, value) {
  if (typeof all === "string") return all.includes(value);
  if (all instanceof Map || all instanceof Set) return all.has(value);
  return iter(all).some((/** @type {Value} */ one) => truth(eq(one, value)));
}

// Arithmetic.

/**
 * An operation on numbers, on exact whole numbers where the result is too large for them, on fractions, on arrays.
 * @param {string} name @param {(a: number, b: number) => number} plain @param {((a: bigint, b: bigint) => bigint) | null} exact
 * @returns {(a: Value, b: Value) => Value}
 */
const operation = (name, plain, exact) => (a, b) => {
  if (a instanceof NDArray || b instanceof NDArray) return elementwise(a, b, plain);
  if (a instanceof Ratio || b instanceof Ratio) return RATIOS[name](ratio(a), ratio(b));
  if (exact && (typeof a === "bigint" || typeof b === "bigint") && whole(a) && whole(b))
    return small(exact(BigInt(a), BigInt(b)));
  const value = plain(Number(a), Number(b));
  if (exact && Number.isInteger(value) && !Number.isSafeInteger(value) && whole(a) && whole(b))
    return small(exact(BigInt(a), BigInt(b)));
  return value;
};
const sum2 = operation("add", (a, b) => a + b, (a, b) => a + b); // prettier-ignore
const times = operation("mul", (a, b) => a * b, (a, b) => a * b); // prettier-ignore
export const div = operation("div", (a, b) => a / b, null);
export const floordiv = operation("floordiv", (a, b) => Math.floor(a / b), floorDivide);
export const mod = operation("mod", (a, b) => a - b * Math.floor(a / b), (a, b) => a - b * floorDivide(a, b)); // prettier-ignore
const minus = operation("sub", (a, b) => a - b, (a, b) => a - b); // prettier-ignore

/** @param {Value} a @param {Value} b @returns {Value} */
export function add(a, b) {
  if (typeof a === "string") return a + b;
  return Array.isArray(a) ? [...a, ...b] : sum2(a, b);
}
/** @param {Value} a @param {Value} b @returns {Value} */
export const sub = (a, b) => (a instanceof Set ? new Set([...a].filter((one) => !b.has(one))) : minus(a, b));
/** @param {Value} a @param {Value} b @returns {Value} */
export function mul(a, b) {
  if (typeof a === "string") return a.repeat(Number(b));
  return Array.isArray(a) ? Array.from({ length: Number(b) }, () => a).flat() : times(a, b);
}
/** @param {Value} a @param {Value} n @returns {Value} */
export function pow(a, n) {
  if (a instanceof Ratio) return power(a, Number(n));
  const value = Number(a) ** Number(n);
  return whole(a) && whole(n) && n >= 0 && !Number.isSafeInteger(value) ? small(BigInt(a) ** BigInt(n)) : value;
}
/** @param {Value} a @returns {Value} */
export const neg = (a) =>
  a instanceof Ratio ? new Ratio(-a.above, a.below) : a instanceof NDArray ? times(a, -1) : -a;
/** Of types, dicts, sets, masks. @param {Value} a @param {Value} b @returns {Value} */
export function bitor(a, b) {
  if (typeof a === "function" || Array.isArray(a)) return [a, b].flat();
  return a instanceof Set ? new Set([...a, ...b]) : new Map([...a, ...b]);
}
/** @param {Value} a @param {Value} b @returns {Value} */
export const bitand = (a, b) => (a instanceof Set ? new Set([...a].filter((one) => b.has(one))) : a & b);

/** @param {Value} a @returns {Value} */
export function abs(a) {
  if (a instanceof Ratio) return new Ratio(a.above < 0n ? -a.above : a.above, a.below);
  return a < 0 ? -a : a;
}
/** @param {Value} a @param {Value} b */
export const divmod = (a, b) => [floordiv(a, b), mod(a, b)];
/** @param {Value} a @param {number} [digits] @returns {Value} */
export function round(a, digits) {
  const made = rounded(ratio(a), digits ?? 0);
  if (digits === undefined) return made.numerator;
  return a instanceof Ratio ? made : Number(made);
}
/** @param {Value} value @returns {Value} */
export function int(value) {
  if (typeof value === "string") return small(BigInt(value.trim().replace("+", "")));
  if (value instanceof Ratio) return small(value.above / value.below);
  return typeof value === "bigint" ? value : Math.trunc(Number(value));
}
/** @param {Value} value */
export const float = (value) => Number(value);
/** @param {Value} value */
export const bool = (value) => truth(value);

export const math = {
  floor: Math.floor,
  ceil: Math.ceil,
  log: Math.log,
  log10: Math.log10,
  prod: (/** @type {number[]} */ values) => values.reduce((product, value) => mul(product, value), 1),
  gcd: (/** @type {number} */ a, /** @type {number} */ b) => {
    while (b) [a, b] = [b, a % b];
    return Math.abs(a);
  },
};

// Collections.

/** @param {Value} values @returns {Value[]} */
export function iter(values) {
  if (Array.isArray(values)) return values;
  if (values instanceof Map) return [...values.keys()];
  if (values instanceof NDArray) return values.rows();
  if (values?.$fields) return values.$fields.map((/** @type {string} */ field) => values[field]);
  return [...values];
}
/** @param {Value} values @returns {Value[]} */
export const list = (values = []) => [...iter(values)];
export const tuple = (/** @type {Value} */ values = []) => list(values);
/** @param {Value} values */
export const set = (values = []) => new Set(iter(values));
export const frozenset = (/** @type {Value} */ values = []) => set(values);
/** @type {Value} */
export const dict = Object.assign(
  (/** @type {Value} */ values = []) => new Map(values instanceof Map ? values : iter(values)),
  {
    fromkeys: (/** @type {Value} */ keys, /** @type {Value} */ value = null) =>
      new Map(iter(keys).map((key) => [key, value])),
  },
);
/** @param {Map<Value, Value>} map */
export const items = (map) => [...map];
/** @param {Map<string, Value>} map */
export const to_object = (map) => Object.fromEntries(map);
/** @param {Value} values */
export const len = (values) => values.__len__?.() ?? values.length ?? values.size;
/** @param {number} first @param {number | null} [stop] @param {number} [step] */
export function range(first, stop = null, step = 1) {
  const [from, to] = stop === null ? [0, first] : [first, stop];
  return Array.from({ length: Math.max(0, Math.ceil((Number(to) - Number(from)) / step)) }, (_, i) => from + i * step);
}
/** @param {...Value} values */
export function zip(...values) {
  const all = values.map(iter);
  return Array.from({ length: Math.min(...all.map((one) => one.length)) }, (_, i) => all.map((one) => one[i]));
}
export const enumerate = def(["values", "start"], (/** @type {Value} */ values, start = 0) =>
  iter(values).map((value, i) => [i + start, value]),
);
/** @param {Value} code @param {...Value} values */
export const map = (code, ...values) => zip(...values).map((given) => code(...given));
/** @param {Value} values */
export const all = (values) => iter(values).every(truth);
/** @param {Value} values */
export const any = (values) => iter(values).some(truth);
/** @param {Value} values @param {Value} [start] @returns {Value} */
export const sum = (values, start = 0) => iter(values).reduce((total, value) => add(total, Number(value)), start);
/** @param {Value} values @returns {Value} */
export const next = (values) => iter(values)[0];
/** @param {Value} values */
export const reversed = (values) => [...iter(values)].reverse();
export const sorted = def(["values", "key"], (/** @type {Value} */ values, /** @type {Value} */ key = null) => {
  const keyed = iter(values).map((value) => [key ? key(value) : value, value]);
  return keyed.sort(([a], [b]) => order(a, b)).map(([, value]) => value);
});
/** @param {number} sign @returns {Value} */
const extreme = (sign) => {
  const code = (/** @type {Value[]} */ ...given) => {
    const values = given.length === 1 ? iter(given[0]) : given;
    return values.reduce((best, value) => (sign * order(value, best) > 0 ? value : best));
  };
  // min(values, default=0): the default is the only keyword that is used
  const $params = ["values", "default"];
  return Object.assign(
    (/** @type {Value[]} */ ...given) => {
      if (given.length === 2 && Array.isArray(given[0])) return given[0].length ? code(given[0]) : given[1];
      return code(...given);
    },
    { $params },
  );
};
export const max = extreme(1);
export const min = extreme(-1);
/** @param {string} letter */
export const ord = (letter) => letter.codePointAt(0);

/** @param {number | null} from @param {number | null} [to] @param {number | null} [step] */
export const slice = (from, to = null, step = null) => new Slice(from, to, step);

/** @param {Value} of @param {Value} at @returns {Value} */
export function item(of, at) {
  if (of instanceof NDArray) return of.item(at);
  if (of instanceof Map) return of.get(at);
  if (of.__getitem__) return of.__getitem__(at);
  if (of.$fields) return item(iter(of), at);
  if (at instanceof Slice) {
    const cut = at.places(of.length).map((i) => of[i]);
    return typeof of === "string" ? cut.join("") : cut;
  }
  const place = typeof at === "boolean" ? Number(at) : at; // a flag counts
  return of[place < 0 ? of.length + place : place];
}
/** @param {Value} of @param {Value} at @param {Value} value */
export function set_item(of, at, value) {
  if (of instanceof NDArray) of.set_item(at, value);
  else if (of instanceof Map) of.set(at, value);
  else of[at < 0 ? of.length + at : at] = value;
}

/** What a page sent, as Python has it. @param {Value} value @returns {Value} */
export const from_json = (value) =>
  value && typeof value === "object" && !Array.isArray(value) ? new Map(Object.entries(value)) : value;

/** An answer as the server would send it. @param {Value} value @returns {Value} */
export function to_json(value) {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [key, to_json(one)]));
  if (Array.isArray(value)) return value.map(to_json);
  if (value instanceof NDArray) return value.tolist();
  if (value instanceof Ratio || typeof value === "bigint") return Number(value);
  return typeof value === "number" && !Number.isFinite(value) ? null : value;
}
