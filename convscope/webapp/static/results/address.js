/** The address of the screen: /results/NETWORK?list=LIST or ?truth=CLASS&predicted=CLASS. */

/** @import { ResultsState } from "./types.js" */

import { plain } from "../learned/address.js";

/** @returns {ResultsState} */
export function read() {
  const [, , net = ""] = location.pathname.split("/").map(plain);
  const query = new URLSearchParams(location.search);
  return {
    net,
    data: query.get("data") ?? "",
    list: query.get("list") ?? "confident",
    truth: query.get("truth") ?? "",
    predicted: query.get("predicted") ?? "",
  };
}

/** @param {ResultsState} state */
export function address({ net, data, list, truth, predicted }) {
  const query = new URLSearchParams();
  if (data) query.set("data", data);
  if (list !== "confident") query.set("list", list);
  if (list === "cell") {
    query.set("truth", truth);
    query.set("predicted", predicted);
  }
  return `/results${net ? `/${encodeURIComponent(net)}` : ""}${query.size ? `?${query}` : ""}`;
}
