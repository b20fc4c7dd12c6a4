/** The page: a dropped, pasted or chosen image, or the webcam, and what the network says of it. */

import { loadNetwork } from "./network.js";
import { drawObjects } from "./objects.js";
import { drawFile, drawFrame, pixelsOf } from "./pixels.js";
import { openWebcam } from "./webcam.js";

/** @import { FoundObject, Prediction } from "./network.js" */
/** @import { Webcam } from "./webcam.js" */

const FEW = 5;
const PAUSE = 100; // ms between two frames of the webcam, at least

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const canvas = /** @type {HTMLCanvasElement} */ (part("canvas"));
const chosen = /** @type {HTMLInputElement} */ (part("file"));
const choose = /** @type {HTMLButtonElement} */ (part("choose"));
const webcam = /** @type {HTMLButtonElement} */ (part("webcam"));
const least = /** @type {HTMLInputElement} */ (part("from"));
const over = /** @type {SVGElement} */ (document.querySelector("#boxes"));
const more = /** @type {HTMLButtonElement} */ (part("more"));

/** @typedef {Awaited<ReturnType<typeof loadNetwork>>} Network */

/** @type {Network | undefined} */
let network;
/** @type {Prediction | undefined} */
let shown;
/** @type {Webcam | undefined} */
let camera;
let isWhole = false; // whether all classes are listed
let request = 0; // of images: what is older than the last one is not shown

part("late").hidden = true; // scripts run
start();

async function start() {
  try {
    network = await loadNetwork((done, total) => {
      const of = total ? ` of ${megabytes(total)}` : "";
      say(`Loading the network: ${megabytes(done)}${of}.`);
    });
  } catch (error) {
    say("");
    return tell(`The network could not be loaded. ${messageOf(error)}`);
  }
  const { classes, input_size: size } = network.card;
  part("about").textContent =
    `${classes.length} classes, seen at ${size[0]} × ${size[1]} pixels. Images stay on this device.`;
  say("Ready.");
  choose.disabled = webcam.disabled = false;
}

/** Classify an image file. @param {Blob} file */
async function classifyFile(file) {
  if (!network) return;
  const mine = ++request;
  stopWebcam();
  tell("");
  say("Reading the image.");
  try {
    await drawFile(file, canvas);
    over.replaceChildren(); // those of the image before
    if (mine !== request) return;
    reveal(file instanceof File ? file.name : "");
    say("Classifying.");
    await painted();
    const prediction = await classified();
    if (mine === request) show(prediction);
  } catch (error) {
    if (mine !== request) return;
    say("");
    clear();
    tell(messageOf(error));
  }
}

/** Classify what is drawn. Rejects with a sentence. */
async function classified() {
  try {
    return await /** @type {Network} */ (network).classify(pixelsOf(canvas));
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`The network could not run on this image: ${reason}. A smaller one needs less memory.`, {
      cause: error,
    });
  }
}

async function startWebcam() {
  if (!network) return;
  const mine = ++request;
  tell("");
  say("Waiting for the webcam.");
  webcam.setAttribute("aria-pressed", "true");
  webcam.textContent = "Stop webcam";
  try {
    const opened = await openWebcam();
    if (mine !== request) return opened.close();
    camera = opened;
    while (mine === request) {
      drawFrame(camera.video, canvas);
      reveal("The webcam");
      const prediction = await classified();
      if (mine === request) show(prediction);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      await painted();
    }
  } catch (error) {
    if (mine !== request) return;
    stopWebcam();
    say("");
    tell(messageOf(error));
  }
}

function stopWebcam() {
  camera?.close();
  camera = undefined;
  webcam.setAttribute("aria-pressed", "false");
  webcam.textContent = "Webcam";
}

/** @param {Prediction} prediction */
function show(prediction) {
  const { classes } = /** @type {Network} */ (network).card;
  const { predicted, isSure, set, objects } = prediction;
  shown = prediction;
  if (objects) return showObjects(objects, prediction.milliseconds);
  const order = prediction.probabilities.map((_, index) => index);
  order.sort((a, b) => prediction.probabilities[b] - prediction.probabilities[a] || a - b);
  const rows = order
    .slice(0, isWhole ? undefined : FEW)
    .map((index) => row(classes[index], prediction.probabilities[index], isSure && predicted.includes(index)));
  part("classes").replaceChildren(...rows);
  more.hidden = order.length <= FEW;
  more.textContent = isWhole ? `The first ${FEW} only` : `All ${order.length} classes`;
  const named = (/** @type {number[]} */ indices) =>
    order
      .filter((index) => indices.includes(index))
      .map((index) => classes[index])
      .join(", ");
  part("details").textContent = facts(prediction.milliseconds) + (set ? ` Prediction set: ${named(set)}.` : "");
  say(isSure ? named(predicted) || "None of the labels." : "Not sure.");
}

