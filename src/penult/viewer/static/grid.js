// Thumbnails in justified lines. Only those near the screen exist: an element is made when its
// line comes into view and gone when it leaves, so 100,000 images scroll like a hundred.

import { $, baseName, el, folderOf, nextFrame, shown } from "./dom.js";
import { on, scoreOf, select, state } from "./state.js";

const GAP = 6; // pixels between pictures
const AHEAD = 400; // pixels above and below the screen that are kept ready
const SETTLING = 70; // milliseconds without a fast move until pictures are asked for
const FAST = 1500; // pixels a frame that are too fast to see

const scroller = $("#scroller");
const tiles = $("#tiles");

let lines = []; // { top, height, first, end }: places in state.shown
let widths = new Float32Array(0); // by place
let bottom = 0; // of the last line
let focus = 0; // a place
let anchor = 0; // where a range begins
let opening = () => {};
const there = new Map(); // place: element
let lastTop = 0;
let settle;

export function start(openRow) {
  opening = openRow;
  scroller.addEventListener("scroll", nextFrame(draw), { passive: true });
  new ResizeObserver(nextFrame(layOut)).observe(scroller);
  $("#size").addEventListener("input", nextFrame(layOut));
  tiles.addEventListener("click", clicked);
  tiles.addEventListener("dblclick", (event) => event.preventDefault());
  tiles.addEventListener("keydown", pressed);
  tiles.addEventListener("focus", mark);
  tiles.addEventListener("blur", mark);
  on("shown", () => {
    focus = anchor = 0;
    scroller.scrollTop = 0;
    layOut();
  });
  on("selected", markSelected);
}

/** Sort the shown rows into lines of equal width. */
function layOut() {
  const room = scroller.clientWidth - 2 * GAP;
  if (room <= 0) return;
  const kept = lines.length ? lineAt(scroller.scrollTop)?.first : 0;
  const wanted = Math.min(Number($("#size").value), room / 2.2);
  const [across, down] = ["width", "height"].map((name) => state.columns.get(name).values);
  const { shown: rows } = state;
  widths = new Float32Array(rows.length);
  lines = [];
  let top = GAP;
  let first = 0;
  let sum = 0;
  for (let place = 0; place < rows.length; place++) {
    const ratio = across[rows[place]] / down[rows[place]] || 1;
    widths[place] = Math.min(2.4, Math.max(0.5, ratio));
    sum += widths[place];
    const height = (room - (place - first) * GAP) / sum;
    const last = place === rows.length - 1;
    if (height > wanted && !last) continue;
    const used = Math.min(height, wanted * 1.25);
    for (let i = first; i <= place; i++) widths[i] *= used;
    lines.push({ top, height: used, first, end: place + 1 });
    top += used + GAP;
    [first, sum] = [place + 1, 0];
  }
  bottom = top;
  tiles.style.height = `${bottom}px`;
  clear();
  if (kept) scroller.scrollTop = lines[lineOf(kept)]?.top - GAP || 0;
  draw();
}

function clear() {
  for (const tile of there.values()) tile.remove();
  there.clear();
}

/** The line at a height, by halving. */
function lineAt(y) {
  let [low, high] = [0, lines.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle].top + lines[middle].height < y) low = middle + 1;
    else high = middle;
  }
  return lines[low];
}

function lineOf(place) {
  let [low, high] = [0, lines.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle].end <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}

function draw() {
  const { scrollTop, clientHeight } = scroller;
  const from = lineAt(scrollTop - AHEAD)?.first ?? 0;
  const to = lineAt(scrollTop + clientHeight + AHEAD)?.end ?? 0;
  for (const [place, tile] of there) {
    if (place >= from && place < to) continue;
    tile.firstChild.removeAttribute("src"); // what hasn't come yet needn't
    tile.remove();
    there.delete(place);
  }
  const fast = Math.abs(scrollTop - lastTop) > FAST;
  lastTop = scrollTop;
  clearTimeout(settle);
  if (fast) settle = setTimeout(fill, SETTLING);
  for (let line = lineOf(from); line < lines.length && lines[line].first < to; line++) place(lines[line]);
  if (!fast) fill();
  mark();
  if (fast) where(scrollTop, clientHeight);
}

function place({ top, height, first, end }) {
  let left = GAP;
  for (let at = first; at < end; at++) {
    if (!there.has(at)) {
      const tile = made(at);
      tile.style.cssText = `transform:translate(${left}px,${top}px);width:${widths[at]}px;height:${height}px`;
      tiles.append(tile);
      there.set(at, tile);
    }
    left += widths[at] + GAP;
  }
}

