// A line drawn around images.

const LEAST = 3; // pixels between corners

export class Lasso {
  #polygon;
  #corners = null; // [x, y] in pixels, while it is drawn

  /** @param {SVGPolygonElement} polygon shows it */
  constructor(polygon) {
    this.#polygon = polygon;
  }

  get drawing() {
    return this.#corners !== null;
  }

  begin(x, y) {
    this.#corners = [[x, y]];
  }

  extend(x, y) {
    const [lastX, lastY] = this.#corners.at(-1);
    if (Math.hypot(x - lastX, y - lastY) < LEAST) return;
    this.#corners.push([x, y]);
    this.#polygon.setAttribute("points", this.#corners.join(" "));
  }

  /** Take it away; its corners, if it was drawn. */
  end() {
    const corners = this.#corners ?? [];
    this.#corners = null;
    this.#polygon.setAttribute("points", "");
    return corners;
  }
}

/** A test of whether a point is within a polygon, by counting the edges to its right. */
export function within(corners) {
  const xs = Float64Array.from(corners, ([x]) => x);
  const ys = Float64Array.from(corners, ([, y]) => y);
  return (x, y) => {
    let odd = false;
    for (let i = 0, before = xs.length - 1; i < xs.length; before = i++) {
      if (ys[i] > y === ys[before] > y) continue;
      const share = (y - ys[i]) / (ys[before] - ys[i]);
      if (x < xs[i] + share * (xs[before] - xs[i])) odd = !odd;
    }
    return odd;
  };
}
