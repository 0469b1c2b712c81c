// One image, large: what is known of it, and what is nearest.

import { $, ask, baseName, count, el, folderOf, inWords, shown, title } from "./dom.js";
import { byRow, nearest } from "./search.js";
import { focusOn, focusTiles } from "./grid.js";
import { on, select, state, valueOf } from "./state.js";

const NEAR = 12; // pictures beside the large one

const dialog = $("#detail");
let current = -1;

export function start() {
  dialog.addEventListener("keydown", pressed);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    const place = state.shown.indexOf(current);
    if (place >= 0 && !$("#grid").hidden) focusOn(place);
    if (!$("#grid").hidden) focusTiles();
  });
  on("selected", () => dialog.open && markSelected());
}

export function open(row) {
  current = row;
  draw();
  if (!dialog.open) dialog.showModal();
}

function draw() {
  const key = state.keys[current];
  const place = state.shown.indexOf(current);
  const near = el("div", { className: "near", "aria-busy": "true" });
  const where = place >= 0 ? `${count(place + 1)} of ${count(state.shown.length)}` : "";
  dialog.replaceChildren(
    el("div", { className: "stage" }, picture(current), button("previous", "‹", "Previous image", () => go(-1)), button("next", "›", "Next image", () => go(1))),
    el(
      "div",
      { className: "facts" },
      el("header", {}, el("small", {}, shown(folderOf(key))), el("h2", {}, shown(baseName(key))), el("small", {}, where), button("close", "✕", "Close", () => dialog.close())),
      facts(),
      el("div", { className: "actions" }, toggle(), button("", "Show nearest in the grid", "", similar)),
      el("h3", {}, "Nearest"),
      near,
    ),
  );
  showNear(current, near);
}

function button(className, text, label, action) {
  const made = el("button", { className }, text);
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
}

/** The thumbnail at once, the large picture when it is there, a reason if there is none. */
function picture(row) {
  const image = el("img", { src: `/thumb/${row}`, alt: shown(state.keys[row]) });
  const [width, height] = ["width", "height"].map((name) => state.columns.get(name).values[row]);
  if (width && height) [image.width, image.height] = [width, height];
  const large = new Image();
  large.addEventListener("load", () => (image.src = large.src));
  large.src = `/image/${row}`;
  const frame = el("figure", {}, image);
  image.addEventListener("error", async () => {
    const reason = await ask(`/thumb/${row}`).then(() => "it can't be shown", (error) => error.message);
    frame.replaceChildren(el("figcaption", {}, reason));
  });
  return frame;
}

function facts() {
  const { width, height } = Object.fromEntries(["width", "height"].map((name) => [name, state.columns.get(name).values[current]]));
  const lines = [["Size", `${count(width)} × ${count(height)}`]];
  for (const column of state.columns.values()) {
    if (["width", "height", "x", "y"].includes(column.name)) continue;
    lines.push([title(column.name), inWords(column.name, valueOf(column, current))]);
  }
  return el("dl", {}, ...lines.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function toggle() {
  const made = button("select", "", "", () => select([current], !state.selected[current]));
  mark(made);
  return made;
}

function mark(toggle) {
  const yes = Boolean(state.selected[current]);
  toggle.textContent = yes ? "✓ Selected" : "Select";
  toggle.setAttribute("aria-pressed", yes);
}

const markSelected = () => mark(dialog.querySelector(".select"));

async function showNear(row, list) {
  try {
    const { rows, scores } = await nearest(row);
    if (row !== current) return;
    list.append(...rows.slice(0, NEAR).map((each, i) => neighbour(each, scores[i])));
  } catch (error) {
    list.append(el("p", {}, error.message));
  }
  list.removeAttribute("aria-busy");
}

function neighbour(row, score) {
  const image = el("img", { src: `/thumb/${row}`, alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.remove());
  const made = button("", "", shown(state.keys[row]), () => open(row));
  made.title = shown(state.keys[row]);
  made.append(image, el("span", {}, score.toFixed(3)));
  return made;
}

function similar() {
  dialog.close();
  byRow(current);
}

function go(step) {
  const place = state.shown.indexOf(current) + step;
  if (place >= 0 && place < state.shown.length) open(state.shown[place]);
}

function pressed(event) {
  if (event.key === "ArrowLeft") go(-1);
  else if (event.key === "ArrowRight") go(1);
  else if (event.key === " " && event.target === dialog) select([current], !state.selected[current]);
  else if (event.key === "s") similar();
  else return;
  event.preventDefault();
}
