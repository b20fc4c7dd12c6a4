/** A page to send: this network and its images as one file, which needs no lab. */

/** @import { Network } from "./types.js" */

import { el, messageOf, say, write } from "./element.js";

/** @param {Network} net */
export function sendButton(net) {
  const status = el("span", { class: "caption", role: "status" });
  const place = el("span", { class: "row" });
  /** @type {HTMLButtonElement} */
  const button = el(
    "button",
    {
      class: "pill",
      title: "One HTML file with these screens and images, for somebody who has no lab",
      onclick: () => send(net, button, place, status),
    },
    "Send this page",
  );
  place.append(button, status);
  return place;
}

/**
 * Have the file written, and save it where the browser saves files.
 * @param {Network} net @param {HTMLButtonElement} button @param {HTMLElement} place @param {HTMLElement} status
 */
async function send(net, button, place, status) {
  const { compute, pictureOf, progressBar } = await import("./computation.js");
  const bar = progressBar();
  place.append(bar.node);
  button.disabled = true;
  write(status, "");
  try {
    await compute(
      `/networks/${encodeURIComponent(net.id)}/page`,
      { images: net.images.map(({ id }) => id) },
      async (now) => {
        bar.show(now);
        if (now.state !== "done" || !now.result) return;
        const { name, megabytes } = /** @type {{name: string, megabytes: string}} */ (now.result);
        el("a", { href: await pictureOf(now, "page"), download: name }).click();
        write(status, `Saved as ${name}, ${megabytes} MB.`);
        say(`Saved as ${name}.`);
      },
      () => !button.isConnected,
    );
  } catch (error) {
    write(status, messageOf(error));
  } finally {
    button.disabled = false;
    bar.node.remove();
  }
}
