// What is under the mouse: its picture and name, beside it.

import { $, baseName, shown } from "../dom.js";
import { at, on, state } from "../state.js";

const [WIDTH, HEIGHT] = [190, 175]; // pixels that it takes, with a little air
const AWAY = 14; // pixels from the mouse

const box = $("#tip");
let told = -1; // the row

on("renewed", () => {
  told = -1;
  hide();
});

export const hide = () => box.classList.remove("seen");

/** Tell a row, beside a pixel of a frame. */
export function show(row, x, y, { width, height }) {
  const left = x + WIDTH > width ? x + AWAY - WIDTH : x + AWAY;
  const top = y + HEIGHT > height ? y + AWAY - HEIGHT : y + AWAY;
  box.style.transform = `translate(${left}px,${top}px)`;
  box.classList.add("seen");
  if (row === told) return;
  told = row;
  box.querySelector("img").src = at(`thumb/${row}`);
  box.querySelector("span").textContent = shown(baseName(state.keys[row]));
}
