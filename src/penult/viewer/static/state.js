// What is looked at: the table's keys and columns, which rows are shown in what order, which are
// selected. Changes are announced: "shown", "selected", "ranked", "filtered"; and when the table has
// another edition "leaving" before it is taken, and "renewed" after.

import { counting, inBits, mapped, passing } from "./arrays.js";
import { ask } from "./dom.js";

/**
 * A column has numbers, NaN for none; or words, each once, and for each row the place of its word.
 * @typedef {{ name: string, values: ArrayLike<number> }} Numbers
 * @typedef {{ name: string, words: (string | null)[], codes: ArrayLike<number> }} Words
 */

export const state = {
  edition: 0, // which numbers the rows
  meta: null,
  keys: [], // in the table's order; a row is a place in it
  /** @type {Map<string, Numbers | Words>} */
  columns: new Map(),
  failures: [],
  shown: new Int32Array(0), // rows, in order
  selected: new Uint8Array(0), // by row
  only: null, // the same, of those that alone are shown
  moved: null, // by row of the edition before: where it is now, -1 if it has gone
  ranking: null, // { rows, scores } of a search
  sort: { name: "key", down: false },
};

const events = new EventTarget();
const announce = (name) => events.dispatchEvent(new Event(name));
export const on = (names, action) =>
  names.split(" ").forEach((name) => events.addEventListener(name, action));

const tests = new Map(); // of each filter: row => whether it is shown; columns' have their names
let ordered = new Int32Array(0); // all rows as they are sorted
let words = []; // that names are to have, in lower case
let lowered = []; // keys
let held = false; // whether what is shown waits for more to change

/** The address of something of this edition. */
export const at = (path) => `/${state.edition}/${path}`;

/** Ask the server for all of its edition. */
export async function load() {
  const { edition } = await json("/edition");
  Object.assign(state, await fetched(edition), { edition });
  state.selected = new Uint8Array(state.keys.length);
  ordered = counting(state.keys.length);
}

/**
 * Take another edition; what is selected and how it is sorted stays, and filters come back when it
 * is announced.
 */
export async function renew(edition) {
  const found = await fetched(edition);
  announce("leaving");
  const moved = movedTo(state.keys, found.keys);
  const kept = (flags) => carried(flags, moved, found.keys.length);
  const { selected, only } = state;
  Object.assign(state, found, { edition, moved, selected: kept(selected), only: only && kept(only) });
  if (state.ranking) state.ranking = stayed(state.ranking, moved);
  lowered = [];
  tests.clear();
  together(() => {
    filterByWords(words.join(" "));
    showOnly(state.only);
    sortBy(state.columns.has(state.sort.name) ? state.sort.name : "key", state.sort.down);
    announce("renewed");
  });
  announce("selected");
}

async function fetched(edition) {
  const of = (path) => `/${edition}/${path}`;
  const [meta, keys] = await Promise.all([json(of("meta")), json(of("keys"))]);
  const columns = await Promise.all(meta.columns.map((each, number) => column(of, each, number)));
  const failures = meta.failed ? await json(of("failures")) : [];
  return { meta, keys, failures, columns: new Map(columns.map((each) => [each.name, each])) };
}

/** Where each key is now; -1 if it has gone. */
function movedTo(before, now) {
  if (before.length === now.length && before.every((key, row) => key === now[row])) {
    return counting(now.length);
  }
  const places = new Map(now.map((key, row) => [key, row]));
  return mapped(Int32Array, before, (key) => places.get(key) ?? -1);
}

function carried(flags, moved, count) {
  const now = new Uint8Array(count);
  for (let row = 0; row < flags.length; row++) if (moved[row] >= 0) now[moved[row]] = flags[row];
  return now;
}

/** What a search found that is still there. */
function stayed({ rows, scores }, moved) {
  const pairs = rows.map((row, i) => [moved[row], scores[i]]).filter(([row]) => row >= 0);
  return { rows: pairs.map(([row]) => row), scores: pairs.map(([, score]) => score) };
}

const json = async (path) => (await ask(path)).json();

const ARRAYS = { Int32Array, Float32Array, Float64Array };

async function column(of, { name, array, words }, number) {
  const answer = await ask(of(`column/${number}`));
  const values = new ARRAYS[array](await answer.arrayBuffer());
  return words
    ? { name, codes: values, words: await json(of(`words/${number}`)) }
    : { name, values };
}

/** A column's value in a row: a number, a word or null. */
export function valueOf(column, row) {
  return column.values ? column.values[row] : column.words[column.codes[row]];
}

/** Set or drop a filter, and show what is left. */
export function filter(name, test) {
  if (!test && !tests.has(name)) return;
  if (test) tests.set(name, test);
  else tests.delete(name);
  refilter();
  if (!held) announce("filtered");
}

/** Change several things, and show what they leave at the end. */
function together(change) {
  held = true;
  try {
    change();
  } finally {
    held = false;
  }
  refilter();
  announce("filtered");
}

/** Show some rows alone, by row; null shows others too. */
export function showOnly(flags) {
  state.only = flags;
  filter("/selection", flags && ((row) => state.only[row]));
}

/** Rows that all filters leave, in the table's order; null if there is no filter. */
export const left = () =>
  tests.size ? passing(counting(state.keys.length), [...tests.values()]) : null;

export const filtered = () => tests.size > 0;

/** Rows as the server takes them. */
export const bits = (rows) => inBits(rows, state.keys.length);

/** Show what has all words of a text in its name. */
export function filterByWords(text) {
  words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length && !lowered.length) lowered = state.keys.map((key) => key.toLowerCase());
  filter("/words", words.length > 0 && ((row) => words.every((word) => lowered[row].includes(word))));
}

/** Whether a name has the words that are looked for. */
export const named = (key) => words.every((word) => key.toLowerCase().includes(word));

/** Show what all filters leave, in the order of a search or as it is sorted. */
export function refilter() {
  if (held) return;
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
