/** What the API answers about how good a network is. Types only: no browser loads this. */

import type { JsonNumber } from "../types.js";

/** A number with its 95% interval; null where it is not defined, `reason` says why. */
export interface Figure {
  value: JsonNumber | null;
  interval: [number, number] | null;
  reason?: string;
}

export interface Slice {
  title: string;
  images: number;
  accuracy: Figure;
  expected: number;
  indices: number[];
}

export interface Reliability {
  ece: number;
  ece_if_calibrated: number;
  reliability: { above: number; to: number; count: number; confidence: number; accuracy: number }[];
}

export interface Results {
  images: number;
  data: string;
  classes: string[];
  figures: (Figure & { name: string })[];
  distrust: string[];
  per_class: { name: string; images: number; precision: Figure; recall: Figure; f1: Figure; auc: Figure }[];
  confusion: number[][] | null;
  calibration: Record<string, Reliability>;
  names: string[];
  truths: string[];
  answers: string[];
  confidence: number[];
  correct: boolean[];
  confident: number[];
  uncertain: number[];
  slices: { sentence: string; found: Slice[] };
}

/** What the address names: a network, its data, and which images are listed. */
export interface ResultsState {
  net: string;
  data: string;
  list: string;
  truth: string;
  predicted: string;
}
