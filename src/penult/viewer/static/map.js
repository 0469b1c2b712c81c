// The map: all images as points, by the columns x and y. WebGL draws them; a grid of cells finds
// what is under the mouse; a picture stands for its neighbourhood where there is room.

import { $, baseName, el, figure, nextFrame, shown, title } from "./dom.js";
import { palette, ramp, rampCss, rgb } from "./colours.js";
import { on, categories, select, selectedRows, state } from "./state.js";

const REACH = 12; // pixels around the mouse in which a point is found
const CELL = 64; // pixels at least between pictures
const AROUND = [-1, 0, 1].flatMap((a) => [-1, 0, 1].map((d) => [a, d]));
const MANY = 40; // values of a legend
const GREY = [140, 144, 138];
const DEEPEST = 400; // times the first scale

const canvas = $("#points");
const layer = $("#pictures");

let gl;
let points; // Float32Array of x, y, in -1 to 1
let colours; // Uint8Array of r, g, b, alpha
let uniforms;
let buffers;
let view = { scale: 1, x: 0, y: 0 };
let visible = new Uint8Array(0); // whether a row is shown
let lassoing = false;
let opening = () => {};
let cells; // rows by cell of a fixed grid over the map

/** Begin, if the table has places for its images and the browser has WebGL. */
export function start(openRow) {
  const [x, y] = ["x", "y"].map((name) => state.columns.get(name)?.values);
  if (!x || !y) return false;
  gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true, preserveDrawingBuffer: false });
  if (!gl) return false;
  opening = openRow;
  points = spread(x, y);
  cells = gridded(points);
  colours = new Uint8Array(4 * x.length);
  program();
  const names = ["folder", ...state.columns.keys()].filter((name) => !["x", "y"].includes(name));
  $("#colour").append(new Option("None", ""), ...names.map((name) => new Option(title(name), name)));
  $("#colour").value = names.find((name) => categories(name)?.list.length <= MANY) ?? "";
  $("#colour").addEventListener("change", recolour);
  $("#show-pictures").addEventListener("change", drawSoon);
  $("#use-lasso").addEventListener("click", toggleLasso);
  $("#fit").addEventListener("click", fit);
  wire();
  new ResizeObserver(drawSoon).observe(canvas);
  on("shown selected ranked", () => !$("#map").hidden && recolour());
  return true;
}

export function show() {
  recolour();
}

/** Places between -1 and 1, with one scale for both directions; NaN where a row has none. */
function spread(x, y) {
  const [ends, middle] = [[x, y].map(extent), []];
  const half = Math.max(...ends.map(([low, high]) => (high - low) / 2)) || 1;
  ends.forEach(([low, high]) => middle.push((low + high) / 2));
  const places = new Float32Array(2 * x.length);
  for (let row = 0; row < x.length; row++) {
    places[2 * row] = (x[row] - middle[0]) / half;
    places[2 * row + 1] = (y[row] - middle[1]) / half;
  }
  return places;
}

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 0];
}

const SIDE = 256; // cells across the whole map
const cellOf = (at) => Math.max(0, Math.min(SIDE - 1, Math.floor(((at + 1) / 2) * SIDE)));

/** Rows sorted by cell: those of cell i are rows[first[i]] to rows[first[i + 1]]. */
function gridded(places) {
  const first = new Uint32Array(SIDE * SIDE + 1);
  const cell = new Int32Array(places.length / 2);
  for (let row = 0; row < cell.length; row++) {
    const known = !Number.isNaN(places[2 * row]);
    cell[row] = known ? cellOf(places[2 * row + 1]) * SIDE + cellOf(places[2 * row]) : -1;
    if (known) first[cell[row] + 1]++;
  }
  for (let i = 0; i < SIDE * SIDE; i++) first[i + 1] += first[i];
  const next = first.slice();
  const rows = new Uint32Array(cell.length);
  cell.forEach((at, row) => at >= 0 && (rows[next[at]++] = row));
  return { first, rows };
}

