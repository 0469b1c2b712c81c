// Thumbnails in lines. Only those near the screen exist: an element is made when its line comes
// into view and gone when it leaves, so 100,000 images scroll like a hundred.

import { mapped } from "./arrays.js";
import { $, baseName, el, folderOf, nextFrame, shown } from "./dom.js";
import { GAP, Lines } from "./lines.js";
import { at, on, scoreOf, select, state } from "./state.js";

const AHEAD = 400; // pixels above and below the screen that are kept ready
const SETTLING = 70; // milliseconds without a fast move until pictures are asked for
const FAST = 1500; // pixels a frame that are too fast to see
const MARKED = 6; // screens from which on a mark says where one is
const MARKING = 700; // milliseconds that it stays

const scroller = $("#scroller");
const tiles = $("#tiles");
const marker = $("#marker");

let lines = new Lines(new Float32Array(0), 0, 0);
let width = 0; // pixels that they fill
let focus = 0; // a place
let anchor = 0; // where a range begins
let opening = () => {};
const there = new Map(); // place: element
let lastTop = 0;
let settling;
let marking;
let kept = null; // keys at the top and in focus, while the table changes

export function start(openRow) {
  opening = openRow;
  scroller.addEventListener("scroll", nextFrame(draw), { passive: true });
  new ResizeObserver(nextFrame(resized)).observe(scroller);
  $("#size").addEventListener("input", nextFrame(layOut));
  tiles.addEventListener("click", clicked);
  tiles.addEventListener("dblclick", (event) => event.preventDefault());
  tiles.addEventListener("keydown", pressed);
  tiles.addEventListener("focus", mark);
  tiles.addEventListener("blur", mark);
  on("shown", () => {
    focus = anchor = 0;
    if (kept) comeBack();
    else {
      scroller.scrollTop = 0;
      layOut();
    }
  });
  on("leaving", keep);
  on("selected", markSelected);
}

/** Fit the lines to another width; it is told of the first one too. */
function resized() {
  if (scroller.clientWidth === width) draw();
  else layOut();
}

/** Sort the shown rows into lines; the first that was seen stays in sight. */
function layOut() {
  width = scroller.clientWidth;
  if (!width) return;
  const kept = lines.at(scroller.scrollTop)?.first;
  lines = new Lines(ratios(), width, Math.min(Number($("#size").value), width / 2.3));
  tiles.style.height = `${lines.bottom}px`;
  for (const place of there.keys()) remove(place);
  if (kept) scroller.scrollTop = lines.of(kept) ? lines.of(kept).top - GAP : 0;
  draw();
}

/** Note which images are in sight and in focus, as their places are to change. */
function keep() {
  const first = scroller.scrollTop > 0 ? lines.at(scroller.scrollTop)?.first : undefined;
  const key = (place) => state.keys[state.shown[place]];
  kept = { first: first === undefined ? undefined : key(first), focus: key(focus) };
}

/** Show again what was in sight. */
function comeBack() {
  const place = (key) => state.shown.findIndex((row) => state.keys[row] === key);
  const first = kept.first === undefined ? -1 : place(kept.first);
  focus = anchor = Math.max(0, place(kept.focus));
  kept = null;
  scroller.scrollTop = 0;
  layOut();
  if (first < 0) return;
  scroller.scrollTop = lines.of(first).top - GAP;
  draw();
}

function ratios() {
  const [widths, heights] = ["width", "height"].map((name) => state.columns.get(name).values);
  return mapped(Float32Array, state.shown, (row) => widths[row] / heights[row] || 1);
}

function draw() {
  const { scrollTop, clientHeight } = scroller;
  const from = lines.at(scrollTop - AHEAD)?.first ?? 0;
  const to = lines.at(scrollTop + clientHeight + AHEAD)?.end ?? 0;
  for (const place of there.keys()) if (place < from || place >= to) remove(place);
  for (const line of lines.between(from, to)) add(line);
  const fast = Math.abs(scrollTop - lastTop) > FAST;
  lastTop = scrollTop;
  clearTimeout(settling);
  if (fast) {
    settling = setTimeout(fill, SETTLING);
    tellPlace(scrollTop, clientHeight);
  } else fill();
  mark();
}

function add(line) {
  if (there.has(line.first) && there.has(line.end - 1)) return;
  for (const { place, left, width } of lines.places(line)) {
    if (there.has(place)) continue;
    const tile = made(place);
    const size = `width:${width}px;height:${line.height}px`;
    tile.style.cssText = `transform:translate(${left}px,${line.top}px);${size}`;
    tiles.append(tile);
    there.set(place, tile);
  }
}

