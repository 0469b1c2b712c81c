// Where pictures go: in lines that all fill the width, as words do on a justified page.

export const GAP = 6; // pixels between pictures
const [NARROWEST, WIDEST] = [0.5, 2.4]; // widths over heights; what is beyond is cropped
const TALLEST = 1.25; // times the height that is wanted, of a last line

/** @typedef {{ top: number, height: number, first: number, end: number }} Line of places */

export class Lines {
  /** @type {Line[]} */
  #lines = [];
  #widths;

  /**
   * @param {Float32Array} ratios width over height of each picture, by place
   * @param {number} width pixels of a line
   * @param {number} wanted pixels that a line should be high
   */
  constructor(ratios, width, wanted) {
    const room = width - 2 * GAP;
    this.#widths = ratios.map((ratio) => Math.min(WIDEST, Math.max(NARROWEST, ratio)));
    this.bottom = GAP;
    let [first, sum] = [0, 0];
    for (let place = 0; place < ratios.length; place++) {
      sum += this.#widths[place];
      const height = (room - (place - first) * GAP) / sum;
      if (height > wanted && place < ratios.length - 1) continue;
      this.#close(first, place + 1, Math.min(height, wanted * TALLEST));
      [first, sum] = [place + 1, 0];
    }
  }

  #close(first, end, height) {
    for (let place = first; place < end; place++) this.#widths[place] *= height;
    this.#lines.push({ top: this.bottom, height, first, end });
    this.bottom += height + GAP;
  }

  /** The line at a height, or the nearest; none if there are no pictures. */
  at(y) {
    return this.#lines[this.#find(({ top, height }) => top + height >= y)];
  }

  /** The line of a place. */
  of(place) {
    return this.#lines[this.#number(place)];
  }

  /** Lines from that of a place to that before another. */
  *between(from, to) {
    for (let line = this.#number(from); this.#lines[line]?.first < to; line++) {
      yield this.#lines[line];
    }
  }

  /** Places of a line, each with where it begins and how wide it is. */
  *places({ first, end }) {
    let left = GAP;
    for (let place = first; place < end; place++) {
      const width = this.#widths[place];
      yield { place, left, width };
      left += width + GAP;
    }
  }

  /** The place above or below, by the middle of the picture; the first or last beyond. */
  beside(place, step) {
    const line = this.#lines[this.#number(place) + step];
    if (!line) return step < 0 ? 0 : this.#widths.length - 1;
    const here = [...this.places(this.of(place))].find((each) => each.place === place);
    const middle = here.left + here.width / 2;
    const under = [...this.places(line)].find(({ left, width }) => left + width >= middle);
    return under?.place ?? line.end - 1;
  }

  #number(place) {
    return this.#find(({ end }) => end > place);
  }

  /** The first line that passes a test which all after it pass, by halving; or the last. */
  #find(test) {
    let [low, high] = [0, this.#lines.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(this.#lines[middle])) high = middle;
      else low = middle + 1;
    }
    return Math.max(0, low);
  }
}
