// A column's values, to tick.

import { count, el, groupName, title } from "../dom.js";
import { called } from "../categories.js";
import { palette } from "../colours.js";
import { filter } from "../state.js";
import { shortened } from "./list.js";

/** @returns {import("../filters.js").Part} */
export function values(name, { list, codes }) {
  const ticked = new Set();
  const colours = palette(list.length);
  const words = called(name);
  const boxes = [];
  const apply = () => filter(name, ticked.size > 0 && ((row) => ticked.has(codes[row])));
  const items = list.map((value, i) => {
    const box = el("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      if (box.checked) ticked.add(value.code);
      else ticked.delete(value.code);
      apply();
    });
    boxes.push(box);
    return item(groupName(name, value.label, words?.[value.code]), value.count, box, colours[i]);
  });
  const clear = () => {
    ticked.clear();
    for (const box of boxes) box.checked = false;
    filter(name, null);
  };
  const kept = () => list.filter(({ code }) => ticked.has(code)).map(({ label }) => label);
  const restore = (labels) => {
    list.forEach(({ label, code }, i) => {
      if (!labels.includes(label)) return;
      ticked.add(code);
      boxes[i].checked = true;
    });
    apply();
  };
  const element = el("section", {}, el("h3", {}, title(name)), shortened(items, title(name)));
  return { name, element, clear, kept, restore };
}

function item(label, n, box, colour) {
  const swatch = el("i", { className: "swatch" });
  swatch.style.background = colour;
  const word = el("span", {}, label);
  const number = el("small", {}, count(n));
  return el("li", {}, el("label", { className: "item" }, box, swatch, word, number));
}
