// How many dots are drawn while the map moves: as many as keep it smooth. A graphics card draws
// half a million in a frame; where the processor has to, they take a fifth of a second.

const AT_FIRST = 50_000;
const LEAST = 10_000;
const LATE = 45; // milliseconds that a frame may keep one waiting: then fewer are drawn
const PROMPT = 25; // within this, more
const MORE = 1.15; // times as many

export class Pace {
  #all;
  #some;
  #asked = null; // when a frame was asked for because the map moves

  /** @param {number} all how many dots there are */
  constructor(all) {
    this.#all = all;
    this.#some = Math.min(all, AT_FIRST);
  }

  /** The map moves: let the next frame come soon. */
  hurry() {
    this.#asked ??= performance.now();
  }

  /** How many dots to draw in the frame that is due. */
  next() {
    if (this.#asked === null) return this.#all;
    const waited = performance.now() - this.#asked;
    this.#asked = null;
    if (waited > LATE) this.#some = Math.max(LEAST, (this.#some * LATE) / waited);
    if (waited < PROMPT) this.#some *= MORE;
    this.#some = Math.min(this.#all, this.#some);
    return Math.round(this.#some);
  }
}
