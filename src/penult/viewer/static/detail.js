// One image, large: what is known of it, and what is nearest.

import { $, ask, baseName, count, el, folderOf, inWords, shown, title } from "./dom.js";
import { focusOn, focusTiles } from "./grid.js";
import { byRow, nearest } from "./search.js";
import { at, on, select, state, valueOf } from "./state.js";

const NEAR = 12; // pictures of what is nearest
const UNTOLD = ["width", "height", "x", "y"]; // columns that are told otherwise, or not

const dialog = $("#detail");
let current = -1; // the row

export function start() {
  dialog.addEventListener("keydown", pressed);
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  dialog.addEventListener("close", closed);
  on("renewed", renewed);
  on("selected", () => dialog.open && mark(dialog.querySelector(".select")));
}

export function open(row) {
  current = row;
  draw();
  if (!dialog.open) dialog.showModal();
  dialog.focus(); // what had it is gone
}

/** Show the same image of the changed table; if it has gone, none. */
function renewed() {
  if (!dialog.open) return;
  current = state.moved[current];
  if (current < 0) dialog.close();
  else queueMicrotask(draw); // once it is known what is shown
}

function closed() {
  if ($("#grid").hidden) return;
  const place = state.shown.indexOf(current);
  if (place >= 0) focusOn(place);
  focusTiles();
}

function draw() {
  const near = el("div", { className: "near", "aria-busy": "true" });
  const parts = [heading(), facts(), actions(), el("h3", {}, "Nearest"), near];
  dialog.replaceChildren(stage(), el("div", { className: "facts" }, ...parts));
  showNear(current, near);
}

function stage() {
  const previous = button("previous", "‹", "Previous image", () => go(-1));
  const next = button("next", "›", "Next image", () => go(1));
  [previous.disabled, next.disabled] = [-1, 1].map((step) => beside(step) === undefined);
  return el("div", { className: "stage" }, picture(current), previous, next);
}

function heading() {
  const key = state.keys[current];
  const place = state.shown.indexOf(current) + 1;
  return el(
    "header",
    {},
    el("small", {}, shown(folderOf(key))),
    el("h2", {}, shown(baseName(key))),
    el("small", {}, place ? `${count(place)} of ${count(state.shown.length)}` : ""),
    button("close", "✕", "Close", () => dialog.close()),
  );
}

function actions() {
  const toggle = button("select", "", "", () => select([current], !state.selected[current]));
  mark(toggle);
  const similar = button("", "Show nearest in the grid", "", showSimilar);
  return el("div", { className: "actions" }, toggle, similar);
}

function button(className, text, label, action) {
  const made = el("button", { className }, text);
  if (label) made.ariaLabel = label;
  made.addEventListener("click", action);
  return made;
}

const size = (row) => ["width", "height"].map((name) => state.columns.get(name).values[row]);

/** The thumbnail at once, the large picture when it is there, a reason if there is none. */
function picture(row) {
  const image = el("img", { src: at(`thumb/${row}`), alt: shown(state.keys[row]) });
  const [width, height] = size(row);
  if (width && height) Object.assign(image, { width, height });
  const large = new Image();
  large.addEventListener("load", () => (image.src = large.src));
  large.src = at(`image/${row}`);
  const frame = el("figure", {}, image);
  image.addEventListener("error", async () => {
    frame.replaceChildren(el("figcaption", {}, await whyNone(row)));
  });
  return frame;
}

async function whyNone(row) {
  try {
    await ask(at(`thumb/${row}`));
    return "it can't be shown";
  } catch (error) {
    return error.message;
  }
}

function facts() {
  const told = [...state.columns.values()].filter(({ name }) => !UNTOLD.includes(name));
  const values = told.map((column) => [
    title(column.name),
    inWords(column.name, valueOf(column, current)),
  ]);
  const lines = [["Size", size(current).map(count).join(" × ")], ...values];
  const pairs = lines.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value)),
  );
  return el("dl", {}, ...pairs);
}

/** Let a toggle say whether the image is selected. */
function mark(toggle) {
  const yes = Boolean(state.selected[current]);
  toggle.textContent = yes ? "✓ Selected" : "Select";
  toggle.ariaPressed = yes;
}

async function showNear(row, list) {
  try {
    const { rows, scores } = await nearest({ row });
    if (row !== current) return;
    const found = rows.slice(0, NEAR).map((each, i) => neighbour(each, scores[i]));
    list.append(...(found.length ? found : [el("p", {}, "There is no other image.")]));
  } catch (error) {
    list.append(el("p", {}, error.message));
  }
  list.removeAttribute("aria-busy");
}

function neighbour(row, score) {
  const image = el("img", { src: at(`thumb/${row}`), alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.remove());
  const made = button("", "", shown(state.keys[row]), () => open(row));
  made.title = shown(state.keys[row]);
  made.append(image, el("span", {}, score.toFixed(3)));
  return made;
}

function showSimilar() {
  dialog.close();
  byRow(current);
}

/** The row before or after, in what is shown; none if it's the first or last, or not shown. */
function beside(step) {
  const place = state.shown.indexOf(current);
  return place < 0 ? undefined : state.shown[place + step];
}

function go(step) {
  const row = beside(step);
  if (row !== undefined) open(row);
}

function pressed(event) {
  const selects = event.key === " " && event.target === dialog;
  if (event.key === "ArrowLeft") go(-1);
  else if (event.key === "ArrowRight") go(1);
  else if (selects) select([current], !state.selected[current]);
  else if (event.key === "s") showSimilar();
  else return;
  event.preventDefault();
}
