/** What the API answers about what a network learned. Types only: no browser loads this. */

import type { JsonNumber } from "../types.js";

export type Kind = "filters" | "row" | "redundancy" | "probes" | "map" | "results";

/** What is to be found out. */
export interface Study {
  kind: Kind;
  row?: string;
  method?: string;
  data?: string;
}

/** Which images a network is studied on; `reason` says why there are none. */
export interface Status {
  images: { description: string; count: number; reason: string };
  data: string;
  choices: string[];
  has_levels: boolean;
  studies: { kind: Kind; row: string; method: string; computation: string }[];
}

export interface Patch {
  image: string;
  label: string;
  value: JsonNumber;
  /** Map, row and column. */
  unit: [map: number, row: number, column: number];
  alike: number;
}

export interface Filter {
  filter: number;
  state: "" | "dead" | "always on";
  largest: JsonNumber;
  smallest: JsonNumber;
  mean: JsonNumber;
  active_units: number;
  active_images: number;
  preferred: string;
  selectivity: number | null;
  class_means: [string, number][];
  top_classes: [string, number][];
  num_top: number;
  num_top_classes: number;
  patches: Patch[];
}

/** On which images something was found out. */
export interface About {
  images: number;
  data: string;
  notes: string[];
}

export interface LayerAbout extends About {
  field: [height: number, width: number];
  is_exact: boolean;
  /** Whether a filter's units are a column of the page's maps, as behind tokens. */
  is_column: boolean;
  dead: number[];
  always_on: number[];
}

export interface LayerFilters extends LayerAbout {
  filters: Pick<Filter, "filter" | "state" | "preferred" | "selectivity" | "active_images">[];
}

export type FilterOfLayer = Filter & LayerAbout;

export interface Amount {
  added: number;
  share: number | null;
}

export interface Drawn {
  height: number;
  width: number;
  rgb: number[];
}

/** A lower filter that a value is made of, and the weights for its map where one layer reads the other. */
export interface Part extends Amount {
  filter: number;
  kernel?: Drawn | null;
}

export interface LevelFilter extends Filter {
  name: string;
  weights: Drawn | null;
  parts: {
    value: number;
    num_patches: number;
    strongest: Part[];
    others: Amount & { count: number };
    bias: Amount;
    rest: Amount;
  } | null;
}

export interface Level {
  layer: string;
  row: string;
  shape: number[];
  field: [height: number, width: number];
  is_exact: boolean;
  is_classes: boolean;
  dead: number[];
  filters: LevelFilter[];
}

export interface Levels extends About {
  levels: Level[];
  note: string;
}

export interface Pair {
  first: number;
  second: number;
  correlation: number;
  low: number;
  high: number;
  alignment: number;
  cosine: number | null;
  is_sure: boolean;
}

export interface LayerRedundancy {
  layer: string;
  row: string;
  maps: number;
  has_matrix?: boolean;
  dead: number[];
  groups: number[][];
  redundant: number[];
  rank: number;
  rank_interval: [low: number, high: number];
  num_pairs: number;
  pairs: Pair[];
}

export interface Redundancy extends About {
  correlated: number;
  layers: LayerRedundancy[];
}

/** Every two maps in the order of the picture, in percent: below the diagonal correlation, above it CKA. */
export interface Similarity {
  order: number[];
  /** Base64 of signed bytes, row by row. */
  percent: string;
}

export interface LayerProbe {
  layer: string;
  row: string;
  features: number;
  accuracy: number;
  low: number;
  high: number;
  train_accuracy: number;
}

/** What linear classifiers read from each level; of each label where an image may have several. */
export interface Probes extends About {
  num_train: number;
  labels: { label: string; majority: number; network: number; layers: LayerProbe[] }[];
}

/** Points from 0 to 1, and a sheet of thumbnails. */
export interface ImageMap extends About {
  all: number;
  lines: string[];
  x: number[];
  y: number[];
  names: string[];
  labels: number[];
  predicted: number[];
  /** What each image is and what the network says, where an image may have several labels. */
  truths: string[] | null;
  answers: string[] | null;
  /** The label that colors the map at first; "" where each image has one class. */
  label: string;
  colors: { name: string; classes: string[]; labels: number[]; predicted: number[] }[];
  side: number;
  columns: number;
}

/** All that the address of the screen says. */
export interface LearnedState {
  net: string;
  view: View;
  row: string;
  method: string;
  data: string;
}

export type View = "levels" | "redundancy" | "map";
