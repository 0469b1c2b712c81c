// What the images are narrowed down to, said above them; each has a button that ends it.

import { $, el } from "./dom.js";

const there = new Map(); // name: element

/**
 * Say something of a name, in place of what was said of it.
 * @param {string} name
 * @param {string} label
 * @param {() => void} end what its button does
 * @param {string | HTMLElement} [picture] an address, or an element
 */
export function say(name, label, end, picture) {
  remove(name);
  const close = el("button", { "aria-label": `Remove: ${label}` }, "✕");
  const image = typeof picture === "string" ? el("img", { src: picture, alt: "" }) : picture;
  const chip = el("span", { className: "chip" }, image ?? "", el("span", {}, label), close);
  close.addEventListener("click", () => {
    remove(name);
    end();
  });
  there.set(name, chip);
  $("#chips").append(chip);
}

export function remove(name) {
  there.get(name)?.remove();
  there.delete(name);
}

/** End all that is said. */
export function endAll() {
  for (const chip of [...there.values()]) chip.lastChild.click();
}
