/** Number formats of the lesson on training. */

import { decimalsFor, fixed } from "../numbers.js";
import { powerOfTen } from "./loss_curve.js";

/** As many digits as a person reads; a power of ten where there would be only zeros. @param {number} value */
export function number(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) {
    const [digits, power] = value.toExponential(2).split("e");
    return `${digits.replace("-", "−")}·${powerOfTen(Number(power))}`;
  }
  return fixed(value, Math.min(6, decimalsFor([value])));
}

/** @param {number} value */
export const brackets = (value) => (value < 0 ? `(${number(value)})` : number(value));
