// Search by an image that is dropped, pasted or chosen, or for what is near a row.

import { $, ask, say, shown } from "./dom.js";
import { chip } from "./filters.js";
import { rank, state } from "./state.js";

const LARGEST = 64 * 2 ** 20; // bytes that the server takes

let showing = () => {};

export function start(showGrid) {
  showing = showGrid;
  const drop = $("#drop");
  let inside = 0; // dragenter and dragleave come for each element on the way
  const brings = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (!brings(event)) return;
    inside++;
    drop.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (brings(event) && --inside <= 0) drop.hidden = true;
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    drop.hidden = true;
    byFile(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => byFile(event.clipboardData.files[0]));
  $("#image-file").addEventListener("change", (event) => {
    byFile(event.target.files[0]);
    event.target.value = "";
  });
}

async function byFile(file) {
  if (!file) return;
  if (file.size > LARGEST) {
    say(`${shown(file.name)} is too large to search for: 64 MB are the most`);
    return;
  }
  await busy(`Looking for images like ${shown(file.name)}…`, async () => {
    const answer = await ask("/like", { method: "POST", body: await file.arrayBuffer() });
    found(await answer.json(), file.name, await picture(file));
  });
}

/** Show what is near a row in the grid. */
export async function byRow(row) {
  await busy("Looking for what is near…", async () => {
    const near = await nearest(row);
    found(near, state.keys[row], `/thumb/${row}`);
  });
}

export const nearest = async (row) => (await ask(`/near/${row}`)).json();

function found(ranking, name, image) {
  rank(ranking);
  chip("ranking", `Like ${shown(name)}`, () => rank(null), image);
  showing();
}

export function end() {
  chip("ranking", null);
  rank(null);
}

async function busy(text, work) {
  document.body.classList.add("busy");
  say(text);
  try {
    await work();
    $("#message").hidden = true;
  } catch (error) {
    say(error.message);
  } finally {
    document.body.classList.remove("busy");
  }
}

/** A file drawn small, on a canvas: no address of a file is shown by this page. */
async function picture(file) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 48;
  try {
    const image = await createImageBitmap(file);
    const side = Math.min(image.width, image.height);
    const [x, y] = [(image.width - side) / 2, (image.height - side) / 2];
    canvas.getContext("2d").drawImage(image, x, y, side, side, 0, 0, 48, 48);
  } catch {
    // the browser may not read what the server does
  }
  return canvas;
}
