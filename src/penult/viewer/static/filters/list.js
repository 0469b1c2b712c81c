// A list whose end is shown when it is asked for.

import { count, el } from "../dom.js";

const AT_FIRST = 10;
const FEW = 2; // that are no reason to hide them

/** @param {HTMLLIElement[]} items */
export function shortened(items) {
  if (items.length <= AT_FIRST + FEW) return el("ul", {}, ...items);
  const more = el("button", { className: "link" }, `Show all ${count(items.length)}`);
  const list = el("ul", {}, ...items.slice(0, AT_FIRST), el("li", {}, more));
  more.addEventListener("click", () => {
    list.replaceChildren(...items);
    items[AT_FIRST].querySelector("button, input").focus();
  });
  return list;
}
