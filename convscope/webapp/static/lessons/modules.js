/** The lessons' modules, by name. */

/** @import { Lesson } from "./types.js" */

/** @type {Record<string, () => Promise<{lesson: Lesson<any>}>>} */
export const MODULES = {
  convolution: () => import("./convolution.js"),
  volumes: () => import("./volumes.js"),
  stride: () => import("./stride.js"),
  padding: () => import("./padding.js"),
  size: () => import("./size.js"),
  maps: () => import("./maps.js"),
  pooling: () => import("./pooling.js"),
  sharing: () => import("./sharing.js"),
  lenet5: () => import("./lenet5.js"),
  vgg: () => import("./vgg.js"),
  training: () => import("./training.js"),
  filters: () => import("./filters.js"),
};