function remove(place) {
  const tile = there.get(place);
  tile.firstChild.removeAttribute("src"); // what hasn't come yet needn't
  tile.remove();
  there.delete(place);
}

function made(place) {
  const row = state.shown[place];
  const key = state.keys[row];
  const score = scoreOf(row);
  const picture = el("img", { alt: "", decoding: "async", draggable: false });
  const properties = {
    className: "tile",
    id: `tile-${place}`,
    role: "option",
    title: shown(key),
    "aria-label": shown(key),
    "aria-selected": Boolean(state.selected[row]),
    "aria-setsize": state.shown.length,
    "aria-posinset": place + 1,
  };
  const name = el("span", { className: "name" }, shown(baseName(key)));
  const tile = el("div", properties, picture, name, el("span", { className: "circle" }));
  picture.addEventListener("error", () => tile.classList.add("broken"));
  picture.addEventListener("load", () => tile.classList.add("loaded"));
  if (score !== undefined) tile.append(el("span", { className: "score" }, score.toFixed(3)));
  return tile;
}

/** Ask for the pictures of all tiles that have none. */
function fill() {
  for (const [place, { firstChild: picture }] of there) {
    if (!picture.hasAttribute("src")) picture.src = at(`thumb/${state.shown[place]}`);
  }
}

/** While many are scrolled through, say where one is. */
function tellPlace(top, height) {
  if (lines.bottom < MARKED * height) return;
  const key = state.keys[state.shown[lines.at(top + height / 2).first]];
  const byKey = state.sort.name === "key";
  marker.textContent = shown(byKey ? folderOf(key) || baseName(key)[0] : baseName(key));
  marker.style.top = `${Math.min(0.95, top / lines.bottom) * height}px`;
  marker.classList.add("seen");
  clearTimeout(marking);
  marking = setTimeout(() => marker.classList.remove("seen"), MARKING);
}

function markSelected() {
  for (const [place, tile] of there) {
    tile.ariaSelected = Boolean(state.selected[state.shown[place]]);
  }
}

function mark() {
  const focused = document.activeElement === tiles;
  for (const [place, tile] of there) tile.classList.toggle("focus", focused && place === focus);
  if (there.has(focus)) tiles.setAttribute("aria-activedescendant", `tile-${focus}`);
  else tiles.removeAttribute("aria-activedescendant");
}

function clicked(event) {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  focus = Number(tile.id.slice("tile-".length));
  const row = state.shown[focus];
  if (event.shiftKey) selectTo(focus);
  else {
    anchor = focus;
    const selects = event.ctrlKey || event.metaKey || event.target.className === "circle";
    if (selects) select([row], !state.selected[row]);
    else opening(row);
  }
  mark();
}

function selectTo(place) {
  select(state.shown.subarray(Math.min(anchor, place), Math.max(anchor, place) + 1));
}

/** Go to a place and show it. */
export function focusOn(place) {
  if (!state.shown.length) return;
  focus = Math.max(0, Math.min(state.shown.length - 1, place));
  const { top, height } = lines.of(focus);
  const { scrollTop, clientHeight } = scroller;
  if (top < scrollTop + GAP) scroller.scrollTop = top - GAP;
  else if (top + height > scrollTop + clientHeight - GAP) {
    scroller.scrollTop = top + height - clientHeight + GAP;
  }
  draw();
}

export const focusTiles = () => tiles.focus({ preventScroll: true });

/** The place a screen above or below. */
function page(step) {
  const target = lines.of(focus).top + step * (scroller.clientHeight - 40);
  return lines.at(Math.max(0, target)).first;
}

const MOVES = {
  ArrowLeft: () => focus - 1,
  ArrowRight: () => focus + 1,
  ArrowUp: () => lines.beside(focus, -1),
  ArrowDown: () => lines.beside(focus, 1),
  PageUp: () => page(-1),
  PageDown: () => page(1),
  Home: () => 0,
  End: () => state.shown.length - 1,
};

function pressed(event) {
  if (!state.shown.length) return;
  const row = state.shown[focus];
  if (event.key in MOVES) {
    focusOn(MOVES[event.key]());
    if (event.shiftKey) selectTo(focus);
    else anchor = focus;
  } else if (event.key === "Enter") opening(row);
  else if (event.key === " ") select([row], !state.selected[row]);
  else return;
  event.preventDefault();
}
