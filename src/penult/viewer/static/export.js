// The selected keys as a file, made by the browser.

import { el } from "./dom.js";
import { selectedRows, state, valueOf } from "./state.js";

const BREAKS = /[\n\r]/g;

/** Keys, one a line; a line break within a key is written as its escape. */
export function exportTxt() {
  const lines = selectedRows().map((row) => state.keys[row].replace(BREAKS, (c) => (c === "\n" ? "\\n" : "\\r")));
  download("txt", "text/plain", lines.join("\n") + "\n");
}

/** Keys with all columns, and the score of a search. */
export function exportCsv() {
  const columns = [...state.columns.values()];
  const rows = selectedRows().map((row) => [state.keys[row], ...columns.map((column) => valueOf(column, row))]);
  const head = ["key", ...columns.map(({ name }) => name)];
  download("csv", "text/csv", [head, ...rows].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n");
}

function cell(value) {
  if (value === null || Number.isNaN(value)) return "";
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function download(suffix, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const name = state.meta.table.replace(/\.lance$/, "");
  el("a", { href: address, download: `${name}-selected.${suffix}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