const VERTEX = `#version 300 es
in vec2 place; in vec4 colour;
uniform vec2 scale, shift; uniform float size;
out vec4 paint;
void main() {
  gl_Position = vec4(place * scale + shift, 0.0, 1.0);
  gl_PointSize = colour.a > 0.9 ? size * 1.5 : size;
  paint = colour;
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 paint; out vec4 pixel;
void main() {
  float edge = 1.0 - smoothstep(0.8, 1.0, 2.0 * length(gl_PointCoord - 0.5));
  float alpha = edge * min(1.0, paint.a);
  pixel = vec4(paint.rgb * alpha, alpha);
}`;

function program() {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  gl.useProgram(made);
  uniforms = Object.fromEntries(["scale", "shift", "size"].map((name) => [name, gl.getUniformLocation(made, name)]));
  buffers = { place: attribute(made, "place", 2, gl.FLOAT, points), colour: attribute(made, "colour", 4, gl.UNSIGNED_BYTE, colours) };
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
}

function attribute(made, name, size, type, data) {
  const at = gl.getAttribLocation(made, name);
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
  gl.enableVertexAttribArray(at);
  gl.vertexAttribPointer(at, size, type, type === gl.UNSIGNED_BYTE, 0, 0);
  return buffer;
}

/** Give each point its colour: filtered ones are faint, selected ones full. */
export function recolour() {
  if (!gl) return;
  const rows = points.length / 2;
  visible = new Uint8Array(rows);
  for (const row of state.shown) visible[row] = 1;
  const of = painter($("#colour").value);
  const any = selectedRows().length > 0;
  for (let row = 0; row < rows; row++) {
    const strength = state.selected[row] ? 255 : visible[row] ? (any ? 110 : 200) : 16;
    colours.set(visible[row] || state.selected[row] ? of(row) : GREY, 4 * row);
    colours[4 * row + 3] = strength;
  }
  gl.bindBuffer(gl.ARRAY_BUFFER, buffers.colour);
  gl.bufferSubData(gl.ARRAY_BUFFER, 0, colours);
  drawSoon();
}

