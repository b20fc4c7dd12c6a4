/** One picture from the camera. The camera runs only while the dialog is open. */

import { dialog, el } from "./element.js";

const WHY = {
  NotAllowedError: "The browser refused the camera. Allow it for this page, or drop a picture instead.",
  NotFoundError: "No camera was found. Drop a picture instead.",
  NotReadableError: "Another program holds the camera. Close it and try again.",
};

/** @param {(title: string, picture: Blob) => void} use */
export async function camera(use) {
  const told = el("p", { class: "caption" }, "Waiting for the camera…");
  const video = /** @type {HTMLVideoElement} */ (
    el("video", { class: "seen", muted: true, playsinline: true, hidden: true })
  );
  const take = /** @type {HTMLButtonElement} */ (
    el("button", { class: "pill main", disabled: true }, "Take this picture")
  );
  const box = dialog(
    "Take a picture",
    el("h3", {}, "Take a picture"),
    video,
    told,
    el("div", { class: "row" }, take, el("button", { class: "pill", onclick: () => box.close() }, "Cancel")),
  );
  /** @type {MediaStream | undefined} */
  let stream;
  const end = () => stream?.getTracks().forEach((track) => track.stop());
  box.addEventListener("close", end);
  try {
    if (!navigator.mediaDevices)
      throw new Error("Browsers give the camera only to pages on https or localhost. Drop a picture instead.");
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    if (!box.open) return end();
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    end();
    told.textContent =
      error instanceof DOMException
        ? (WHY[error.name] ?? `The camera does not start: ${error.message}`)
        : String(error.message);
    return;
  }
  video.hidden = false;
  told.textContent = "The picture stays on this machine.";
  take.disabled = false;
  take.addEventListener("click", () => {
    const canvas = /** @type {HTMLCanvasElement} */ (
      el("canvas", { width: video.videoWidth, height: video.videoHeight })
    );
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    canvas.toBlob((picture) => picture && use("from the camera", picture), "image/png");
    box.close();
  });
}
