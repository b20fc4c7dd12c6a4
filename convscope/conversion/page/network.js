/** The network: loaded once, run on the bytes of an image by ONNX Runtime Web. */

import * as ort from "./ort.wasm.bundle.min.mjs";

/** @typedef {{ data: Uint8Array, width: number, height: number }} Pixels */
/** @typedef {{ classes: string[], task: string, input_size: number[] }} Card */

/**
 * An object that was found: the index of its class, and left, top, right and bottom in pixels of the image.
 * @typedef {{ label: number, score: number, box: number[] }} FoundObject
 */

/**
 * What the network's graph answers: probabilities, indices of the predicted classes, whether it is sure of them, and
 * indices of the prediction set, if it makes such; or the objects that it finds, by falling score.
 * @typedef {{ probabilities: number[], predicted: number[], isSure: boolean, set?: number[], objects?: FoundObject[] }} Answer
 * @typedef {Answer & { milliseconds: number }} Prediction
 */

ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", import.meta.url).href };

/**
 * Load the files beside this one. `onProgress` gets the bytes so far and their total, 0 if it is unknown.
 * @param {(done: number, total: number) => void} onProgress
 */
export async function loadNetwork(onProgress) {
  const [card, model] = await Promise.all([
    fetched("network.json").then((answer) => /** @type {Promise<Card>} */ (answer.json())),
    fetched("images.onnx").then((answer) => bytesOf(answer, onProgress)),
  ]);
  const session = await ort.InferenceSession.create(model);
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();

  /** Classify an image; one at a time. @param {Pixels} pixels @returns {Promise<Prediction>} */
  const classify = (pixels) => {
    const next = last.catch(() => {}).then(() => run(session, pixels));
    last = next;
    return next;
  };
  return { card, classify };
}

/** @param {ort.InferenceSession} session @param {Pixels} pixels @returns {Promise<Prediction>} */
async function run(session, { data, width, height }) {
  const images = new ort.Tensor("uint8", data, [1, height, width, 3]);
  const start = performance.now();
  const found = await session.run({ images });
  const milliseconds = performance.now() - start;
  if (found.boxes) return { probabilities: [], predicted: [], isSure: true, objects: objectsOf(found), milliseconds };
  return {
    probabilities: Array.from(found.probabilities.data, Number),
    predicted: found.label ? [Number(found.label.data[0])] : chosen(found.labels),
    isSure: !found.is_sure || Boolean(found.is_sure.data[0]),
    set: found.set && chosen(found.set),
    milliseconds,
  };
}

/** @param {Record<string, ort.Tensor>} found @returns {FoundObject[]} */
function objectsOf({ boxes, scores, labels }) {
  const edges = Array.from(boxes.data, Number);
  return Array.from(scores.data, (score, index) => ({
    label: Number(labels.data[index]),
    score: Number(score),
    box: edges.slice(4 * index, 4 * index + 4),
  })).filter(({ box: [left, top, right, bottom] }) => right > left && bottom > top);
}

/** The indices where a tensor is true. @param {ort.Tensor} tensor */
function chosen(tensor) {
  return Array.from(tensor.data, Number).flatMap((isIn, index) => (isIn ? [index] : []));
}

/** @param {string} name */
async function fetched(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} was not found beside the page (status ${answer.status}).`);
  return answer;
}

/** @param {Response} answer @param {(done: number, total: number) => void} onProgress */
async function bytesOf(answer, onProgress) {
  if (!answer.body) return new Uint8Array(await answer.arrayBuffer());
  const isCompressed = answer.headers.has("content-encoding"); // then the length is that of less
  const total = isCompressed ? 0 : Number(answer.headers.get("content-length") ?? 0);
  const chunks = [];
  let done = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { value } = await reader.read();
    if (!value) break;
    chunks.push(value);
    onProgress((done += value.length), total);
  }
  const bytes = new Uint8Array(done);
  let start = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, start);
    start += chunk.length;
  }
  return bytes;
}
