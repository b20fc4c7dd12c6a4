/** The address of the screen Compare. */

/** @import { CompareState } from "../types.js" */

/** @returns {CompareState} */
export function read() {
  const query = new URLSearchParams(location.search);
  /** @param {string} name */
  const list = (name) => [...new Set((query.get(name) ?? "").split("~").filter(Boolean))];
  return {
    runs: list("runs"),
    networks: list("networks"),
    over: query.get("over") ?? "epochs",
    cost: query.get("cost") ?? "multiply_adds",
    log: list("log"),
    open: list("open"),
  };
}

/** @param {CompareState} state */
export function address(state) {
  /** @param {"runs" | "networks" | "log" | "open"} name */
  const several = (name) => state[name].length && `${name}=${state[name].map(encodeURIComponent).join("~")}`;
  const query = [
    several("runs"),
    several("networks"),
    state.over !== "epochs" && `over=${state.over}`,
    state.cost !== "multiply_adds" && `cost=${state.cost}`,
    several("log"),
    several("open"),
  ].filter(Boolean);
  return `/compare${query.length ? `?${query.join("&")}` : ""}`;
}
