/** The webcam, which runs until it is closed. */

/** @typedef {{ video: HTMLVideoElement, close: () => void }} Webcam */

/** @type {Record<string, string>} */
const REASONS = {
  NotAllowedError: "The browser refused the webcam. Allow it for this page, or choose an image.",
  NotFoundError: "No webcam was found. Choose an image instead.",
  NotReadableError: "Another program is using the webcam. Close it and try again.",
};

/** Start it; the video has its first frame. Rejects with a sentence. @returns {Promise<Webcam>} */
export async function openWebcam() {
  if (!navigator.mediaDevices)
    throw new Error("Browsers give the webcam only to pages on https or localhost. Choose an image instead.");
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  /** @type {MediaStream | undefined} */
  let stream;
  const close = () => stream?.getTracks().forEach((track) => track.stop());
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 640 } } });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    close();
    const { name, message } = /** @type {DOMException} */ (error);
    throw new Error(REASONS[name] ?? `The webcam does not start: ${message}`, { cause: error });
  }
  return { video, close };
}
