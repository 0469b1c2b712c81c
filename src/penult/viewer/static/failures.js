// The images that gave no features, each with its reason.

import { $, count, el, plural, shown } from "./dom.js";
import { named, on, state } from "./state.js";

const MOST = 2000; // that are shown

export function start() {
  tell();
  on("renewed", tell);
  on("shown", list);
}

function tell() {
  $("#tab-failures").hidden = !state.failures.length;
  $("#tab-failures .badge").textContent = count(state.failures.length);
}

/** List those whose names have the words that are looked for. */
function list() {
  const found = state.failures.filter(([key]) => named(key));
  const more = found.length - MOST;
  const headings = ["Image", "Reason"].map((word) => el("th", { scope: "col" }, word));
  const lines = found.slice(0, MOST).map(([key, reason]) => line(key, ...parts(reason)));
  $("#failures").replaceChildren(
    summary(found),
    el("table", {}, el("thead", {}, el("tr", {}, ...headings)), el("tbody", {}, ...lines)),
    more > 0 ? el("p", {}, `… and ${count(more)} more`) : "",
  );
}

/** How many failed, of what, and what may help. */
function summary(found) {
  const kinds = new Map();
  for (const [, reason] of found) {
    const [kind] = parts(reason);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const byCount = [...kinds].sort((a, b) => b[1] - a[1]);
  const told = byCount.map(([kind, n]) => `${count(n)} ${shown(kind)}`).join(", ");
  const command = el("code", {}, "penult extract --retry-failed");
  const text = `${plural(found.length, "image")} gave no features${told && `: ${told}`}. `;
  return el("p", {}, text, command, " tries them again.");
}

/** The kind of a reason, and its words. */
const parts = (reason) => /^(.*?)(?:: (.*))?$/s.exec(reason).slice(1);

function line(key, kind, words = "") {
  const why = el("td", {}, el("b", {}, shown(kind)), ` ${shown(words)}`);
  return el("tr", {}, el("td", {}, shown(key)), why);
}
