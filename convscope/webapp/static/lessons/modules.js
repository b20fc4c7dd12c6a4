/** The lessons' modules, by name. */

/** @import { Lesson } from "./types.js" */

/** @type {Record<string, () => Promise<{lesson: Lesson<any>}>>} */
export const MODULES = {
  bird: () => import("./bird.js"),
  redundancy: () => import("./redundancy.js"),
  subsampling: () => import("./subsampling.js"),
  convolution: () => import("./convolution.js"),
  volumes: () => import("./volumes.js"),
  stride: () => import("./stride.js"),
  padding: () => import("./padding.js"),
  size: () => import("./size.js"),
  maps: () => import("./maps.js"),
  pooling: () => import("./pooling.js"),
  sharing: () => import("./sharing.js"),
  detector: () => import("./detector.js"),
  anysize: () => import("./anysize.js"),
  lenet5: () => import("./lenet5.js"),
  ilsvrc: () => import("./ilsvrc.js"),
  towers: () => import("./towers.js"),
  vgg: () => import("./vgg.js"),
  backprop: () => import("./backprop.js"),
  training: () => import("./training.js"),
  filters: () => import("./filters.js"),
};