function made(at) {
  const row = state.shown[at];
  const key = state.keys[row];
  const score = scoreOf(row);
  const picture = el("img", { alt: "", decoding: "async", draggable: false });
  picture.addEventListener("error", () => tile.classList.add("broken"));
  picture.addEventListener("load", () => tile.classList.add("loaded"));
  const tile = el(
    "div",
    {
      className: "tile",
      id: `tile-${at}`,
      role: "option",
      title: shown(key),
      "aria-label": shown(key),
      "aria-selected": Boolean(state.selected[row]),
      "aria-setsize": state.shown.length,
      "aria-posinset": at + 1,
    },
    picture,
    el("span", { className: "name" }, shown(baseName(key))),
    el("span", { className: "circle" }),
  );
  if (score !== undefined) tile.append(el("span", { className: "score" }, score.toFixed(3)));
  return tile;
}

/** Ask for the pictures of all tiles that have none. */
function fill() {
  for (const [at, tile] of there) {
    if (!tile.firstChild.hasAttribute("src")) tile.firstChild.src = `/thumb/${state.shown[at]}`;
  }
}

/** While many are scrolled through, say where one is. */
let hideMarker;
function where(top, height) {
  const marker = $("#marker");
  if (bottom < 6 * height) return;
  const row = state.shown[lineAt(top + height / 2)?.first];
  if (row === undefined) return;
  const key = state.keys[row];
  marker.textContent = shown(state.sort.name === "key" ? folderOf(key) || baseName(key)[0] : baseName(key));
  marker.style.top = `${Math.min(0.95, top / bottom) * height}px`;
  marker.classList.add("seen");
  clearTimeout(hideMarker);
  hideMarker = setTimeout(() => marker.classList.remove("seen"), 700);
}

function markSelected() {
  for (const [at, tile] of there) {
    tile.setAttribute("aria-selected", Boolean(state.selected[state.shown[at]]));
  }
}

function mark() {
  const focused = document.activeElement === tiles;
  for (const [at, tile] of there) tile.classList.toggle("focus", focused && at === focus);
  if (there.has(focus)) tiles.setAttribute("aria-activedescendant", `tile-${focus}`);
  else tiles.removeAttribute("aria-activedescendant");
}

function clicked(event) {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  focus = Number(tile.id.slice(5));
  const row = state.shown[focus];
  if (event.shiftKey) selectTo(focus);
  else if (event.ctrlKey || event.metaKey || event.target.className === "circle") {
    anchor = focus;
    select([row], !state.selected[row]);
  } else {
    anchor = focus;
    opening(row);
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
  const { top, height } = lines[lineOf(focus)];
  const { scrollTop, clientHeight } = scroller;
  if (top < scrollTop + GAP) scroller.scrollTop = top - GAP;
  else if (top + height > scrollTop + clientHeight - GAP) {
    scroller.scrollTop = top + height - clientHeight + GAP;
  }
  draw();
}

export const focusTiles = () => tiles.focus({ preventScroll: true });

/** The place above or below, by the middle of the picture. */
function beside(step) {
  const here = lines[lineOf(focus)];
  const there = lines[lineOf(focus) + step];
  if (!there) return step < 0 ? 0 : state.shown.length - 1;
  let middle = widths[focus] / 2;
  for (let at = here.first; at < focus; at++) middle += widths[at] + GAP;
  let at = there.first;
  for (let right = widths[at]; right < middle && at < there.end - 1; ) right += widths[++at] + GAP;
  return at;
}

function page(step) {
  const target = lines[lineOf(focus)].top + step * (scroller.clientHeight - 40);
  return lineAt(Math.max(0, target)).first;
}

const MOVES = {
  ArrowLeft: () => focus - 1,
  ArrowRight: () => focus + 1,
  ArrowUp: () => beside(-1),
  ArrowDown: () => beside(1),
  PageUp: () => page(-1),
  PageDown: () => page(1),
  Home: () => 0,
  End: () => state.shown.length - 1,
};

function pressed(event) {
  if (!state.shown.length) return;
  if (event.key in MOVES) {
    focusOn(MOVES[event.key]());
    if (event.shiftKey) selectTo(focus);
    else anchor = focus;
  } else if (event.key === "Enter") opening(state.shown[focus]);
  else if (event.key === " ") select([state.shown[focus]], !state.selected[state.shown[focus]]);
  else return;
  event.preventDefault();
}
