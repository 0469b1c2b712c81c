// Whether the table has changed: new rows, new columns. The page asks now and then, and takes the new
// edition; what the person was at stays as it was.

import { ask, plural, say } from "./dom.js";
import { renew, state } from "./state.js";

const EVERY = 4000; // milliseconds, at least
const SHARE = 20; // times as long as it took to take an edition

let waiting;
let took = 0; // milliseconds
let trouble = ""; // that was said
let checking = null;

export function start() {
  document.addEventListener("visibilitychange", () => !document.hidden && check());
  wait();
}

function wait() {
  clearTimeout(waiting);
  waiting = setTimeout(check, Math.max(EVERY, SHARE * took));
}

/** Look whether there is another edition, and take it. */
export function check() {
  checking ??= looked().finally(() => (checking = null));
  return checking;
}

async function looked() {
  if (!document.hidden) {
    try {
      const { edition } = await (await ask("/edition")).json();
      if (edition !== state.edition) await take(edition);
      trouble = "";
    } catch (error) {
      if (error.status !== 410 && error.message !== trouble) say(error.message);
      trouble = error.message;
    }
  }
  wait();
}

async function take(edition) {
  const began = performance.now();
  const before = { rows: state.keys.length, columns: new Set(state.columns.keys()) };
  await renew(edition);
  took = performance.now() - began;
  say(["The table has changed", ...news(before)].join(": "));
}

function news({ rows, columns }) {
  const more = state.keys.length - rows;
  const added = [...state.columns.keys()].filter((name) => !columns.has(name));
  const images = `${plural(Math.abs(more), "image")} ${more > 0 ? "more" : "fewer"}`;
  const named = added.length ? [`new ${added.join(", ")}`] : [];
  const all = [...(more ? [images] : []), ...named];
  return all.length ? [all.join("; ")] : [];
}
