// What hands do on the map: one finger or the mouse drags it, two fingers or the wheel zoom.

const STILL = 5; // pixels that a click may move
const STEP = 60; // pixels that an arrow key moves the map
const CLOSER = 1.3; // times, by the keys + and -
const WHEEL = 0.0016; // of a zoom, for each unit of a wheel
const PINCH = 0.01; // the same on a touchpad, which says that Ctrl is held

/**
 * What gestures lead to.
 * @typedef {object} Actions
 * @property {(across: number, down: number) => void} pan by pixels
 * @property {(factor: number, x?: number, y?: number) => void} zoom about a pixel, or the middle
 * @property {(x: number, y: number) => void} hover
 * @property {() => void} leave nothing is under the mouse any more
 * @property {(x: number, y: number, event: PointerEvent) => void} click
 * @property {(event: PointerEvent) => boolean} draws whether a finger that comes draws a lasso
 * @property {import("./lasso.js").Lasso} lasso
 * @property {(corners: number[][], event: PointerEvent) => void} drawn a lasso
 */

export class Gestures {
  #actions;
  #fingers = new Map(); // pointer: [x, y]
  #travelled = 0; // pixels, since the first finger came

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Actions} actions
   */
  constructor(canvas, actions) {
    this.#actions = actions;
    const listen = (name, action) => canvas.addEventListener(name, action, { passive: false });
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", (event) => this.#up(event));
    listen("pointercancel", (event) => this.#cancel(event));
    listen("pointerleave", actions.leave);
    listen("wheel", (event) => this.#wheel(event));
    listen("keydown", (event) => this.#key(event));
  }

  #down(event) {
    const { pointerId, offsetX, offsetY, target } = event;
    target.setPointerCapture(pointerId);
    if (!this.#fingers.size) this.#travelled = 0;
    this.#fingers.set(pointerId, [offsetX, offsetY]);
    if (this.#fingers.size > 1) this.#actions.lasso.end();
    else if (this.#actions.draws(event)) this.#actions.lasso.begin(offsetX, offsetY);
  }

  #move({ pointerId, offsetX, offsetY }) {
    const { lasso } = this.#actions;
    const before = this.#fingers.get(pointerId);
    if (!before) {
      this.#actions.hover(offsetX, offsetY);
      return;
    }
    const now = [offsetX, offsetY];
    this.#fingers.set(pointerId, now);
    this.#travelled += apart(before, now);
    this.#actions.leave();
    if (lasso.drawing) lasso.extend(...now);
    else this.#drag(pointerId, before, now);
  }

  /** Move the map with one finger; with two, by half as far, and turn their distance into zoom. */
  #drag(pointerId, before, now) {
    const other = [...this.#fingers].find(([id]) => id !== pointerId)?.[1];
    const share = other ? 0.5 : 1;
    this.#actions.pan(share * (now[0] - before[0]), share * (now[1] - before[1]));
    if (!other) return;
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    this.#actions.zoom(apart(now, other) / (apart(before, other) || 1), ...middle);
  }

  #up(event) {
    this.#fingers.delete(event.pointerId);
    const corners = this.#actions.lasso.end();
    if (corners.length > 2) this.#actions.drawn(corners, event);
    else if (this.#travelled < STILL) this.#actions.click(event.offsetX, event.offsetY, event);
  }

  #cancel({ pointerId }) {
    this.#fingers.delete(pointerId);
    this.#actions.lasso.end();
  }

  #wheel(event) {
    event.preventDefault();
    const { deltaY, ctrlKey, offsetX, offsetY } = event;
    this.#actions.zoom(Math.exp(-deltaY * (ctrlKey ? PINCH : WHEEL)), offsetX, offsetY);
  }

  #key(event) {
    const { pan, zoom } = this.#actions;
    const moves = {
      ArrowLeft: () => pan(STEP, 0),
      ArrowRight: () => pan(-STEP, 0),
      ArrowUp: () => pan(0, STEP),
      ArrowDown: () => pan(0, -STEP),
      "+": () => zoom(CLOSER),
      "-": () => zoom(1 / CLOSER),
    };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey) return;
    moves[event.key]();
    event.preventDefault();
  }
}

const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
