// Groups that a column puts the rows into, if they are few enough for a list.

import { mapped } from "./arrays.js";
import { on, state } from "./state.js";

const FEW = 200; // values that are groups however small these are
const MANY = 2000; // values that are no groups any more
const NAMES = "_name"; // ends the name of a column of names
const EACH = 5; // rows that each of many values has at least, on average
const MEASURES = ["width", "height", "bytes", "mtime", "x", "y"]; // equal ones mean nothing

/**
 * @typedef {object} Categories
 * @property {{ label: string | number | null, count: number, code: number }[]} list
 * @property {ArrayLike<number>} codes of each row
 */

const known = new Map(); // name: Categories or null
const named = new Map(); // name: words by code, or null
on("renewed", () => {
  known.clear();
  named.clear();
});

/**
 * The values of a column, or the first folders of the keys; null if there are too many, or one.
 * @returns {Categories | null}
 */
export function categories(name) {
  if (!known.has(name)) known.set(name, found(name));
  return known.get(name);
}

function found(name) {
  const column = state.columns.get(name);
  if (!column) return name === "folder" ? counted(firstFolders()) : null;
  if (column.words) return counted(column);
  return MEASURES.includes(name) ? null : counted(wholeNumbers(column.values));
}

/** What groups are called, by their codes, if another column says so, as of clusters; or null. */
export function called(name) {
  if (!named.has(name)) named.set(name, foundNames(name));
  return named.get(name);
}

/** Whether a column only says what the groups of another are called. */
export const isNames = (name) =>
  name.endsWith(NAMES) && called(name.slice(0, -NAMES.length)) !== null;

function foundNames(name) {
  const names = state.columns.get(`${name}${NAMES}`);
  const groups = state.columns.has(name) && categories(name);
  if (!names?.words || !groups) return null;
  const words = [];
  for (let row = 0; row < groups.codes.length; row++) {
    const word = names.words[names.codes[row]];
    if (word === null) continue;
    words[groups.codes[row]] ??= word;
    if (words[groups.codes[row]] !== word) return null;
  }
  return words;
}

/** Each row's first folder, as a column of words; keys are sorted, so most have the last one's. */
function firstFolders() {
  const words = [];
  const byFolder = new Map();
  let folder = "";
  const codes = mapped(Int32Array, state.keys, (key) => {
    if (!folder || !key.startsWith(folder)) folder = key.slice(0, key.indexOf("/") + 1);
    return coded(folder, byFolder, words);
  });
  return { words: words.map((word) => word.slice(0, -1) || null), codes };
}

/** Numbers as a column of words; null if some aren't whole, or they are too many. */
function wholeNumbers(values) {
  const words = [];
  const byValue = new Map();
  const codes = new Int32Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (!Number.isInteger(value) && !Number.isNaN(value)) return null;
    codes[row] = coded(value, byValue, words);
    if (words.length > MANY) return null;
  }
  return { words: words.map((value) => (Number.isNaN(value) ? null : value)), codes };
}

function coded(value, byValue, words) {
  let code = byValue.get(value);
  if (code === undefined) {
    code = words.push(value) - 1;
    byValue.set(value, code);
  }
  return code;
}

/** Numbers in their order, words by how many rows have them. */
function counted(column) {
  if (!column) return null;
  const { words, codes } = column;
  const counts = new Uint32Array(words.length);
  for (let row = 0; row < codes.length; row++) counts[codes[row]]++;
  const list = words
    .map((label, code) => ({ label, code, count: counts[code] }))
    .filter(({ count }) => count);
  if (list.length < 2 || list.length > most(codes.length)) return null;
  const numbers = list.every(({ label }) => label === null || typeof label === "number");
  list.sort(numbers ? byLabel : (a, b) => b.count - a.count);
  return { list, codes };
}

/** How many groups so many rows may have. */
const most = (rows) => Math.max(FEW, Math.min(MANY, rows / EACH));

const byLabel = (a, b) => (a.label ?? Infinity) - (b.label ?? Infinity);
