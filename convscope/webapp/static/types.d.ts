/** What the lab's API answers, and what the page's modules hand to each other. Types only: no browser loads this. */

/** A number as JSON carries it: what is not finite comes as a word. */
export type JsonNumber = number | "nan" | "inf" | "-inf";

// What is drawn with.

/** What `el` and `svg` take: attributes, listeners by their "on" names, styles. What is null or false is left out. */
export interface Properties {
  onclick?: ((event: MouseEvent & { target: HTMLElement }) => unknown) | null;
  oninput?: (event: FieldEvent) => unknown;
  onchange?: (event: FieldEvent) => unknown;
  onfocus?: (event: FieldEvent) => unknown;
  onblur?: (event: FieldEvent) => unknown;
  onfocusin?: (event: FocusEvent) => unknown;
  onkeydown?: ((event: KeyboardEvent) => unknown) | null;
  onpointerdown?: (event: PointerEvent) => unknown;
  onpointerover?: (event: PointerEvent) => unknown;
  onscroll?: (event: Event) => unknown;
  onsubmit?: (event: SubmitEvent) => unknown;
  style?: Styles;
  [attribute: string]: unknown;
}
export type FieldEvent = Event & { target: HTMLInputElement };
export type Styles = Record<string, string | number>;
export type Child = Node | string | number | null | undefined;

/** One of the screens: it draws into the stage, and is told when another one comes. */
export interface Screen {
  show: (stage: HTMLElement, late: () => boolean) => Promise<void>;
  stop?: () => void;
  keys?: Record<string, () => void>;
  tools?: () => Promise<(Node | null)[]>;
}

/** A line of a chart, or single points. `color` names a CSS variable. */
export interface Series {
  name: string;
  x: number[];
  y: (number | null)[];
  /** What is read at each point. */
  said?: string[];
  color?: string;
  /** 0 for points without a line. */
  width?: number;
  dash?: string;
  marks?: string;
  /** A band around the line. */
  low?: (number | null)[];
  high?: (number | null)[];
  /** Bars at the points. */
  error?: { low: number[]; high: number[] };
  /** Left out of what is read to a screen reader. */
  silent?: boolean;
  /** The name at the line's end, and a shorter one where there is little room. */
  label?: string;
  short?: string;
}

/** How a chart looks. `text` writes a value, given the distance between two ticks. */
export interface ChartLook {
  across: string;
  text: (value: number, step: number) => string;
  height?: number;
  log?: boolean;
  acrossLog?: boolean;
  from?: number;
  to?: number;
  empty?: string;
  /** The axis across does not begin at 0. */
  rangeless?: boolean;
}

export interface Chart {
  element: HTMLElement;
  draw: (lines: Series[], change?: Partial<ChartLook>) => void;
  again: () => void;
  stop: () => void;
}

export interface ChartState {
  title: string;
  plot: HTMLElement;
  none: HTMLElement;
  /** The words beside the points that are read. */
  tip: HTMLElement;
  look: ChartLook;
  lines: Series[];
  /** The point that the keyboard reads. */
  at: number;
  /** The points whose words are shown. */
  reading?: ReadPoint[];
  width?: number;
  drawing?: Drawing;
}

/** A point of a chart: the index of its line, and its own. */
export interface ReadPoint {
  line: number;
  at: number;
}

/** A chart as it is drawn: `overlay` is for what is read, `points` are those of each line. */
export interface Drawing {
  element: SVGElement;
  overlay: SVGElement;
  points: (ChartPoint | null)[][];
  across: ChartScale;
  up: ChartScale;
}

/** An axis: the values at its ends, and the pixels where these stand. */
export interface ChartScale {
  low: number;
  high: number;
  log: boolean;
  from: number;
  to: number;
}

export interface ChartPoint {
  x: number;
  y: number;
}

/** A column of a band. */
export interface ChartSpan {
  x: number;
  low: number;
  high: number;
}

// The address.

/** A unit as the address names it. */
export interface Position {
  layer: string;
  map: number;
  row: number;
  col: number;
}

/** All that the address of a network's screens says. */
export interface State {
  net: string;
  image: string;
  layer: string;
  place: Position | null;
  rank: string;
  beside: string;
  trail: Position[];
  open: string[];
  why: WhyAsked | null;
  /** Of a network that finds objects, the box that is open: "box1". */
  box: string;
  /** What is other than in the network, see what_if/address.js. */
  supposed: string[];
}

