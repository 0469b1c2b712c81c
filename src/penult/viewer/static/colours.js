// Colours of values: categories as far apart as may be, numbers from dark to light.

const DISTINCT = [
  "#4c78c9", "#e8843c", "#3f9e6d", "#d1495b", "#8a6fc4", "#c9a227", "#2aa7b8", "#c96fa8",
  "#7f8c3a", "#a0653e", "#5aa9e6", "#8f9aa6",
];
const GOLDEN = 137.508; // degrees: hues that come one after the other are far apart

/** Colours of `n` categories. */
export const palette = (n) =>
  Array.from({ length: n }, (_, i) => DISTINCT[n > DISTINCT.length ? -1 : i] ?? hue(i));

function hue(i) {
  const light = [0.5, 0.62, 0.42][i % 3];
  return hex(...fromHsl((i * GOLDEN) % 360, 0.55, light));
}

function fromHsl(degrees, saturation, light) {
  const a = saturation * Math.min(light, 1 - light);
  const channel = (n) => {
    const k = (n + degrees / 30) % 12;
    return light - a * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  };
  return [channel(0), channel(8), channel(4)].map((value) => Math.round(value * 255));
}

const hex = (...rgb) => "#" + rgb.map((value) => value.toString(16).padStart(2, "0")).join("");

export const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

const RAMP = ["#3b2f80", "#31688e", "#21908c", "#5dc863", "#f1d929"].map(rgb);

/** The colour of a number between 0 and 1. */
export function ramp(share) {
  const at = Math.max(0, Math.min(1, share)) * (RAMP.length - 1);
  const low = Math.min(RAMP.length - 2, Math.floor(at));
  return RAMP[low].map((value, i) => Math.round(value + (RAMP[low + 1][i] - value) * (at - low)));
}

export const rampCss = (share) => hex(...ramp(share));
