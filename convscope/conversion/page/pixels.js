/** From a file or a video to bytes: red, green and blue, upright, on white where it is transparent. */

/** @import { Pixels } from "./network.js" */

export const MAX_PIXELS = 50_000_000;

/**
 * Decode an image file by the browser and draw it on a canvas of its size.
 * @param {Blob} file @param {HTMLCanvasElement} canvas
 */
export async function drawFile(file, canvas) {
  let image;
  try {
    // Numbers as they are stored: networks are trained on files whose color profile was not applied.
    image = await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch {
    const name = file instanceof File && file.name ? file.name : "This";
    throw new Error(
      file.size === 0 ? `${name} is empty.` : `${name} is not an image that this browser can read. Try a JPEG or PNG.`,
    );
  }
  const count = image.width * image.height;
  if (count > MAX_PIXELS) {
    image.close();
    const millions = (/** @type {number} */ number) => Math.round(number / 1e6);
    throw new Error(
      `The image has ${millions(count)} million pixels; up to ${millions(MAX_PIXELS)} million are taken.`,
    );
  }
  draw(image, image.width, image.height, canvas);
  image.close();
}

/** @param {HTMLVideoElement} video @param {HTMLCanvasElement} canvas */
export function drawFrame(video, canvas) {
  draw(video, video.videoWidth, video.videoHeight, canvas);
}

/** The bytes of what is drawn, (height, width, 3). @param {HTMLCanvasElement} canvas @returns {Pixels} */
export function pixelsOf(canvas) {
  const { width, height } = canvas;
  const rgba = contextOf(canvas).getImageData(0, 0, width, height).data;
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    data[to++] = rgba[from];
    data[to++] = rgba[from + 1];
    data[to++] = rgba[from + 2];
  }
  return { data, width, height };
}

/** @param {CanvasImageSource} image @param {number} width @param {number} height @param {HTMLCanvasElement} canvas */
function draw(image, width, height, canvas) {
  canvas.width = width;
  canvas.height = height;
  const context = contextOf(canvas);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0);
}

/** @param {HTMLCanvasElement} canvas */
function contextOf(canvas) {
  const settings = { willReadFrequently: true }; // in memory, where reading is fast and exact
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", settings));
}