/** A box that a network finds, in pixels of its input. */
export interface FoundBox {
  name: string;
  class: string;
  score: JsonNumber;
  is_kept: boolean;
  is_shown: boolean;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** The boxes of an image, and how many more there are. */
export interface FoundBoxes {
  boxes: FoundBox[];
  others: number;
}

/** One box: its numbers, and the comparisons of non-maximum suppression. */
export interface OpenBox {
  name: string;
  class: string;
  score: JsonNumber;
  cell: [row: number, column: number, box: number];
  steps: {
    name: string;
    text: string;
    value: JsonNumber;
    unit: { row: string; map: number; y: number; x: number } | null;
  }[];
  comparisons: {
    boxes: [string, string];
    classes: [string, string];
    iou: number;
    verdict: string;
    arithmetic: string[];
  }[];
  max_overlap: number | null;
}

/** What is asked of the answer: a method ("" for the default), classes by index, the layer whose maps are weighed. */
export interface WhyAsked {
  method: string;
  target: number | null;
  other: number | null;
  layer: string;
}

// A network, an image, and what the one makes of the other.

export interface ImageTitle {
  id: string;
  title: string;
}

/** One line of the network's table: an operation, with the batch norm and the activation behind it. */
export interface Row {
  name: string;
  op: string;
  type: string;
  inputs: string[];
  shape: [channels: number, height: number, width: number];
  axes: number[];
  block: string;
  stage: string;
  operations: string[];
  parameters: number;
  filters: number | null;
  kernel: number[] | null;
  stride: number[] | null;
  padding: number[] | null;
  activation: string;
  receptive_field: number[];
  exact: boolean;
  /** The names of the lessons that are about it. */
  lessons: string[];
}

export interface Network {
  id: string;
  title: string;
  warning: string;
  classes: string[];
  channels: number;
  size: [height: number, width: number];
  images: ImageTitle[];
  /** The layer whose units are the probabilities shown, by class; "" where there is none. */
  answer: string;
  /** Whether it finds objects and their boxes. */
  finds_boxes: boolean;
  rows: Row[];
  byName: Map<string, Row>;
}

/** A class, and how probable it is. */
export interface Prediction {
  class: string;
  index: number;
  /** The map of the network's `answer` that shows how the probability comes about. */
  unit: number;
  probability: JsonNumber;
  is_predicted: boolean;
}

/** An image, and what the network says about it. */
export interface LabImage {
  id: string;
  title: string;
  predictions: Prediction[];
  /** From 0; of grades alone. */
  expected_grade: { value: number; grades: string[] } | null;
  note: string;
}

/** The strongest map of a layer, as bytes. */
export interface Face {
  name: string;
  offset: number;
  height: number;
  width: number;
  scale: number;
  /** How many values of the volume are not finite. */
  strange: number;
  data: Int8Array;
  painted?: Record<string, string>;
}

export interface Volume {
  shape: number[];
  data: Float32Array;
}

/** A question's answer: one number for each map. */
export interface Ranking {
  rank: string;
  scores: JsonNumber[] | null;
  dead: number[];
  groups: number[][];
  note: string;
}

export interface Filters {
  size: [height: number, width: number];
  channels: JsonNumber[][];
}

export interface Pixel {
  channels: { name: string; byte: number; mean: number; std: number; value: number }[];
}

// One unit, explained.

/** A unit as the API names it. */
export interface UnitRef {
  row: string;
  map: number;
  y: number;
  x: number;
}

/** One input channel of a windowed sum or extremum: patch × filter = products, and what they add up to. */
export interface Part {
  channel: number;
  row: string;
  map: number;
  cells: (UnitRef | null)[][];
  patch: number[][];
  filter: number[][] | null;
  products: number[][];
  sum: number;
}

/** One operand that is written out on its own. */
export interface Term {
  value: number;
  weight: number;
  product: number;
  location: UnitRef | null;
  source: string | null;
  weight_location: string | null;
  weight_spot: UnitRef | null;
}

export interface Line {
  label: string;
  text: string;
  value: number;
}

export interface Unit {
  row: string;
  at: number[];
  op: string;
  kind: string;
  decomposition: "sum" | "maximum" | "minimum" | "identity" | "expression" | "unsupported";
  formula: string;
  substituted: string;
  count: number;
  positive: number;
  negative: number;
  inputs: string[];
  size: [height: number, width: number] | null;
  window: number[] | null;
  sums: number[] | null;
  bars: number[] | null;
  bar_terms: number;
  parts: Part[];
  rest: { count: number; sum: number; largest: number };
  terms: Term[];
  remaining: { count: number; sum: number };
  lines: Line[];
  winner: [y: number, x: number] | null;
  ties: [y: number, x: number][];
  bias: number | null;
  divisor: number;
  exact_value: number;
  model_value: number;
  difference: number;
  rounding_bound: number;
  is_within_tolerance: boolean;
  steps: (Line & { operation: string })[];
  value: number;
  receptive_field: { box: number[][]; clipped: (number[] | null)[]; fraction: number; exact: boolean } | null;
  largest: UnitRef | null;
  ends_at: string | null;
  /** Of the magnitudes of all products, how much the largest has. */
  largest_share: number | null;
}

// Trainings.

/** Where a training is, twice a second. */
export interface LiveState {
  state: string;
  message: string;
  description: string;
  step: number;
  steps: number | null;
  epoch: number;
  epochs: number | null;
  batches: number;
  progress: number;
  seconds: number;
  seconds_left: number | null;
  images_per_second: number | null;
  steps_per_second?: number | null;
  lr: number;
  /** When the rate was set by hand, in words. */
  lr_changes?: string;
  loss: number | null;
  top1: number | null;
  saved_step: number;
  acknowledged: number;
}

/** What the outputs of a network mean. */
export type Task = "single-label" | "multi-label" | "ordinal";

/** What chooses the best weights by default: accuracy, mean average precision, quadratic weighted kappa. */
export type MetricName = "top1" | "map" | "kappa";

/** One evaluation. */
export interface Metric {
  epoch: number;
  step: number;
  seconds: number;
  lr: number;
  train_loss: number;
  train_top1: number;
  val_loss?: number;
  val_top1?: number;
  val_map?: number;
  val_kappa?: number;
  best?: boolean;
}

export interface TestResult {
  images: number;
  top1: number;
  top1_interval: [low: number, high: number];
  map?: number | null;
  kappa?: number | null;
  loss: number;
}

/** Steps in buckets: a table with a name for each column. */
export interface StepTable {
  columns: string[];
  rows: (number | null)[][];
}

/** A run as its page is told of it; `width` is how many steps a bucket of the table holds. */
export interface Run extends StepTable {
  name: string;
  title: string;
  task: Task;
  metric: MetricName;
  state: string;
  now: LiveState | null;
  test: TestResult | null;
  log: string[];
  message: string;
  settings?: Record<string, SettingValue>;
  metrics: Metric[];
  width: number;
}

/** A line of the list of runs. */
export interface RunSummary {
  name: string;
  title: string;
  state: string;
  when: string;
  epochs: number | null;
  steps: number | null;
  task: Task;
  metric: MetricName;
  val_value: number | null;
  test_value: number | null;
  val_top1: number | null;
  test_top1: number | null;
  parameters: number | null;
}

export type SettingValue = number | string | boolean | number[] | null;

/** A setting of a training, as the form shows it. */
export interface Setting {
  name: string;
  help: string;
  kind: string;
  choices: (string | number)[];
  default: SettingValue;
  low: number | null;
  high: number | null;
}

export interface SettingGroup {
  name: string;
  settings: Setting[];
}

/** A source of data or a network that can be chosen. */
export interface Choice {
  name: string;
  description?: string;
}

/** All that the form offers. */
export interface FormSchema {
  sources: (Choice & { needs_download: boolean })[];
  local_data: Choice[];
  networks: Choice[];
  groups: SettingGroup[];
  tables: StartTable[];
}

/** A layer table to begin with; a row has no empty cells. */
export interface StartTable {
  name: string;
  input: [channels: number, height: number, width: number];
  rows: Record<string, string>[];
}

/** What the rows of a table make; no shape for a row that is wrong, and for those below it. */
export interface TableSizes {
  rows: { shape: number[] | null; parameters: number; error: string }[];
  parameters: number;
  error: string;
  is_right: boolean;
}

/** The activations and gradients of a step, layer by layer, and the batch that made them. */
export interface LayerStats {
  step: number;
  layers: LayerStat[];
  history: { step: number; layers: Record<string, { gradient: number | null }> }[];
  batch: Omit<TileSheet, "labels" | "step">;
  labels: string[];
}

export interface LayerStat {
  name: string;
  kind: string;
  shape: number[];
  activation: { mean: number | null; std: number | null; zeros: number | null };
  gradient: number | null;
  weight: number | null;
  update: number | null;
}

/** Images of one size, one behind the other in a binary answer. */
export interface TileSheet {
  step: number;
  count: number;
  height: number;
  width: number;
  channels: number;
  labels: string[];
}

export interface WrongImages extends Omit<TileSheet, "labels"> {
  epoch: number;
  images: { index: number; name: string; is: string; said: string; probability: number; loss: number }[];
}

/** The first layer's filters at several steps. */
export interface FilterSnapshots {
  layer: string;
  steps: number[];
  shape: [filters: number, channels: number, height: number, width: number];
}

/** An image whose layers are looked at; its class is unknown where `truth` is "". */
export interface Example {
  name: string;
  label: number | null;
  truth: string;
}

/** Images to choose from, and the epochs whose weights are kept. */
export interface Examples {
  split: "val" | "test" | null;
  images: Example[];
  count: number;
  height: number;
  width: number;
  channels: number;
  epochs: { step: number; epoch: number }[];
  note: string;
}

/** Figures of all values, of which the tensor shows some. */
export interface ViewedPart {
  shape: number[];
  low: number;
  high: number;
  peak: number;
}

export interface ViewedLayer {
  name: string;
  kind: string;
  shape: number[];
  parts: Record<string, ViewedPart>;
}

/** What layers hold for an example, see `layer_view.py`; the tensors INDEX/PART have 127 for the peak. */
export interface LayerView {
  step: number;
  epoch: number;
  example: Example;
  answers: [name: string, share: number | null][];
  loss: number | null;
  target: number | null;
  layers: ViewedLayer[];
  left_out: number;
  tensors: Map<string, { shape: number[]; data: Int8Array }>;
}

export interface LiveConfusion {
  step: number;
  epoch: number;
  classes: string[];
  counts: number[][];
}

/** A cross-validation; `summary` is its text, "" before all folds are finished. */
export interface Folds {
  name: string;
  title: string;
  finished: number;
  count: number;
  runs: { run: string; fold: string }[];
  summary: string;
}

// Comparisons.

export interface ComparedTest {
  top1: number;
  low: number;
  high: number;
  num_correct: number;
  images: number;
  map: number | null;
  kappa: number | null;
}

export interface ComparedRun extends RunSummary {
  epochs: number;
  steps: number;
  seconds: number | null;
  images_per_second: number | null;
  multiply_adds: number | null;
  is_counted: boolean | null;
  test: ComparedTest | null;
  metrics: Metric[];
}

export interface ComparedSetting {
  name: string;
  group: string;
  help: string;
  values: SettingValue[];
  differs: boolean;
}

export interface ComparedNetwork {
  name: string;
  title: string;
  parameters: number;
  multiply_adds: number | null;
  is_counted: boolean | null;
  layers: number;
  size: string;
  memory: number | null;
}

export interface Comparison {
  runs: ComparedRun[];
  settings: ComparedSetting[];
  networks: ComparedNetwork[];
  caveats: string[];
}

/** All that the address of the screen Compare says. */
export interface CompareState {
  runs: string[];
  networks: string[];
  over: string;
  cost: string;
  log: string[];
  open: string[];
}

/** Work in the background, as the lab says how far it is. */
export interface Computed {
  id: string;
  state: "waiting" | "running" | "done" | "failed" | "stopped";
  doing: string;
  done: number;
  total: number;
  message: string;
  version: number;
  result: any;
}

/** A method of attribution to choose. */
export interface WhyMethod {
  name: string;
  title: string;
  answers: string;
  takes_layer: boolean;
  signed: boolean;
}

/** A part of the image with its share of the score, in pixels of the network's input. */
export interface WhyRegion {
  top: number;
  left: number;
  bottom: number;
  right: number;
  share: number;
}

export interface WhyCurve {
  area: number;
  random_area: number;
  random_interval: [number, number];
  random_orders: number;
  fractions: number[];
  probabilities: number[];
  better_than_random: number;
}

/** A map of the image and what is known of it; more of it once it is tested. */
export interface WhyResult {
  method: string;
  title: string;
  layer: string | null;
  signed: boolean;
  unit: string;
  problem: string;
  notes: string[];
  map: { shape: [number, number]; computed_shape: [number, number] };
  maximum: number;
  shares: { score: number; map: number; others: Record<string, number>; rest: number; is_exact: boolean } | null;
  fraction: number | null;
  regions: WhyRegion[];
  faithfulness: {
    deletion: WhyCurve;
    insertion: WhyCurve;
    top: number;
    without_top: number;
    only_top: number;
  } | null;
  random_weights: { last: number | null; all: number | null } | null;
  target: number;
  instead_of: number | null;
  score_name: string;
  probability_name: string;
  facts: string[];
  is_tested: boolean;
  cells: { row: string; rows: number[]; columns: number[] } | null;
  terms: {
    operation: string;
    bias: JsonNumber;
    exact_value: JsonNumber;
    model_value: JsonNumber;
    difference: JsonNumber;
    terms: Term[];
    remaining: { count: number; sum: JsonNumber };
  } | null;
}
