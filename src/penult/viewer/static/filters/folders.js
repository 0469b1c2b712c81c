// Folders, one level at a time, with the way back above.

import { count, el, shown } from "../dom.js";
import { filter, state } from "../state.js";
import { shortened } from "./list.js";

/** @returns {import("../filters.js").Part | null} null if no key has a folder */
export function folders() {
  if (!state.keys.some((key) => key.includes("/"))) return null;
  const element = el("section");
  let current = "";
  const go = (folder) => {
    current = folder;
    draw(element, folder, go);
    filter("/folder", folder && ((row) => state.keys[row].startsWith(folder)));
  };
  const restore = (folder) => state.keys.some((key) => key.startsWith(folder)) && go(folder);
  draw(element, "", go);
  return { name: "/folder", element, clear: () => go(""), kept: () => current, restore };
}

function draw(element, folder, go) {
  const list = [...below(folder)].map(([name, n]) => item(name, n, () => go(`${folder}${name}/`)));
  const way = folder ? [wayTo(folder, go)] : [];
  element.replaceChildren(el("h3", {}, "Folders"), ...way, shortened(list, "Folders"));
}

/** Names of the folders within one, with how many images each has. */
function below(folder) {
  const counts = new Map();
  for (const key of state.keys) {
    if (!key.startsWith(folder)) continue;
    const end = key.indexOf("/", folder.length);
    if (end < 0) continue;
    const name = key.slice(folder.length, end);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** The folders above, to go back to. */
function wayTo(folder, go) {
  const names = folder.split("/").slice(0, -1);
  const above = names.map((name, i) => [name, `${names.slice(0, i + 1).join("/")}/`]);
  const steps = [["All", ""], ...above].map(([name, to]) => {
    const button = el("button", { className: "link" }, shown(name));
    button.addEventListener("click", () => go(to));
    return button;
  });
  return el("nav", { "aria-label": "Folders above" }, ...steps);
}

function item(name, n, action) {
  const number = el("small", {}, count(n));
  const button = el("button", { className: "item" }, el("span", {}, shown(name)), number);
  button.addEventListener("click", action);
  return el("li", {}, button);
}
