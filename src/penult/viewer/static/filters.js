// What narrows the images down, beside them: folders, values of columns, ranges.

import { categories, isNames } from "./categories.js";
import { endAll } from "./chips.js";
import { $, el, shown, title } from "./dom.js";
import { folders } from "./filters/folders.js";
import { range } from "./filters/range.js";
import { values } from "./filters/values.js";
import { filterByWords, filtered, on, state } from "./state.js";

const NO_RANGE = ["mtime", "x", "y"];

/**
 * @typedef {object} Part of the filters
 * @property {string} name
 * @property {HTMLElement} element
 * @property {() => void} clear
 * @property {() => any} kept what is chosen, to be restored when the table has changed
 * @property {(kept: any) => void} restore
 */

/** @type {Part[]} */
let parts = [];

export function start() {
  build();
  on("shown", () => $("#open-filters").classList.toggle("on", filtered()));
  on("renewed", () => {
    const kept = new Map(parts.map((part) => [part.name, part.kept()]));
    build();
    for (const part of parts) if (kept.get(part.name)) part.restore(kept.get(part.name));
  });
}

function build() {
  parts = [folders(), ...[...state.columns.values()].map(ofColumn)].filter(Boolean);
  const done = el("button", { className: "narrow" }, "Done");
  done.addEventListener("click", () => $("#filters").dispatchEvent(new Event("close")));
  const head = el("div", { className: "head" }, el("h2", {}, "Filters"), done);
  $("#filters").replaceChildren(head, ...parts.map(({ element }) => element), about());
}

function ofColumn(column) {
  if (isNames(column.name)) return null;
  const found = categories(column.name);
  if (found) return values(column.name, found);
  return column.values && !NO_RANGE.includes(column.name) ? range(column) : null;
}

export function clearAll() {
  for (const { clear } of parts) clear();
  $("#words").value = "";
  filterByWords("");
  endAll();
}

/** What made the table. */
function about() {
  const { provenance, layers } = state.meta;
  const names = ["network", "pool", "preprocessing"].filter((name) => provenance[name]);
  const shapes = Object.entries(layers).map(([name, shape]) => `${name} ${shape.join("×")}`);
  const facts = names.map((name) => [title(name), provenance[name]]);
  const lines = [...facts, ["Layers", shapes.join(", ")]].map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, shown(value))),
  );
  return el("section", { className: "about" }, el("h3", {}, "Made by"), el("dl", {}, ...lines));
}
