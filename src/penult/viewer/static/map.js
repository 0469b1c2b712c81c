// The map: all images by the columns x and y, those alike close together. Dots stand for all,
// pictures for as many as there is room for.

import { extent } from "./arrays.js";
import { categories, isNames } from "./categories.js";
import { $, el, nextFrame, plural, quoted, title } from "./dom.js";
import { Camera, toScreen } from "./map/camera.js";
import { Dots } from "./map/dots.js";
import { Gestures } from "./map/gestures.js";
import { Lasso, within } from "./map/lasso.js";
import { MANY, coloured, shaded } from "./map/paint.js";
import { Pace } from "./map/pace.js";
import { Pictures } from "./map/pictures.js";
import { Places } from "./map/places.js";
import * as tip from "./map/tip.js";
import { on, select, state } from "./state.js";

const REACH = 12; // pixels around the mouse in which a dot is found
const REST = 120; // milliseconds without a move until pictures are chosen

const canvas = $("#points");
const camera = new Camera(canvas);
const lasso = new Lasso($("#lasso polygon"));
let places;
let dots;
let pictures;
let pace;
let visible; // by row: whether it is shown
let colours; // by row
let opening;
let resting;
let chosen = null; // the column that a person has chosen to colour by
let wired = false;

export function start(openRow) {
  opening = openRow;
  make();
  on("renewed", make);
}

/** Make it, or say what lacks: places of the images in the table, or WebGL in the browser. */
function make() {
  const [x, y] = ["x", "y"].map((name) => state.columns.get(name)?.values);
  const gl = x && y && canvas.getContext("webgl2", { antialias: false });
  $("#map").classList.toggle("lacking", !gl);
  if (!gl) {
    $("#no-map").replaceChildren(...(x && y ? ["This browser has no WebGL 2."] : howToMap()));
    return;
  }
  pictures?.clear();
  dots?.end();
  places = new Places(x, y);
  dots = new Dots(gl, places.points);
  pictures = new Pictures($("#pictures"), places);
  pace = new Pace(places.count);
  chooseColour();
  tellUnplaced();
  if (!wired) wire(gl);
  wired = true;
}

/** Make the dots anew when the browser has lost them, as when the machine has slept. */
function keepDots(gl) {
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", () => {
    dots = new Dots(gl, places.points);
    show();
  });
}

function howToMap() {
  const command = el("code", {}, `penult map ${quoted(state.meta.table)}`);
  return ["There is no map of this table yet. ", command, " makes one; it appears here then."];
}

/** Say how many images have no place: they came after the map was made. */
function tellUnplaced() {
  const missing = places.count - places.placed;
  $("#unplaced").textContent = missing ? `${plural(missing, "image")} without a place` : "";
}

function chooseColour() {
  const names = ["folder", ...state.columns.keys()].filter(
    (name) => !["x", "y"].includes(name) && !isNames(name),
  );
  const options = names.map((name) => new Option(title(name), name));
  $("#colour").replaceChildren(new Option("None", ""), ...options);
  const few = (name) => categories(name)?.list.length <= MANY;
  $("#colour").value = ["", ...names].includes(chosen) ? chosen : ["cluster", ...names].find(few) ?? "";
}

function wire(gl) {
  keepDots(gl);
  $("#colour").addEventListener("change", () => {
    chosen = $("#colour").value;
    recolour();
  });
  $("#show-pictures").addEventListener("change", drawSoon);
  $("#use-lasso").addEventListener("click", toggleLasso);
  $("#fit").addEventListener("click", fit);
  new ResizeObserver(drawSoon).observe(canvas);
  on("shown selected ranked", () => !$("#map").hidden && show());
  new Gestures(canvas, {
    pan: moving((...by) => camera.pan(...by)),
    zoom: moving((...by) => camera.zoom(...by)),
    hover,
    leave: tip.hide,
    click,
    draws: (event) => event.shiftKey || lassoing(),
    lasso,
    drawn: (corners, event) => select(enclosed(corners), !event.altKey),
  });
}

/** An action that moves the camera, after which the map is drawn. */
const moving = (action) => (...by) => {
  action(...by);
  pace.hurry();
  drawSoon();
};

/** Show the map as it is now. */
export function show() {
  if (dots) recolour();
}

/** Give each dot its colour. */
function recolour() {
  const { ink, legend } = coloured($("#colour").value);
  visible = new Uint8Array(places.count);
  for (const row of state.shown) visible[row] = 1;
  colours = shaded(ink, visible, state.selected);
  dots.colours = colours;
  $("#legend").replaceChildren(...legend);
  drawSoon();
}

const drawSoon = nextFrame(() => {
  const { frame } = camera;
  if (!frame.width) return;
  const drawn = pace.next();
  dots.draw(frame, camera.scale, drawn);
  pictures.move(frame);
  clearTimeout(resting);
  resting = setTimeout(() => rest(drawn), REST);
});

/** Show all, now that nothing moves. */
function rest(drawn) {
  const { frame } = camera;
  if (!frame.width) return;
  if (drawn < places.count) dots.draw(frame, camera.scale, places.count);
  if ($("#show-pictures").checked) pictures.choose(frame, visible, colours);
  else pictures.clear();
}

/** The row whose picture or dot is at a pixel, or near; -1 if there is none. */
function rowAt(x, y) {
  const { frame } = camera;
  let best = pictures.under(frame, x, y);
  if (best >= 0) return best;
  let reach = REACH;
  const corners = [[x - REACH, y - REACH], [x + REACH, y + REACH]];
  for (const row of places.between(frame, ...corners, visible)) {
    const [dotX, dotY] = toScreen(frame, ...places.of(row));
    const away = Math.hypot(dotX - x, dotY - y);
    if (away < reach) [best, reach] = [row, away];
  }
  return best;
}

/** The shown rows within a polygon of pixels. */
function enclosed(corners) {
  const { frame } = camera;
  const [left, right] = extent(corners.map(([x]) => x));
  const [top, bottom] = extent(corners.map(([, y]) => y));
  const inside = within(corners);
  const near = [...places.between(frame, [left, top], [right, bottom], visible)];
  return near.filter((row) => inside(...toScreen(frame, ...places.of(row))));
}

function hover(x, y) {
  const row = rowAt(x, y);
  canvas.style.cursor = row >= 0 ? "pointer" : "";
  if (row >= 0) tip.show(row, x, y, camera.frame);
  else tip.hide();
}

function click(x, y, event) {
  const row = rowAt(x, y);
  if (row < 0) return;
  if (event.ctrlKey || event.metaKey) select([row], !state.selected[row]);
  else opening(row);
}

export function fit() {
  camera.fit();
  if (dots) drawSoon();
}

/** Whether the mouse or a finger draws, rather than moves the map. */
export const lassoing = () => $("#use-lasso").ariaPressed === "true";

export function toggleLasso() {
  const pressed = !lassoing();
  $("#use-lasso").ariaPressed = pressed;
  $("#map").classList.toggle("lassoing", pressed);
}
