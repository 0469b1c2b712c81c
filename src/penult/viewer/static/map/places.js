// Where the images are on the map, sorted into cells: what is near is found without asking all.

import { extent } from "../arrays.js";
import { toMap } from "./camera.js";

const SIDE = 256; // cells across the whole map

export class Places {
  #first; // by cell: where its rows begin in #rows
  #rows; // sorted by cell

  /**
   * @param {ArrayLike<number>} x by row; NaN where a row has no place
   * @param {ArrayLike<number>} y
   */
  constructor(x, y) {
    /** x and y of each row, in turn, between -1 and 1. */
    this.points = spread(x, y);
    [this.#first, this.#rows] = byCell(this.points);
  }

  get count() {
    return this.points.length / 2;
  }

  /** How many rows have a place. */
  get placed() {
    return this.#first.at(-1);
  }

  /** A row's place. */
  of(row) {
    return [this.points[2 * row], this.points[2 * row + 1]];
  }

  /**
   * Rows of the cells that pixels between two corners touch; some lie beside them.
   * @param {Uint8Array} visible by row: whether it counts
   * @param {number} most rows of a cell
   */
  *between(frame, from, to, visible, most = Infinity) {
    const [left, high] = toMap(frame, ...from).map(cellOf);
    const [right, low] = toMap(frame, ...to).map(cellOf);
    for (let line = low * SIDE; line <= high * SIDE; line += SIDE) {
      for (let cell = line + left; cell <= line + right; cell++) {
        yield* this.#visible(cell, visible, most);
      }
    }
  }

  *#visible(cell, visible, most) {
    const end = this.#first[cell + 1];
    for (let i = this.#first[cell], room = most; i < end && room > 0; i++) {
      const row = this.#rows[i];
      if (!visible[row]) continue;
      yield row;
      room--;
    }
  }

  /** Pixels of a cell's side. */
  cell({ unit }) {
    return (2 * unit) / SIDE;
  }
}

/** Places between -1 and 1, with one scale for both directions. */
function spread(x, y) {
  const [[left, right], [low, high]] = [x, y].map(extent);
  const half = Math.max(right - left, high - low) / 2 || 1;
  const [middleX, middleY] = [(left + right) / 2, (low + high) / 2];
  const points = new Float32Array(2 * x.length);
  for (let row = 0; row < x.length; row++) {
    points[2 * row] = (x[row] - middleX) / half;
    points[2 * row + 1] = (y[row] - middleY) / half;
  }
  return points;
}

const cellOf = (at) => Math.max(0, Math.min(SIDE - 1, Math.floor(((at + 1) / 2) * SIDE)));

/** Rows sorted by cell: those of cell i are rows[first[i]] to rows[first[i + 1]]. */
function byCell(points) {
  const first = new Uint32Array(SIDE * SIDE + 1);
  const cells = new Int32Array(points.length / 2);
  for (let row = 0; row < cells.length; row++) {
    const [x, y] = [points[2 * row], points[2 * row + 1]];
    cells[row] = Number.isNaN(x + y) ? -1 : cellOf(y) * SIDE + cellOf(x);
    if (cells[row] >= 0) first[cells[row] + 1]++;
  }
  for (let i = 0; i < SIDE * SIDE; i++) first[i + 1] += first[i];
  const next = first.slice();
  const rows = new Uint32Array(cells.length);
  cells.forEach((cell, row) => cell >= 0 && (rows[next[cell]++] = row));
  return [first, rows];
}
