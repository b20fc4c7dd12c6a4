/** What the lessons' part of the API answers. Types only: no browser loads this. */

/** All that a person can set in a lesson; the address carries what differs from the start. */
export type LessonState = Record<string, number | string | number[]>;
export type SetState = (change: LessonState) => void;

/**
 * What a lesson's module exports as `lesson`. Python computes `Answer` from the state; `draw` only shows it. `fit`
 * mends what no longer fits after a change, before Python is asked.
 */
export interface Lesson<Answer> {
  lead: string;
  start: LessonState;
  draw: (answer: Answer, state: LessonState, set: SetState) => (Node | null)[];
  fit?: (state: LessonState) => LessonState;
}

export interface LessonTitle {
  name: string;
  title: string;
  description: string;
}

/** A grid of numbers, as `lattice` of parts.js takes it. */
export interface Lattice {
  columns: number;
  values: (number | null)[];
  label: string;
  /** Makes the cells fields. */
  edit?: (place: number, value: number) => void;
  /** Makes the cells buttons. */
  choose?: (place: number) => void;
  /** The magnitude of the darkest color; left out: no color. */
  paint?: number | null;
  /** Cells under the window, never read, of the padding. */
  marked?: number[];
  missed?: number[];
  outside?: number[];
  /** A small text in the cell's corner. */
  corner?: (place: number) => string | null;
  decimals?: number;
  /** What the first row and column are counted as; 0 if left out. */
  first?: number;
  size?: "small" | "tiny";
}

/** A window drawn over a lattice: the chosen one, one to come, or only the corner where one begins. */
export interface WindowOver {
  row: number;
  column: number;
  size: number;
  kind: "now" | "next" | "start";
}

// Exercises.

export interface Grid {
  title: string;
  rows: number[][];
}

export interface ExerciseTable {
  head: string[];
  rows: string[][];
}

/** A solution: name, value and formula of each quantity, and what there is to say about it. */
export interface Solution {
  rows: [name: string, value: string, formula: string][];
  remarks: string[];
}

export interface Question {
  lesson: string;
  seed: string;
  number: number;
  last: number;
  level: number;
  levels: number;
  question: string;
  kind: "volume" | "size" | "whole" | "number" | "choice";
  form: string;
  choices: string[];
  grids: Grid[];
  table: ExerciseTable | null;
}

export interface Verdict {
  right: boolean;
  counted: boolean;
  message: string;
  worked: Solution | null;
}

export interface Sheet {
  title: string;
  lesson: string;
  seed: number;
  exercises: (Question & { space: number })[];
  solutions: { answer: string; worked: Solution }[];
}

// The numbers of each lesson.

/** value × weight = product */
export interface Product {
  value: number;
  weight: number;
  product: number;
}

export interface BirdLayer {
  name: "dense" | "convolution";
  units: number;
  /** Inputs of a unit. */
  reads: number;
  edges: number;
  weights: number;
  biases: number;
  parameters: number;
  bytes: number;
  edges_formula: string;
  weights_formula: string;
}

export interface BirdAnswer {
  inputs: number;
  output: number[];
  layers: BirdLayer[];
  times: number;
  each: number;
  share: number;
  window: [top: number, left: number];
  drawing: [part: string, path: string][];
}

/** The pixels of a photograph in their places, or shuffled. */
export interface PixelOrder {
  order: "plain" | "shuffled";
  levels: number[];
  correlations: number[];
  correlation: number;
  left: number;
  difference: number;
  pairs: [number, number][];
}

export interface RedundancyAnswer {
  side: number;
  orders: PixelOrder[];
  effects: {
    plain: number;
    shuffled: number;
    moved: number;
    edges: [number, number];
    times: number;
  };
}

