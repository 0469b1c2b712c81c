// Search by an image that is dropped, pasted or chosen, or for what is near a row.

import * as chips from "./chips.js";
import { $, ask, el, say, shown, unsay } from "./dom.js";
import { rank, state } from "./state.js";

const LARGEST = 64 * 2 ** 20; // bytes that the server takes
const SIDE = 48; // pixels of the picture of what is looked for

let showing = () => {};
let latest = 0; // number of the last search: what an earlier one finds comes too late

/** @param {() => void} show shows what was found */
export function start(show) {
  showing = show;
  takeDrops();
  addEventListener("paste", ({ clipboardData }) => byFile(clipboardData.files[0]));
  $("#image-file").addEventListener("change", ({ target }) => {
    byFile(target.files[0]);
    target.value = "";
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
  else await find(name, () => like(file), () => drawn(file));
}

/** Show what is near a row in the grid. */
export const byRow = (row) =>
  find(shown(state.keys[row]), () => nearest(row), () => `/thumb/${row}`);

const like = async (file) => (await ask("/like", { method: "POST", body: file })).json();

/** The rows nearest to one, with their scores. */
export const nearest = async (row) => (await ask(`/near/${row}`)).json();

/** Ask for what is like something, and show it beside a picture of that. */
async function find(name, asked, picture) {
  const number = ++latest;
  document.body.classList.add("busy");
  say(`Looking for images like ${name}…`, Infinity);
  try {
    const [ranking, image] = await Promise.all([asked(), picture()]);
    if (number !== latest) return;
    rank(ranking);
    chips.say("ranking", `Like ${name}`, () => rank(null), image);
    unsay();
    showing();
  } catch (error) {
    if (number === latest) say(`${name}: ${error.message}`);
  } finally {
    if (number === latest) document.body.classList.remove("busy");
  }
}

export function end() {
  chips.remove("ranking");
  rank(null);
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
