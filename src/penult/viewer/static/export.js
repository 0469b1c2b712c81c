// The selected keys as a file, made by the browser.

import { el } from "./dom.js";
import { selectedRows, state, valueOf } from "./state.js";

const KEPT = 10_000; // milliseconds that the browser has to begin to read a file

/** Keys, one a line; a line break within a key is written as its escape. */
export function exportTxt() {
  const lines = selectedRows().map((row) => `${oneLine(state.keys[row])}\n`);
  download("txt", "text/plain", lines);
}

const oneLine = (key) => key.replaceAll("\n", "\\n").replaceAll("\r", "\\r");

/** Keys with all columns. */
export function exportCsv() {
  const columns = [...state.columns.values()];
  const values = (row) => [state.keys[row], ...columns.map((column) => valueOf(column, row))];
  const head = ["key", ...columns.map(({ name }) => name)];
  const lines = [head, ...selectedRows().map(values)];
  download("csv", "text/csv", lines.map((line) => `${line.map(cell).join(",")}\r\n`));
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
