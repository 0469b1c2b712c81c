// The selected keys, to the clipboard or as a file, which the browser makes.

import { el, plural, posted, say } from "./dom.js";
import { bits, selectedRows, state, valueOf } from "./state.js";

const KEPT = 10_000; // milliseconds that the browser has to begin to read a file
const ENDING = /[\\\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g; // as in penult/util/keys.py
const SHORT = { "\\": "\\\\", "\n": "\\n", "\r": "\\r" };

/** Selected keys, one a line, as `--keys` takes them. */
const lines = () => selectedRows().map((row) => `${asLine(state.keys[row])}\n`);

const asLine = (key) =>
  key.replace(ENDING, (c) => {
    const code = c.charCodeAt(0).toString(16);
    return SHORT[c] ?? (code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`);
  });

export async function copyKeys() {
  const keys = lines();
  try {
    await navigator.clipboard.writeText(keys.join(""));
    say(`${plural(keys.length, "key")} copied`);
  } catch {
    say("The browser lets no page copy here: download the keys");
  }
}

export const exportKeys = () => download("keys.txt", "text/plain", lines());

/** Keys with the images' paths and all columns. */
export async function exportCsv() {
  const rows = selectedRows();
  const body = JSON.stringify({ edition: state.edition, rows: bits(rows) });
  const paths = await posted("/paths", body);
  const columns = [...state.columns.values()];
  const values = (row, i) => [
    state.keys[row],
    paths[i],
    ...columns.map((column) => valueOf(column, row)),
  ];
  const head = ["key", "path", ...columns.map(({ name }) => name)];
  const table = [head, ...rows.map(values)];
  download("csv", "text/csv", table.map((line) => `${line.map(cell).join(",")}\r\n`));
}

function cell(value) {
  if (value === null || Number.isNaN(value)) return "";
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function download(suffix, type, lines) {
  const address = URL.createObjectURL(new Blob(lines, { type: `${type};charset=utf-8` }));
  const name = state.meta.table.replace(/\.lance$/, "");
  el("a", { href: address, download: `${name}-selected.${suffix}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT);
}
