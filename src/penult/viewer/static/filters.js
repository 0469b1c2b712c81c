// What narrows the images down: folders, values of columns, ranges; and the chips that say so.

import { $, count, el, figure, inWords, nextFrame, shown, title } from "./dom.js";
import { palette } from "./colours.js";
import { categories, filter, filterByWords, state } from "./state.js";

const AT_FIRST = 10; // values of a list that are shown before all are asked for
const BARS = 40; // of a histogram
const NO_RANGE = ["mtime", "x", "y"];

let sections = []; // what clears each

export function start() {
  sections = [];
  const parts = [folders()];
  for (const column of state.columns.values()) {
    const found = categories(column.name);
    if (found) parts.push(values(column.name, found));
    else if (column.values && !NO_RANGE.includes(column.name)) parts.push(range(column));
  }
  $("#filters").replaceChildren(
    el("div", { className: "head" }, el("h2", {}, "Filters"), done()),
    ...parts.filter(Boolean),
    about(),
  );
}

function done() {
  const button = el("button", { className: "narrow" }, "Done");
  button.addEventListener("click", () => $("#filters").dispatchEvent(new Event("close")));
  return button;
}

export function clearAll() {
  for (const clear of sections) clear();
  $("#words").value = "";
  filterByWords("");
  for (const chip of [...$("#chips").children]) chip.lastChild.click();
}

const chips = new Map();

/** Say above the images what they are; its button ends it. Without a label, it goes. */
export function chip(name, label, end, picture) {
  chips.get(name)?.remove();
  chips.delete(name);
  if (!label) return;
  const close = el("button", { "aria-label": `Remove: ${label}` }, "✕");
  const image = typeof picture === "string" ? el("img", { src: picture, alt: "" }) : picture;
  const element = el("span", { className: "chip" }, ...(image ? [image] : []), el("span", {}, label), close);
  close.addEventListener("click", () => {
    element.remove();
    chips.delete(name);
    end();
  });
  chips.set(name, element);
  $("#chips").append(element);
}

/** Folders, one level at a time, with the way back above. */
function folders() {
  if (!state.keys.some((key) => key.includes("/"))) return null;
  const section = el("section");
  const go = (folder) => {
    draw(folder);
    filter("folder", folder && ((row) => state.keys[row].startsWith(folder)));
  };
  const draw = (folder) => {
    const counts = new Map();
    for (const key of state.keys) {
      if (!key.startsWith(folder)) continue;
      const end = key.indexOf("/", folder.length);
      if (end >= 0) {
        const below = key.slice(0, end + 1);
        counts.set(below, (counts.get(below) ?? 0) + 1);
      }
    }
    const way = folder.split("/").slice(0, -1);
    const steps = way.map((name, i) => step(name, way.slice(0, i + 1).join("/") + "/", go));
    const list = [...counts].map(([below, n]) => item(below.slice(folder.length, -1), n, () => go(below)));
    section.replaceChildren(
      el("h3", {}, "Folders"),
      ...(folder ? [el("nav", {}, step("All", "", go), ...steps)] : []),
      shortened(list),
    );
  };
  draw("");
  sections.push(() => go(""));
  return section;
}

function step(name, folder, go) {
  const button = el("button", { className: "link" }, shown(name));
  button.addEventListener("click", () => go(folder));
  return button;
}

function item(label, n, action) {
  const button = el("button", { className: "item" }, el("span", {}, shown(label)), el("small", {}, count(n)));
  button.addEventListener("click", action);
  return el("li", {}, button);
}

function shortened(items) {
  const list = el("ul", {}, ...items.slice(0, AT_FIRST));
  if (items.length > AT_FIRST + 2) {
    const more = el("button", { className: "link" }, `Show all ${count(items.length)}`);
    more.addEventListener("click", () => list.replaceChildren(...items));
    list.append(el("li", {}, more));
  } else list.append(...items.slice(AT_FIRST));
  return list;
}

/** A column's values to tick. */
function values(name, { list, codes }) {
  const ticked = new Set();
  const colours = palette(list.length);
  const items = list.map(({ label, count: n, code }, i) => {
    const box = el("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      if (box.checked) ticked.add(code);
      else ticked.delete(code);
      filter(name, ticked.size && ((row) => ticked.has(codes[row])));
    });
    const swatch = el("i", { className: "swatch" });
    swatch.style.background = colours[i];
    const word = label === null ? "none" : shown(String(label));
    return el("li", {}, el("label", { className: "item" }, box, swatch, el("span", {}, word), el("small", {}, count(n))));
  });
  const section = el("section", {}, el("h3", {}, title(name)), shortened(items));
  sections.push(() => {
    ticked.clear();
    for (const box of section.querySelectorAll("input")) box.checked = false;
    filter(name, null);
  });
  return section;
}

/** A column's range: a histogram with two ends to move. */
function range({ name, values }) {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (!(least < most)) return null;
  const ends = ["From", "To"].map((word, i) =>
    el("input", { type: "range", min: 0, max: BARS, value: i * BARS, "aria-label": `${title(name)}: ${word.toLowerCase()}` }),
  );
  const at = (step) => least + ((most - least) * step) / BARS;
  const bars = histogram(values, least, most);
  const words = el("small");
  const changed = () => {
    const [low, high] = ends.map((end) => Number(end.value)).sort((a, b) => a - b);
    const [from, to] = [low, high].map(at);
    words.textContent = `${say(name, from)} – ${say(name, to)}`;
    [...bars.children].forEach((bar, i) => bar.classList.toggle("out", i < low || i >= high));
    ends[0].setAttribute("aria-valuetext", say(name, from));
    ends[1].setAttribute("aria-valuetext", say(name, to));
    const all = low === 0 && high === BARS;
    return all ? null : (row) => values[row] >= from && values[row] <= to;
  };
  const apply = nextFrame(() => filter(name, changed()));
  for (const end of ends) end.addEventListener("input", apply);
  changed();
  sections.push(() => {
    ends.forEach((end, i) => (end.value = i * BARS));
    filter(name, changed());
  });
  return el("section", {}, el("h3", {}, title(name), words), el("div", { className: "range" }, bars, ...ends));
}

const say = (name, value) =>
  name === "bytes" ? inWords(name, value) : figure(Math.abs(value) >= 100 ? Math.round(value) : value);

function histogram(values, least, most) {
  const heights = new Float64Array(BARS);
  for (const value of values) {
    if (!Number.isNaN(value)) heights[Math.min(BARS - 1, Math.floor(((value - least) / (most - least)) * BARS))]++;
  }
  const top = Math.sqrt(Math.max(...heights));
  const bars = [...heights].map((height) => {
    const bar = el("i");
    bar.style.height = `${(100 * Math.sqrt(height)) / top}%`; // roots: small numbers stay visible
    return bar;
  });
  return el("div", { className: "bars", "aria-hidden": "true" }, ...bars);
}

/** What made the table. */
function about() {
  const { provenance, layers } = state.meta;
  const facts = ["network", "pool", "preprocessing"].filter((name) => provenance[name]);
  const shapes = Object.entries(layers).map(([name, shape]) => `${name} ${shape.join("×")}`);
  const lines = [...facts.map((name) => [title(name), provenance[name]]), ["Layers", shapes.join(", ")]];
  const list = el("dl", {}, ...lines.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, shown(value)))));
  return el("section", { className: "about" }, el("h3", {}, "Made by"), list);
}
