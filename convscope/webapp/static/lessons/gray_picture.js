/** A grayscale image, one canvas pixel per byte. */

/** @param {number[]} bytes @param {number} side */
export function gray(bytes, side) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [side, side];
  const image = new ImageData(side, side);
  bytes.forEach((level, i) => image.data.set([level, level, level, 255], 4 * i));
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}
