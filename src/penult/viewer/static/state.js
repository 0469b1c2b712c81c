// What is looked at: the table's keys and columns, which rows are shown in what order, which are
// selected. Changes are announced: "shown", "selected", "ranked".

import { ask, folderOf } from "./dom.js";

export const state = {
  meta: null,
  keys: [], // in the table's order; a row is a place in it
  columns: new Map(), // name: { name, values } numbers, or { name, words, codes }
  failures: [],
  shown: new Int32Array(0), // rows, in order
  selected: new Uint8Array(0), // by row
  ranking: null, // { rows, scores, label, picture }, of a search
  sort: { name: "key", down: false },
  filters: new Map(), // name: row => boolean
};

const events = new EventTarget();
export const on = (names, action) =>
  names.split(" ").forEach((name) => events.addEventListener(name, action));
export const announce = (name) => events.dispatchEvent(new Event(name));

let lowered = []; // keys, for the filter by name

export async function load() {
  const [meta, keys] = await Promise.all(["/meta", "/keys"].map(json));
  state.meta = meta;
  state.keys = keys;
  state.selected = new Uint8Array(keys.length);
  const columns = await Promise.all(meta.columns.map(values));
  for (const column of columns) state.columns.set(column.name, column);
  if (meta.failed) state.failures = await json("/failures");
  refilter();
}

const json = async (path) => (await ask(path)).json();

async function values({ name, words }, number) {
  const answer = await ask(`/column/${number}`);
  if (words) return { name, ...(await answer.json()) };
  return { name, values: new Float64Array(await answer.arrayBuffer()) };
}

/** A column's value in a row: a number, a word or null. */
export function valueOf(column, row) {
  if (column.values) return column.values[row];
  const code = column.codes[row];
  return code === null ? null : column.words[code];
}

/** Set or drop a filter, and show what is left. */
export function filter(name, test) {
  if (test) state.filters.set(name, test);
  else state.filters.delete(name);
  refilter();
}

export function filterByWords(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length && !lowered.length) lowered = state.keys.map((key) => key.toLowerCase());
  filter("words", words.length && ((row) => words.every((word) => lowered[row].includes(word))));
}

export function refilter() {
  const tests = [...state.filters.values()];
  const rows = state.ranking ? state.ranking.rows : state.keys.keys();
  const kept = [];
  for (const row of rows) if (tests.every((test) => test(row))) kept.push(row);
  state.shown = Int32Array.from(kept);
  if (!state.ranking) sortRows(state.shown);
  announce("shown");
}

function sortRows(rows) {
  const { name, down } = state.sort;
  const column = state.columns.get(name);
  if (column) {
    const order = column.values ?? wordOrder(column);
    const sign = down ? -1 : 1;
    const last = (value) => (value === null || Number.isNaN(value) ? Infinity : sign * value);
    rows.sort((a, b) => last(order[a]) - last(order[b]) || a - b);
  } else if (down) rows.reverse();
}

/** Places of a column's words in the alphabet, by row. */
function wordOrder({ words, codes }) {
  const sorted = words.map((_, code) => code).sort((a, b) => (words[a] < words[b] ? -1 : 1));
  const place = new Map(sorted.map((code, i) => [code, i]));
  return codes.map((code) => (code === null ? null : place.get(code)));
}

export function sortBy(name, down) {
  state.sort = { name, down };
  refilter();
}

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

/** Values that rows can be told apart by, few enough for a list: [{ label, count, code }]. */
export function categories(name) {
  if (name === "folder") return byCount(state.keys.map(topFolder));
  const column = state.columns.get(name);
  if (!column) return null;
  if (column.words) return byCount(column.codes.map((code) => column.words[code] ?? null));
  if (["width", "height", "bytes", "mtime", "x", "y"].includes(name)) return null;
  const whole = column.values.every((value) => Number.isNaN(value) || Number.isInteger(value));
  return whole ? byCount(Array.from(column.values, (v) => (Number.isNaN(v) ? null : v))) : null;
}

export const topFolder = (key) => folderOf(key).split("/")[0] || null;
const MANY = 200; // values that are no categories any more

function byCount(values) {
  const counts = new Map();
  const codes = new Int32Array(values.length);
  const index = new Map();
  values.forEach((value, row) => {
    if (!index.has(value)) index.set(value, index.size);
    codes[row] = index.get(value);
    counts.set(value, (counts.get(value) ?? 0) + 1);
  });
  if (counts.size > MANY || counts.size < 2) return null;
  const list = [...counts].map(([label, count]) => ({ label, count, code: index.get(label) }));
  const numbers = list.every(({ label }) => label === null || typeof label === "number");
  list.sort((a, b) => (numbers ? (a.label ?? Infinity) - (b.label ?? Infinity) : b.count - a.count));
  return { list, codes };
}
