// The colours of the map's dots, and the legend that says what they mean.

import { extent, mapped } from "../arrays.js";
import { called, categories } from "../categories.js";
import { palette, ramp, rampCss, rgb } from "../colours.js";
import { el, figure, groupName } from "../dom.js";
import { state } from "../state.js";

export const MANY = 40; // values of a legend
const PLAIN = [15, 140, 128];
const GREY = [140, 144, 138];
const ALPHA = { faint: 16, behind: 60, plain: 200, full: 255 };
const SHADES = 256; // of a ramp

const packed = ([red, green, blue]) => red | (green << 8) | (blue << 16); // as bytes in memory

/** A colour as CSS has it. */
export const css = (colour) => `rgb(${[0, 8, 16].map((bits) => (colour >> bits) & 255).join(" ")})`;

/**
 * The colour of each row by a column, or the same for all, and its legend.
 * @returns {{ ink: Uint32Array, legend: HTMLElement[] }}
 */
export function coloured(name) {
  const found = name && categories(name);
  if (found) return byCategory(name, found);
  const values = state.columns.get(name)?.values;
  if (values) return byNumber(values);
  return { ink: new Uint32Array(state.keys.length).fill(packed(PLAIN)), legend: [] };
}

/** A colour halfway to grey. */
const greyed = (colour) => ((colour >> 1) & 0x7f7f7f) + ((packed(GREY) >> 1) & 0x7f7f7f);

/** Dots as they stand out: what is filtered away is faint, what is selected is full. */
export function shaded(ink, visible, selected) {
  const some = selected.includes(1);
  const plain = (some ? ALPHA.behind : ALPHA.plain) << 24;
  const faint = packed(GREY) | (ALPHA.faint << 24);
  const full = ALPHA.full << 24;
  const colours = new Uint32Array(ink.length);
  for (let row = 0; row < colours.length; row++) {
    if (selected[row]) colours[row] = ink[row] | full;
    else colours[row] = visible[row] ? (some ? greyed(ink[row]) : ink[row]) | plain : faint;
  }
  return colours;
}

function byCategory(name, { list, codes }) {
  const colours = palette(list.length);
  const byCode = []; // some codes may have no rows
  list.forEach(({ code }, i) => (byCode[code] = packed(rgb(colours[i]))));
  const words = called(name);
  const entry = ({ label, code }, i) => {
    const swatch = el("i", { className: "swatch" });
    swatch.style.background = colours[i];
    return el("li", {}, swatch, groupName(name, label, words?.[code]));
  };
  const ink = mapped(Uint32Array, codes, (code) => byCode[code]);
  return { ink, legend: list.length <= MANY ? list.map(entry) : [] };
}

function byNumber(values) {
  const [low, high] = extent(values);
  const shades = Array.from({ length: SHADES }, (_, i) => packed(ramp(i / (SHADES - 1))));
  const step = (SHADES - 1) / (high - low || 1);
  const grey = packed(GREY);
  const shade = (value) => shades[Math.round((value - low) * step)] ?? grey;
  const ink = mapped(Uint32Array, values, shade);
  const bar = el("span", { className: "ramp" });
  bar.style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(rampCss)})`;
  const ends = [low, high].map((end) => el("small", {}, figure(end)));
  return { ink, legend: [el("li", {}, ends[0], bar, ends[1])] };
}
