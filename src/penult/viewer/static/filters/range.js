// A column's range: a histogram with two ends to move.

import { extent } from "../arrays.js";
import { el, figure, inWords, nextFrame, title } from "../dom.js";
import { filter } from "../state.js";

const BARS = 40;

/** @returns {import("../filters.js").Part | null} null if all values are the same */
export function range({ name, values }) {
  const [least, most] = extent(values);
  if (least === most) return null;
  let kept = null;
  const words = el("small");
  const bars = histogram(values, least, most);
  const ends = ["from", "to"].map((word) => slider(`${title(name)}: ${word}`));
  let exactly = null; // what was chosen before the table changed, whatever the steps are now
  const reset = () => {
    exactly = null;
    ends.forEach((end, i) => (end.value = i * BARS));
  };
  const chosen = (steps) => exactly ?? steps.map((step) => least + ((most - least) * step) / BARS);
  const changed = () => {
    const steps = ends.map((end) => Number(end.value)).sort((a, b) => a - b);
    const [from, to] = chosen(steps);
    const said = [from, to].map((value) => inFewDigits(name, value));
    words.textContent = said.join(" – ");
    ends.forEach((end, i) => end.setAttribute("aria-valuetext", said[i]));
    mark(bars, ...steps);
    const all = !exactly && steps[0] === 0 && steps[1] === BARS;
    kept = all ? null : [from, to];
    return all ? null : (row) => values[row] >= from && values[row] <= to;
  };
  const apply = nextFrame(() => filter(name, changed()));
  for (const end of ends) {
    end.addEventListener("input", () => {
      exactly = null;
      apply();
    });
  }
  const restore = (before) => {
    const step = (value) => Math.round((BARS * (value - least)) / (most - least));
    ends.forEach((end, i) => (end.value = step(before[i])));
    exactly = before;
    filter(name, changed());
  };
  const clear = () => {
    reset();
    filter(name, changed());
  };
  reset();
  changed();
  const sliders = el("div", { className: "range" }, bars, ...ends);
  const element = el("section", {}, el("h3", {}, title(name), words), sliders);
  return { name, element, clear, kept: () => kept, restore };
}

const slider = (label) => el("input", { type: "range", min: 0, max: BARS, "aria-label": label });

function inFewDigits(name, value) {
  if (name === "bytes") return inWords(name, value);
  return figure(Math.abs(value) >= 100 ? Math.round(value) : value);
}

function histogram(values, least, most) {
  const heights = new Float64Array(BARS);
  const scale = BARS / (most - least);
  for (const value of values) {
    if (!Number.isNaN(value)) heights[Math.min(BARS - 1, Math.floor((value - least) * scale))]++;
  }
  const top = Math.sqrt(Math.max(...heights));
  const bars = Array.from(heights, (height) => {
    const bar = el("i");
    bar.style.height = `${(100 * Math.sqrt(height)) / top}%`; // roots: small numbers stay visible
    return bar;
  });
  return el("div", { className: "bars", "aria-hidden": "true" }, ...bars);
}

/** Grey the bars that are out of the range. */
function mark(bars, low, high) {
  [...bars.children].forEach((bar, i) => bar.classList.toggle("out", i < low || i >= high));
}
