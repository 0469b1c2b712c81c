// A list whose end is shown when it is asked for; in a long one items are found by their words.

import { count, el } from "../dom.js";

const AT_FIRST = 10;
const FEW = 2; // that are no reason to hide them
const LONG = 30;
const FOUND = 100; // items that are shown of those found

/**
 * @param {HTMLLIElement[]} items each with its words in a span
 * @param {string} name of what they are
 */
export function shortened(items, name) {
  if (items.length <= AT_FIRST + FEW) return el("ul", {}, ...items);
  const more = el("button", { className: "link" }, `Show all ${count(items.length)}`);
  const last = el("li", {}, more);
  const list = el("ul", {}, ...items.slice(0, AT_FIRST), last);
  more.addEventListener("click", () => {
    list.replaceChildren(...items);
    items[AT_FIRST].querySelector("button, input").focus();
  });
  if (items.length <= LONG) return list;
  const show = (text) => list.replaceChildren(...found(items, text), text ? "" : last);
  return el("div", {}, finder(items.length, name, show), list);
}

function finder(n, name, show) {
  const field = el("input", {
    type: "search",
    placeholder: `Find in ${count(n)}`,
    "aria-label": `Find in ${name}`,
  });
  field.addEventListener("input", () => show(field.value.trim().toLowerCase()));
  return field;
}

/** The items that have a text, or the first; and those that are ticked. */
function found(items, text) {
  const words = (item) => item.querySelector("span").textContent.toLowerCase();
  const wanted = text ? items.filter((item) => words(item).includes(text)) : items;
  const first = new Set(wanted.slice(0, text ? FOUND : AT_FIRST));
  return items.filter((item) => first.has(item) || item.querySelector(":checked"));
}