export interface SubsamplingAnswer {
  side: number;
  small: number;
  levels: number[];
  brightness: number;
  kinds: {
    kind: "stride" | "mean" | "max";
    levels: number[];
    brightness: number;
    error: number;
  }[];
  sizes: {
    factor: number;
    side: number;
    pixels: number;
    share: number;
    weights: number;
    saved: number;
  }[];
}

export interface DetectorAnswer {
  side: number;
  picture: number[];
  template: number[];
  made: number;
  map: number[];
  most: number;
  peaks: number[][];
  start_peaks: number[][];
  moved: boolean;
  pooled: {
    side: number;
    values: number[];
    most: number;
    peaks: number[][];
    units: number;
    changed: number;
  };
  changed: number;
  unit: {
    at: number;
    row: number;
    column: number;
    patch: number[];
    terms: Product[];
    total: number;
  };
}

export interface AnySizeRow {
  layer: string;
  volume: number[];
  formula: string;
  parameters: number;
}

export interface AnySizeEnd {
  end: "flatten" | "mean" | "convolution";
  rows: AnySizeRow[];
  parameters: number;
  problem: string | null;
}

export interface AnySizeAnswer {
  image: number[];
  features: AnySizeRow[];
  feature_parameters: number;
  problem: string | null;
  built_for: number[];
  ends: AnySizeEnd[];
}

export interface IlsvrcAnswer {
  examples: {
    name: string;
    answers: string[];
    place: number | null;
    right: boolean;
  }[];
  wrong: number;
  errors: number[];
  winners: {
    year: number;
    team: string;
    network: string;
    layers: number;
    error: number;
    source: string;
  }[];
  runner_up: {
    year: number;
    error: number;
  };
  single: {
    name: string;
    layers: number;
    error: number | null;
    top5_error: number;
    source: string;
  }[];
}

export interface TowersRow {
  layer: string;
  type: "dense" | "convolution";
  map: number[];
  filters: number;
  each: number;
  kernel: number[];
  units: number;
  below: number;
  sees: number;
  both: boolean;
  parameters: number;
  alone_parameters: number;
  edges: number;
  alone_edges: number;
}

export interface TowersAnswer {
  network: {
    rows: TowersRow[];
    parameters: number;
    alone_parameters: number;
    saved: number;
    edges: number;
    alone_edges: number;
    edges_left: number;
    neurons: number;
    paper: { parameters: number; neurons: number };
  };
  layer: {
    sees: number;
    each: number;
    whole: { weights: number; edges: number };
    apart: { weights: number; edges: number };
    weights_formula: string;
    edges_formula: string;
  };
}

/** The parameters of the small network, or the gradients by them. */
interface SmallNetwork {
  filter: number[];
  bias: number[];
  dense: number[];
  dense_bias: number[];
}

export interface BackpropAnswer {
  pixels: number[];
  names: string[];
  right: number;
  step: number;
  most: number;
  parameters: number;
  now: SmallNetwork;
  then: SmallNetwork;
  forward: {
    sums: number[];
    active: number[];
    pooled: number[];
    scores: number[];
    winners: number[];
    shares: number[];
    loss: number;
  };
  backward: SmallNetwork & { sums: number[]; active: number[]; pooled: number[]; scores: number[] };
  chosen: {
    at: number;
    covered: number[];
    terms: Product[];
    total: number;
    dense_at: number;
    unit: number;
    input: number;
    score_gradient: number;
    value: number;
    dense_total: number;
  };
  losses: number[];
  after: { shares: number[]; loss: number };
}

export interface ConvolutionAnswer {
  side: number;
  sums: number[];
  at: number;
  patch: number[];
  terms: Product[];
  total: number;
  flipped: number;
  formula: string;
}

/** A walk of filters over a volume, see `convscope/lessons/walk.py`. */
export interface Walk {
  side: number;
  stride: number;
  volume: number[][];
  outside: number[];
  filters: number[][][];
  kernel: number;
  biases: number[];
  maps: number[][];
  columns: number;
  steps: {
    filter: number;
    row: number;
    column: number;
    cells: number[];
    parts: { terms: [value: number, weight: number][]; sum: number }[];
    total: number;
  }[];
}

