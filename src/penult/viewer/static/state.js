// What is looked at: the table's keys and columns, which rows are shown in what order, which are
// selected. Changes are announced: "shown", "selected", "ranked".

import { counting, mapped, passing } from "./arrays.js";
import { ask } from "./dom.js";

/**
 * A column has numbers, NaN for none; or words, each once, and for each row the place of its word.
 * @typedef {{ name: string, values: ArrayLike<number> }} Numbers
 * @typedef {{ name: string, words: (string | null)[], codes: ArrayLike<number> }} Words
 */

export const state = {
  meta: null,
  keys: [], // in the table's order; a row is a place in it
  /** @type {Map<string, Numbers | Words>} */
  columns: new Map(),
  failures: [],
  shown: new Int32Array(0), // rows, in order
  selected: new Uint8Array(0), // by row
  ranking: null, // { rows, scores } of a search
  sort: { name: "key", down: false },
};

const events = new EventTarget();
const announce = (name) => events.dispatchEvent(new Event(name));
export const on = (names, action) =>
  names.split(" ").forEach((name) => events.addEventListener(name, action));

const tests = new Map(); // of each filter: row => whether it is shown
let ordered = new Int32Array(0); // all rows as they are sorted
let words = []; // that names are to have, in lower case
let lowered = []; // keys

/** Ask the server for all. */
export async function load() {
  const [meta, keys] = await Promise.all(["/meta", "/keys"].map(json));
  const columns = await Promise.all(meta.columns.map(column));
  const failures = meta.failed ? await json("/failures") : [];
  Object.assign(state, { meta, keys, failures, selected: new Uint8Array(keys.length) });
  for (const each of columns) state.columns.set(each.name, each);
  ordered = counting(keys.length);
}

const json = async (path) => (await ask(path)).json();

const ARRAYS = { Int32Array, Float32Array, Float64Array };

async function column({ name, array, words }, number) {
  const answer = await ask(`/column/${number}`);
  const values = new ARRAYS[array](await answer.arrayBuffer());
  return words ? { name, codes: values, words: await json(`/words/${number}`) } : { name, values };
}

/** A column's value in a row: a number, a word or null. */
export function valueOf(column, row) {
  return column.values ? column.values[row] : column.words[column.codes[row]];
}

/** Set or drop a filter, and show what is left. */
export function filter(name, test) {
  if (test) tests.set(name, test);
  else tests.delete(name);
  refilter();
}

/** Show what has all words of a text in its name. */
export function filterByWords(text) {
  words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length && !lowered.length) lowered = state.keys.map((key) => key.toLowerCase());
  filter("words", words.length && ((row) => words.every((word) => lowered[row].includes(word))));
}

/** Whether a name has the words that are looked for. */
export const named = (key) => words.every((word) => key.toLowerCase().includes(word));

/** Show what all filters leave, in the order of a search or as it is sorted. */
export function refilter() {
  const rows = state.ranking ? Int32Array.from(state.ranking.rows) : ordered;
  state.shown = tests.size ? passing(rows, [...tests.values()]) : rows;
  announce("shown");
}

/** Sort by a column, or by key; rows without a value come last. */
export function sortBy(name, down) {
  state.sort = { name, down };
  ordered = counting(state.keys.length);
  const column = state.columns.get(name);
  if (column) sortRows(ordered, column.values ?? alphabetical(column), down ? -1 : 1);
  else if (down) ordered.reverse();
  refilter();
}

function sortRows(rows, values, sign) {
  const last = (value) => (Number.isNaN(value) ? Infinity : sign * value);
  const order = mapped(Float64Array, values, last);
  rows.sort((a, b) => order[a] - order[b] || a - b);
}

/** Places of a column's words in the alphabet, by row. */
function alphabetical({ words, codes }) {
  const sorted = [...words.keys()].sort((a, b) => (words[a] < words[b] ? -1 : 1));
  const places = new Float64Array(words.length);
  sorted.forEach((code, place) => (places[code] = words[code] === null ? NaN : place));
  return mapped(Float64Array, codes, (code) => places[code]);
}

/** Show what a search has found, in its order; null ends that. */
export function rank(ranking) {
  state.ranking = ranking;
  announce("ranked");
  refilter();
}

export const scoreOf = (row) => state.ranking?.scores[state.ranking.rows.indexOf(row)];

/** Select or unselect rows. */
export function select(rows, wanted = true) {
  for (const row of rows) state.selected[row] = wanted ? 1 : 0;
  announce("selected");
}

export function selectedRows() {
  const rows = [];
  state.selected.forEach((yes, row) => yes && rows.push(row));
  return rows;
}