/** A function from row to colour; the legend says what they mean. */
function painter(name) {
  const found = name && categories(name);
  if (found) {
    const list = palette(found.list.length).map(rgb);
    const byCode = [];
    found.list.forEach(({ code }, i) => (byCode[code] = list[i]));
    legend(found.list.length <= MANY ? found.list.map(({ label }, i) => [palette(found.list.length)[i], label]) : []);
    return (row) => byCode[found.codes[row]];
  }
  const values = state.columns.get(name)?.values;
  if (!values) {
    legend([]);
    return () => [15, 140, 128];
  }
  const [low, high] = extent(values);
  const bar = el("li", {}, el("small", {}, figure(low)), el("span", { className: "ramp" }), el("small", {}, figure(high)));
  bar.children[1].style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(rampCss)})`;
  $("#legend").replaceChildren(bar);
  return (row) => (Number.isNaN(values[row]) ? GREY : ramp((values[row] - low) / (high - low || 1)));
}

function legend(entries) {
  $("#legend").replaceChildren(...entries.map(([colour, label]) => {
    const swatch = el("i", { className: "swatch" });
    swatch.style.background = colour;
    return el("li", {}, swatch, label === null ? "none" : shown(String(label)));
  }));
}

/** Pixels of half the map's side, and the middle of the canvas. */
function frame() {
  const { clientWidth: width, clientHeight: height } = canvas;
  return { width, height, unit: (Math.min(width, height) / 2) * 0.9 * view.scale };
}

const toScreen = (row, { width, height, unit }) => [
  width / 2 + (points[2 * row] - view.x) * unit,
  height / 2 - (points[2 * row + 1] - view.y) * unit,
];

const drawSoon = nextFrame(draw);
let resting;

function draw() {
  const { width, height, unit } = frame();
  if (!width) return;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    [canvas.width, canvas.height] = [width, height].map((side) => Math.round(side * ratio));
  }
  gl.viewport(0, 0, canvas.width, canvas.height);
  gl.clearColor(0, 0, 0, 0);
  gl.clear(gl.COLOR_BUFFER_BIT);
  const scale = [(2 * unit) / width, (2 * unit) / height];
  gl.uniform2f(uniforms.scale, ...scale);
  gl.uniform2f(uniforms.shift, -view.x * scale[0], -view.y * scale[1]);
  const size = Math.max(2, Math.min(14, (900 / Math.sqrt(points.length / 2)) * Math.sqrt(view.scale) * 0.4));
  gl.uniform1f(uniforms.size, size * ratio);
  gl.drawArrays(gl.POINTS, 0, points.length / 2);
  movePictures();
  clearTimeout(resting);
  resting = setTimeout(choosePictures, 120);
}

const pictured = new Map(); // row: element

function movePictures() {
  const now = frame();
  for (const [row, image] of pictured) {
    const [x, y] = toScreen(row, now);
    image.style.transform = `translate(${x}px,${y}px)`;
  }
}

/** Let one image stand for each part of the screen; those that stand there already stay. */
function choosePictures() {
  const chosen = new Map();
  if ($("#show-pictures").checked) {
    const now = frame();
    const taken = new Map(); // at most one a cell, as none is close to another
    const take = (row) => {
      const [x, y] = toScreen(row, now);
      if (!visible[row] || x < 0 || y < 0 || x > now.width || y > now.height) return;
      const [across, down] = [Math.floor(x / CELL), Math.floor(y / CELL)];
      const around = AROUND.map(([a, d]) => taken.get(`${across + a},${down + d}`));
      const close = ([a, d]) => Math.abs(a - x) < CELL && Math.abs(d - y) < CELL;
      if (around.some((other) => other && close(other))) return;
      taken.set(`${across},${down}`, [x, y]);
      chosen.set(row, [x, y]);
    };
    for (const row of pictured.keys()) take(row);
    for (const row of within(now)) take(row);
  }
  for (const [row, image] of pictured) {
    if (chosen.has(row)) image.style.borderColor = paint(row);
    else {
      image.remove();
      pictured.delete(row);
    }
  }
  for (const [row, [x, y]] of chosen) if (!pictured.has(row)) addPicture(row, x, y);
}

const paint = (row) => `rgb(${colours.subarray(4 * row, 4 * row + 3).join(" ")})`;

function addPicture(row, x, y) {
  const image = el("img", { alt: "", src: `/thumb/${row}` });
  image.addEventListener("load", () => image.classList.add("loaded"));
  image.style.transform = `translate(${x}px,${y}px)`;
  image.style.borderColor = paint(row);
  layer.append(image);
  pictured.set(row, image);
}

/** Rows of the cells that the screen, or a part of it, touches. */
function* within({ width, height, unit }, [x, y, reach] = [width / 2, height / 2, Math.max(width, height) / 2]) {
  const [mapX, mapY] = [view.x + (x - width / 2) / unit, view.y - (y - height / 2) / unit];
  const [left, right, low, high] = [mapX - reach / unit, mapX + reach / unit, mapY - reach / unit, mapY + reach / unit].map(cellOf);
  for (let line = low; line <= high; line++) {
    const [from, to] = [cells.first[line * SIDE + left], cells.first[line * SIDE + right + 1]];
    for (let i = from; i < to; i++) yield cells.rows[i];
  }
}

function nearestTo(x, y) {
  const now = frame();
  let [best, distance] = [-1, REACH];
  for (const [row, image] of pictured) {
    const [a, b] = toScreen(row, now);
    if (image.classList.contains("loaded") && Math.abs(a - x) < 28 && Math.abs(b - y) < 28) return row;
  }
  for (const row of within(now, [x, y, REACH])) {
    const [a, b] = toScreen(row, now);
    const away = Math.hypot(a - x, b - y);
    if (visible[row] && away < distance) [best, distance] = [row, away];
  }
  return best;
}

export function fit() {
  view = { scale: 1, x: 0, y: 0 };
  if (gl) drawSoon();
}

export function toggleLasso() {
  lassoing = !lassoing;
  $("#map").classList.toggle("lassoing", lassoing);
  $("#use-lasso").setAttribute("aria-pressed", lassoing);
}

function zoom(factor, x, y) {
  const { width, height, unit } = frame();
  const scale = Math.max(0.5, Math.min(DEEPEST, view.scale * factor));
  const kept = (1 / unit) * (1 - view.scale / scale);
  view = { scale, x: view.x + (x - width / 2) * kept, y: view.y - (y - height / 2) * kept };
  drawSoon();
}

const pointers = new Map();
let path = null; // of the lasso
let moved = 0;

function wire() {
  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => $("#tip").classList.remove("seen"));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("keydown", pressed);
}

function pressed(event) {
  const { width, height, unit } = frame();
  const step = 60 / unit;
  const shift = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
  if (shift) view = { ...view, x: view.x + shift[0], y: view.y + shift[1] };
  else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.3 : 1 / 1.3, width / 2, height / 2);
  else return;
  event.preventDefault();
  drawSoon();
}

function down(event) {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  moved = 0;
  path = lassoing || event.shiftKey ? [[event.offsetX, event.offsetY]] : null;
}

function move(event) {
  const now = [event.offsetX, event.offsetY];
  const before = pointers.get(event.pointerId);
  if (!before) {
    tip(...now);
    return;
  }
  moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
  const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
  pointers.set(event.pointerId, now);
  $("#tip").classList.remove("seen");
  if (path) {
    path.push(now);
    $("#lasso polygon").setAttribute("points", path.join(" "));
    return;
  }
  const { unit } = frame();
  view = { ...view, x: view.x - (now[0] - before[0]) / unit, y: view.y + (now[1] - before[1]) / unit };
  if (others.length) {
    const apart = (at) => Math.hypot(at[0] - others[0][0], at[1] - others[0][1]);
    zoom(apart(now) / (apart(before) || 1), ...others[0]);
  }
  drawSoon();
}

function up(event) {
  pointers.delete(event.pointerId);
  $("#lasso polygon").setAttribute("points", "");
  if (path && moved > 8) select(inside(path), !event.altKey);
  else if (moved < 5) {
    const row = nearestTo(event.offsetX, event.offsetY);
    if (row >= 0 && (event.ctrlKey || event.metaKey)) select([row], !state.selected[row]);
    else if (row >= 0) opening(row);
  }
  path = null;
}

/** Rows within a polygon on the screen, by counting its edges to the right of each. */
function inside(polygon) {
  const now = frame();
  const rows = [];
  for (const row of state.shown) {
    const [x, y] = toScreen(row, now);
    let odd = false;
    for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
      const [[ax, ay], [bx, by]] = [polygon[i], polygon[j]];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
    }
    if (odd) rows.push(row);
  }
  return rows;
}

let tipped = -1;

function tip(x, y) {
  const row = nearestTo(x, y);
  const box = $("#tip");
  canvas.style.cursor = row >= 0 ? "pointer" : "";
  box.classList.toggle("seen", row >= 0);
  if (row < 0) return;
  const { width, height } = frame();
  box.style.transform = `translate(${x + 190 > width ? x - 184 : x + 14}px,${y + 175 > height ? y - 165 : y + 14}px)`;
  if (row === tipped) return;
  tipped = row;
  box.querySelector("img").src = `/thumb/${row}`;
  box.querySelector("span").textContent = shown(baseName(state.keys[row]));
}
