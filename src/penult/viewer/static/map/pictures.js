// Pictures on the map: where there is room, one stands for its neighbourhood.

import { el } from "../dom.js";
import { at } from "../state.js";
import { toScreen } from "./camera.js";
import { css } from "./paint.js";

const APART = 64; // pixels at least between the middles of two
const HALF = 28; // pixels of a picture's side
const TRIED = 16; // pixels: one row is tried for each square of this side
const STEPS = [-1, 0, 1];
const AROUND = STEPS.flatMap((across) => STEPS.map((down) => [across, down]));

export class Pictures {
  #layer;
  #places;
  #there = new Map(); // row: element

  /**
   * @param {HTMLElement} layer what they are put into
   * @param {import("./places.js").Places} places
   */
  constructor(layer, places) {
    this.#layer = layer;
    this.#places = places;
  }

  /** Put all where their rows are now. */
  move(frame) {
    for (const [row, picture] of this.#there) {
      const [x, y] = toScreen(frame, ...this.#places.of(row));
      picture.style.transform = `translate(${x}px,${y}px)`;
    }
  }

  /** Choose anew, of visible rows; those that are there come first. */
  choose(frame, visible, colours) {
    const room = new Room(frame);
    const chosen = new Set();
    const take = (row) => {
      if (room.take(...toScreen(frame, ...this.#places.of(row)))) chosen.add(row);
    };
    for (const row of this.#there.keys()) if (visible[row]) take(row);
    const tried = Math.ceil(this.#places.cell(frame) / TRIED) ** 2; // of a cell
    const corners = [[0, 0], [frame.width, frame.height]];
    for (const row of this.#places.between(frame, ...corners, visible, tried)) take(row);
    for (const row of this.#there.keys()) if (!chosen.has(row)) this.#remove(row);
    for (const row of chosen) {
      if (!this.#there.has(row)) this.#add(row);
      this.#there.get(row).style.borderColor = css(colours[row]);
    }
    this.move(frame);
  }

  clear() {
    for (const row of this.#there.keys()) this.#remove(row);
  }

  /** The row whose picture covers a pixel, or -1. */
  under(frame, x, y) {
    for (const [row, picture] of this.#there) {
      const [middleX, middleY] = toScreen(frame, ...this.#places.of(row));
      const covers = Math.abs(middleX - x) < HALF && Math.abs(middleY - y) < HALF;
      if (covers && picture.classList.contains("loaded")) return row;
    }
    return -1;
  }

  #add(row) {
    const picture = el("img", { alt: "", src: at(`thumb/${row}`) });
    picture.addEventListener("load", () => picture.classList.add("loaded"));
    this.#layer.append(picture);
    this.#there.set(row, picture);
  }

  #remove(row) {
    this.#there.get(row).remove();
    this.#there.delete(row);
  }
}

/** Gives room on the screen: at most once a cell, as none may be close to another. */
class Room {
  #frame;
  #taken = new Map(); // number of a cell: [x, y]

  constructor(frame) {
    this.#frame = frame;
  }

  take(x, y) {
    const { width, height } = this.#frame;
    if (!(x >= 0 && y >= 0 && x <= width && y <= height)) return false;
    const [across, down] = [Math.floor(x / APART), Math.floor(y / APART)];
    for (const [a, d] of AROUND) {
      const other = this.#taken.get(cell(across + a, down + d));
      if (other && Math.abs(other[0] - x) < APART && Math.abs(other[1] - y) < APART) return false;
    }
    this.#taken.set(cell(across, down), [x, y]);
    return true;
  }
}

const cell = (across, down) => across * 65536 + down;
