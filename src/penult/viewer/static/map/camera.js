// Which part of the map is seen. Its places are between -1 and 1, and y points up.

const MARGIN = 36; // pixels around the whole map: half a picture and a little more
const FARTHEST = 0.5; // times the first scale
const DEEPEST = 400;

/**
 * What a canvas shows, in CSS pixels.
 * @typedef {object} Frame
 * @property {number} width
 * @property {number} height
 * @property {number} unit pixels of a distance of 1 on the map
 * @property {number} x the place in the middle
 * @property {number} y
 */

export class Camera {
  #canvas;
  #x = 0;
  #y = 0;
  scale = 1;

  constructor(canvas) {
    this.#canvas = canvas;
  }

  /** @returns {Frame} */
  get frame() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const unit = Math.max(1, Math.min(width, height) / 2 - MARGIN) * this.scale;
    return { width, height, unit, x: this.#x, y: this.#y };
  }

  /** Move the map under the window, by pixels. */
  pan(across, down) {
    const { unit } = this.frame;
    this.#x -= across / unit;
    this.#y += down / unit;
  }

  /** Zoom while the place at a pixel stays there; without one, the place in the middle. */
  zoom(factor, across, down) {
    const { width, height } = this.frame;
    const pixel = [across ?? width / 2, down ?? height / 2];
    const [x, y] = toMap(this.frame, ...pixel);
    this.scale = Math.max(FARTHEST, Math.min(DEEPEST, this.scale * factor));
    const [movedX, movedY] = toMap(this.frame, ...pixel);
    this.#x += x - movedX;
    this.#y += y - movedY;
  }

  /** Show the whole map. */
  fit() {
    [this.#x, this.#y, this.scale] = [0, 0, 1];
  }
}

/** The pixel, from the upper left, of a place on the map. */
export const toScreen = ({ width, height, unit, x, y }, placeX, placeY) => [
  width / 2 + (placeX - x) * unit,
  height / 2 - (placeY - y) * unit,
];

/** The place on the map of a pixel. */
export const toMap = ({ width, height, unit, x, y }, across, down) => [
  x + (across - width / 2) / unit,
  y - (down - height / 2) / unit,
];