export interface VolumesAnswer {
  pixels: number[][];
  side: number;
  sums: number[];
  at: number;
  patch: number[];
  parts: {
    color: string;
    terms: Product[];
    sum: number;
  }[];
  bias: number;
  total: number;
  layer: {
    input: number[];
    filter: number[];
    filters: number;
    output: number[];
    each: {
      weights: number;
      all: number;
    };
    parameters: number;
    size: string;
  };
}

export interface StrideAnswer {
  image: number[];
  filter: number[];
  map: number;
  sums: number[];
  starts: number[];
  at: number;
  patch: number[];
  terms: Product[];
  total: number;
  unread: number[];
  sentence: string;
  formula: string;
  next: number;
}

export interface PaddingAnswer {
  before: number;
  after: number;
  wide: number;
  framed: number[];
  outside: number[];
  patch: number[];
  filter: number[];
  map: number;
  sums: number[];
  at: number;
  terms: Product[];
  bias: number;
  total: number;
  counts: number[];
  reads: {
    first: number;
    last: number;
    most: number;
    alike: boolean;
  };
  blind: number;
  formula: string;
  reason: string;
  deep: number[];
}

/** One axis of an input: its cells, and the windows that stand on it. */
export interface AxisDrawing {
  cells: {
    at: number;
    kind: "read" | "unread" | "padding";
  }[];
  gap: number | null;
  hidden: number;
  windows: {
    unit: number;
    from: number;
    to: number;
    taps: number[];
    before: boolean;
    after: boolean;
  }[];
}

export interface SizeAnswer {
  span: number;
  fitting: {
    kernel: number;
    stride: number;
    padding: number;
    formula: string;
    unread: number;
  }[];
  tried: string;
  problem: string | null;
  output: number;
  formula: string;
  unread: number;
  unread_sentence: string;
  next_exact: number;
  drawing: AxisDrawing;
}

export interface MapsAnswer {
  side: number;
  levels: number[];
  map: number;
  peak: number;
  sums: number[];
  after: number[];
  below: number;
  zero: number;
  histograms: {
    peak: number;
    before: {
      below: number[];
      zero: number;
      above: number[];
    };
    after: {
      below: number[];
      zero: number;
      above: number[];
    };
  };
  curve: {
    x: number[];
    y: number[];
  };
  unit: {
    at: number;
    row: number;
    column: number;
    terms: Product[];
    sum: number;
    bias: number;
    before: number;
    after: number;
  };
}

export interface PoolingAnswer {
  output: number;
  formula: string;
  pooled: number[];
  unread: number[];
  unit: {
    at: number;
    window: number[];
    takers: number[];
    values: number[];
    outside: number;
    value: number;
  };
  say: number[];
  with_say: number;
  units: number;
  kept: number;
  moved: {
    map: number[];
    pooled: number[];
    changed: number[];
    changed_cells: number;
    kinds: {
      kind: string;
      changed: number;
      largest: number;
    }[];
  };
}

export interface SharedLayer {
  name: string;
  weights: number;
  biases: number;
  parameters: number;
  formula: string;
  connections: number;
  multiply_adds: number;
  bytes: number;
  times: number;
  runs: boolean;
}

/** What a layer made of the picture, and of the picture moved by one pixel. */
export interface SharedRun {
  expected: number[];
  found: number[];
  difference: number[];
  units: number;
  differ: number;
  largest: number;
  size: number;
  edge: number;
  seconds: number | null;
}

export interface SharingAnswer {
  most: number;
  output: [channels: number, height: number, width: number];
  layers: SharedLayer[];
  picture: number[];
  ran: {
    layers: (SharedRun | null)[];
    threads: number;
  } | null;
}