/** Those with the least score or more. @param {FoundObject[]} objects @param {number} time */
function showObjects(objects, time) {
  const { classes } = /** @type {Network} */ (network).card;
  const found = objects.filter(({ score }) => score >= Number(least.value));
  drawObjects(over, found, classes, canvas);
  part("classes").replaceChildren(...found.map(({ label, score }) => row(classes[label], score, true)));
  part("least").hidden = false;
  part("score").textContent = Number(least.value).toFixed(2);
  part("details").textContent = facts(time);
  const best = objects.length ? ` The best box has a score of ${objects[0].score.toFixed(2)}.` : "";
  say(found.length > 1 ? `${found.length} objects.` : found.length ? "1 object." : `No objects.${best}`);
}

/** @param {number} time */
const facts = (time) =>
  `${canvas.width} × ${canvas.height} pixels, ${time < 10 ? time.toFixed(1) : Math.round(time)} ms.`;

/** @param {string} name @param {number} probability @param {boolean} isYes */
function row(name, probability, isYes) {
  const [item, label, value, bar] = ["li", "bdi", "data", "span"].map((tag) => document.createElement(tag));
  label.textContent = name;
  value.textContent = percent(probability);
  value.setAttribute("value", String(probability));
  bar.className = "bar";
  bar.style.setProperty("--share", String(probability));
  item.classList.toggle("yes", isYes);
  item.append(label, value, bar);
  return item;
}

/** @param {number} probability */
function percent(probability) {
  if (probability < 0.0005) return "< 0.1%";
  if (probability >= 0.9995 && probability < 1) return "> 99.9%";
  return `${(100 * probability).toFixed(1)}%`;
}

/** @param {string} name */
function reveal(name) {
  canvas.hidden = false;
  part("hint").hidden = true;
  canvas.classList.toggle("tiny", Math.max(canvas.width, canvas.height) < 200);
  canvas.setAttribute("aria-label", name ? `The image: ${name}` : "The image");
}

/** Show no image and no classes: they would be taken for those of what failed. */
function clear() {
  canvas.hidden = true;
  over.replaceChildren();
  part("hint").hidden = false;
  part("classes").replaceChildren();
  part("details").textContent = "";
  more.hidden = true;
  shown = undefined;
}

/** Set the line that screen readers read when it changes. @param {string} sentence */
function say(sentence) {
  if (part("status").textContent !== sentence) part("status").textContent = sentence;
}

/** Say what went wrong. @param {string} sentence */
function tell(sentence) {
  part("problem").textContent = sentence;
  part("problem").hidden = !sentence;
}

const megabytes = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const messageOf = (/** @type {unknown} */ error) => (error instanceof Error ? error.message : String(error));
const painted = () => new Promise((resolve) => setTimeout(resolve, 30)); // also where the page is hidden

choose.addEventListener("click", () => chosen.click());
chosen.addEventListener("change", () => {
  const [file] = chosen.files ?? [];
  if (file) classifyFile(file);
  chosen.value = ""; // the same file may be chosen again
});
webcam.addEventListener("click", () => {
  if (webcam.getAttribute("aria-pressed") !== "true") return startWebcam();
  request++;
  stopWebcam();
  say(shown ? "The webcam is off." : "Ready.");
});
least.addEventListener("input", () => shown && show(shown));
more.addEventListener("click", () => {
  isWhole = !isWhole;
  if (shown) show(shown);
});

let depth = 0;
const mark = () => document.body.classList.toggle("dropping", depth > 0);
addEventListener("dragenter", () => (depth++, mark()));
addEventListener("dragleave", () => (depth--, mark()));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  depth = 0;
  mark();
  event.preventDefault();
  take(event.dataTransfer);
});
addEventListener("paste", (event) => take(event.clipboardData));

/** @param {DataTransfer | null} data */
function take(data) {
  const [file] = data?.files ?? [];
  if (file) classifyFile(file);
}
