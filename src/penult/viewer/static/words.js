// The box in the bar: its words filter names or, where the network knows words, are searched for.

import { $, ask, el } from "./dom.js";
import * as search from "./search.js";
import { filterByWords, state } from "./state.js";

const PAUSE = 300; // milliseconds without a key before words are searched for
const RECENT = 10; // queries that are offered again
const BOXES = {
  name: ["Filter by name", "Filter by name"],
  meaning: ["Search by words", "Search: beach -people"],
};

const box = $("#words");
let typing; // the timer since the last key
let sought = ""; // what is searched for
let showing = () => {};

/**
 * Take words; those of names until it is known whether the network has others.
 * @param {() => void} show sees to it that what was found is shown
 */
export async function start(show) {
  showing = show;
  box.addEventListener("input", typed);
  box.addEventListener("change", remember);
  $("#find-by").addEventListener("change", turn);
  const { without } = await (await ask("/text")).json();
  if (without) {
    box.title = $("#only-names").textContent = `Only names can be looked for: ${without}`;
  } else {
    $("#find-by").hidden = false;
    $("#find-by").value = box.value ? "name" : "meaning"; // who types already filters
    offer(recent());
    turn();
  }
}

const byMeaning = () => !$("#find-by").hidden && $("#find-by").value === "meaning";

/** Do with the words in the box what it is for now. */
function turn() {
  const [label, placeholder] = BOXES[byMeaning() ? "meaning" : "name"];
  Object.assign(box, { ariaLabel: label, placeholder });
  if (byMeaning()) {
    filterByWords("");
    box.setAttribute("list", "recent");
  } else {
    box.removeAttribute("list");
    if (sought) stop();
  }
  typed();
}

function typed() {
  clearTimeout(typing);
  if (byMeaning()) typing = setTimeout(seek, PAUSE);
  else filterByWords(box.value);
}

/** Search for what is in the box, unless that is shown. */
async function seek() {
  const words = box.value.trim();
  if (words === sought) return;
  sought = words;
  if (!words) search.end();
  else if (await search.byWords(words, forget)) showing();
}

function stop() {
  sought = "";
  search.end();
}

/** Another search has taken the place of the words. */
function forget() {
  if (sought === box.value.trim()) box.value = "";
  sought = "";
}

/** Take the words away, and what they did; whether there were any. */
export function clear() {
  if (!box.value) return false;
  box.value = "";
  clearTimeout(typing);
  if (byMeaning()) seek();
  else filterByWords("");
  return true;
}

/** Search now, not after a pause. */
export function enter() {
  clearTimeout(typing);
  if (byMeaning()) seek();
  remember();
}

const storage = () => `queries of ${state.meta.table}`;
const recent = () => JSON.parse(localStorage.getItem(storage()) ?? "[]");

/** Keep words that were searched for, to be offered again. */
function remember() {
  const words = box.value.trim();
  if (!words || !byMeaning()) return;
  const queries = [words, ...recent().filter((each) => each !== words)].slice(0, RECENT);
  localStorage.setItem(storage(), JSON.stringify(queries));
  offer(queries);
}

const offer = (queries) =>
  $("#recent").replaceChildren(...queries.map((value) => el("option", { value })));