export interface LayerLine {
  layer: string;
  type: string;
  filters: number | null;
  kernel: number[] | null;
  stride: number[] | null;
  padding: number[] | null;
  map: number[];
  activation: string | null;
  parameters: number;
  multiply_adds: number;
  connections: number;
  share: number;
}

export interface Lenet5Answer {
  image: number[];
  rows: LayerLine[];
  parameters: number;
  multiply_adds: number;
  bytes: number;
  connections: number;
  broken: string | null;
  row: number;
  worked: [string, number, string][];
  changes: {
    layer: string;
    parameters: [before: number, now: number];
    map: [before: number[], now: number[]];
  }[];
  table: {
    layer: string;
    links: number[][];
    column: number;
    count: number;
    pairs: number;
    used: number[];
    parameters: number;
    full: number;
    chosen: number;
    own: number;
    formula: string;
  };
}

export interface ShownNetwork {
  name: string;
  image: number[];
  rows: {
    layer: string;
    type: string;
    filters: number | null;
    kernel: number[] | null;
    map: number[];
    parameters: number;
    multiply_adds: number;
    bytes: number;
  }[];
  parameters: number;
  multiply_adds: number;
  bytes: number;
  parameter_bytes: number;
  weight_layers: number;
  peaks: {
    parameters: {
      layers: string[];
      share: number;
    };
    multiply_adds: {
      layers: string[];
      share: number;
    };
    bytes: {
      layers: string[];
      share: number;
    };
  };
  dense_work: number;
  dense_parameters: number;
}

export interface VggAnswer {
  networks: ShownNetwork[];
  most: {
    parameters: number;
    multiply_adds: number;
    bytes: number;
  };
  first: {
    filters: number;
    kernel: number;
    stride: number;
    formula: string;
    side: number;
    alone: number;
    towers: number;
    apart: string[];
  };
  stack: {
    deep: number;
    channels: number;
    side: number;
    sides: number[];
    seen: ([from: number, end: number] | null)[][];
    small: number;
    large: number;
    small_factor: number;
    large_factor: number;
    ratio: number;
  };
}

export interface TrainingAnswer {
  image: number[];
  step: number;
  most: number;
  weights: number[];
  gradient: number[];
  next: {
    at: number;
    patches: number;
    weight: number;
    gradient: number;
    decayed: number;
    velocity: number;
    after: number;
    then: number;
  } | null;
  maps: [target: number[], learned: number[], difference: number[]];
  loss: number;
  lowest: number;
  curve: [step: number, loss: number][];
  diverged: number | null;
  rates: {
    largest: number;
    smallest: number;
    unseen: number;
    limit: number;
    slowest: number;
    halving: number | null;
    offered: number[];
  };
  softmax: {
    largest: number;
    powers: number[];
    sum: number;
    shares: number[];
    loss: number;
    gradient: number[];
  };
}

/** The network is still being trained. */
export interface FiltersTraining {
  ready: false;
  step: number;
  steps: number;
  epochs: number;
}

/** What the filters of a trained network have learned. */
export interface FiltersReady {
  ready: true;
  data: string;
  epochs: number;
  step: number;
  steps: number;
  learned: number;
  tested: number;
  compared: number;
  whole: number;
  removed: number[];
  left: number;
  digits: number[][];
  digit: number[];
  side: number;
  filters: {
    slices: number[][];
    map: number[];
    side: number;
    dead: boolean;
    right: number;
  }[];
  chosen: number;
  field: number;
  patches: {
    pixels: number[];
    value: number;
    digit: number;
  }[];
  alike: {
    correlation: number[][];
    cosine: number[][];
    pairs: {
      pair: [number, number];
      correlation: number;
      cosine: number;
    }[];
    correlated: number;
    threshold: number;
  };
  pair: {
    nearest: number;
    correlation: number;
    cosine: number;
    without: [one: number, other: number, both: number];
  };
}
export type FiltersAnswer = FiltersReady | FiltersTraining;
