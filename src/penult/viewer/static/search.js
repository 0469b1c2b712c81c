// Search by an image that is dropped, pasted or chosen, by words, or for what is near a row.

import * as chips from "./chips.js";
import { $, el, posted, say, short, shown, unsay } from "./dom.js";
import { check } from "./renewal.js";
import { at, bits, left, on, rank, state } from "./state.js";

const LARGEST = 64 * 2 ** 20; // bytes that the server takes
const SIDE = 48; // pixels of the picture of what is looked for
const SOON = 250; // milliseconds that a search may take before it is said
const PAUSE = 120; // milliseconds without another filter before it is searched again

let showing = () => {};
let ended = () => {}; // what is done when what was found is shown no more
let latest = 0; // number of the last search: what an earlier one finds comes too late
let sought = null; // what is shown the nearest of: { row }, or { vector }
let pausing; // the timer since the last filter

/** @param {() => void} show shows what was found */
export function start(show) {
  showing = show;
  takeDrops();
  addEventListener("paste", ({ clipboardData }) => byFile(clipboardData.files[0]));
  $("#image-file").addEventListener("change", ({ target }) => {
    byFile(target.files[0]);
    target.value = "";
  });
  on("filtered", () => {
    clearTimeout(pausing);
    if (sought) pausing = setTimeout(again, PAUSE);
  });
  on("renewed", () => {
    if (sought?.row === undefined) return;
    sought.row = state.moved[sought.row];
    if (sought.row < 0) end();
  });
}

function takeDrops() {
  let within = 0; // elements: dragenter and dragleave come for each on the way
  const over = (change) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    within = Math.max(0, within + change);
    $("#drop").hidden = within === 0;
  };
  addEventListener("dragenter", over(1));
  addEventListener("dragleave", over(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    within = 0;
    $("#drop").hidden = true;
    byFile(event.dataTransfer.files[0]);
  });
}

/** The file is sent as it is: what a browser makes smaller has other features. */
async function byFile(file) {
  if (!file) return;
  const name = shown(file.name);
  if (file.size > LARGEST) say(`${name} is too large to search for: 64 MiB are the most`);
  else if (await find(short(name), () => like(file), () => drawn(file))) showing();
}

/** Show what is near a row in the grid. */
export async function byRow(row) {
  const name = short(shown(state.keys[row]));
  if (await find(name, () => ({ row }), () => at(`thumb/${row}`))) showing();
}

/**
 * Show what is near to words, which stay at hand to be changed.
 * @param {() => void} taken what is done when they are taken away
 */
export const byWords = (words, taken) => find(short(words), () => posted("/text", words), () => {}, taken);

const like = (file) => posted("/like", file);

/**
 * The rows nearest to one or to a vector, with their scores.
 * @param {{ row: number } | { vector: string }} query
 * @param {ArrayLike<number> | null} among rows that it may be; null for all
 */
export function nearest(query, among = null) {
  const rows = among && bits(among);
  return posted("/near", JSON.stringify({ edition: state.edition, ...query, among: rows }));
}

/** Ask for what is like something, and show it beside a picture of that; whether it is shown. */
async function find(name, asked, picture, taken = () => {}) {
  const number = ++latest;
  document.body.classList.add("busy");
  const waiting = setTimeout(say, SOON, `Looking for images like ${name}…`, Infinity);
  try {
    const [query, image] = await Promise.all([asked(), picture()]);
    const ranking = number === latest && (await nearest(query, left()));
    if (number !== latest) return false;
    sought = query;
    if (taken !== ended) ended();
    ended = taken;
    rank(ranking);
    chips.say("ranking", `Like ${name}`, end, image);
    unsay();
    return true;
  } catch (error) {
    if (number === latest) say(`${name}: ${error.message}`);
    if (error.status === 410) check();
    return false;
  } finally {
    clearTimeout(waiting);
    if (number === latest) document.body.classList.remove("busy");
  }
}

/** Search again, as the filters leave other rows now. */
async function again() {
  const number = ++latest;
  try {
    const ranking = await nearest(sought, left());
    if (number === latest) rank(ranking);
  } catch (error) {
    if (number === latest && error.status !== 410) say(error.message); // else the page renews itself
  }
}

/** Show all again, also where something is still being looked for. */
export function end() {
  latest++;
  document.body.classList.remove("busy");
  sought = null;
  chips.remove("ranking");
  rank(null);
  ended();
  ended = () => {};
}

/** A file's picture on a canvas: the page's policy lets no address of a file be shown. */
async function drawn(file) {
  const canvas = el("canvas", { width: SIDE, height: SIDE });
  try {
    const image = await createImageBitmap(file);
    const side = Math.min(image.width, image.height);
    const [x, y] = [(image.width - side) / 2, (image.height - side) / 2];
    canvas.getContext("2d").drawImage(image, x, y, side, side, 0, 0, SIDE, SIDE);
  } catch {
    // the browser may not read what the server does
  }
  return canvas;
}
