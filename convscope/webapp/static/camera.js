/** A photo from the camera. The camera runs only while the dialog is open. */

import { contextOf, dialog, el, messageOf, write } from "./element.js";

/** @type {Record<string, string>} */
const WHY = {
  NotAllowedError: "The browser refused the camera. Allow it for this page, or drop a picture instead.",
  NotFoundError: "No camera was found. Drop an image instead.",
  NotReadableError: "Another program is using the camera. Close it and try again.",
};

/** @param {(title: string, image: Blob) => void} use */
export async function camera(use) {
  const caption = el("p", { class: "caption" }, "Waiting for the camera…");
  const video = el("video", { class: "seen", muted: true, playsinline: true, hidden: true });
  const take = el("button", { class: "pill main", disabled: true }, "Take the photo");
  const box = dialog(
    "Take a photo",
    el("h3", {}, "Take a photo"),
    video,
    caption,
    el("div", { class: "row" }, take, el("button", { class: "pill", onclick: () => box.close() }, "Cancel")),
  );
  /** @type {MediaStream | undefined} */
  let stream;
  const end = () => stream?.getTracks().forEach((track) => track.stop());
  box.addEventListener("close", end);
  try {
    if (!navigator.mediaDevices)
      throw new Error("Browsers give the camera only to pages on https or localhost. Drop an image instead.");
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    if (!box.open) return end();
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    end();
    write(
      caption,
      error instanceof DOMException
        ? (WHY[error.name] ?? `The camera does not start: ${error.message}`)
        : messageOf(error),
    );
    return;
  }
  video.hidden = false;
  write(caption, "The photo stays on this machine.");
  take.disabled = false;
  take.addEventListener("click", () => {
    const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
    contextOf(canvas).drawImage(video, 0, 0);
    canvas.toBlob((photo) => photo && use("from the camera", photo), "image/png");
    box.close();
  });
}
