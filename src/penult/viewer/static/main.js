// The page begins here: loads the table, wires the bar, the keyboard and the selection.

import * as detail from "./detail.js";
import { $, count, el, plural, say, shown, title } from "./dom.js";
import * as filters from "./filters.js";
import * as grid from "./grid.js";
import * as map from "./map.js";
import * as search from "./search.js";
import { exportCsv, exportTxt } from "./export.js";
import { announce, filter, filterByWords, load, on, select, selectedRows, sortBy, state } from "./state.js";

const VIEWS = ["grid", "map", "failures"];

function begin() {
  const { meta } = state;
  document.title = `${shown(meta.table)} – penult`;
  $("#table-name").textContent = shown(meta.table);
  $("#table-name").title = Object.entries(meta.provenance).map((pair) => shown(pair.join(": "))).join("\n");
  for (const part of [grid, detail]) part.start(detail.open);
  filters.start();
  search.start(() => show("grid"));
  $("#tab-map").hidden = !map.start(detail.open);
  listFailures();
  chooseSort();
  wire();
  on("shown", tell);
  on("selected", tellSelected);
  on("ranked", () => chooseSort());
  announce("shown");
  $("#loading").remove();
  document.body.classList.add("ready");
  grid.focusTiles();
}

function wire() {
  const words = $("#words");
  words.addEventListener("input", () => filterByWords(words.value));
  words.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !words.value) grid.focusTiles();
    if (event.key === "Enter" || event.key === "ArrowDown") grid.focusTiles();
  });
  for (const name of VIEWS) $(`#tab-${name}`).addEventListener("click", () => show(name));
  $(".tabs").addEventListener("keydown", betweenTabs);
  $("#theme").addEventListener("click", turn);
  $("#open-help").addEventListener("click", () => $("#help").showModal());
  $("#open-filters").addEventListener("click", () => openFilters());
  $("#filters").addEventListener("close", () => openFilters(false));
  $("#sort").addEventListener("change", () => {
    const [name, down] = $("#sort").value.split(/ (?=\w+$)/);
    sortBy(name, down === "down");
  });
  $("#export-txt").addEventListener("click", exportTxt);
  $("#export-csv").addEventListener("click", exportCsv);
  $("#unselect").addEventListener("click", () => select(selectedRows(), false));
  $("#only-selected").addEventListener("click", onlySelected);
  $("#clear-all").addEventListener("click", filters.clearAll);
  document.addEventListener("keydown", pressed);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", map.recolour);
}

function show(name) {
  if ($(`#tab-${name}`).hidden) return;
  document.body.dataset.view = name;
  for (const each of VIEWS) {
    const here = each === name;
    $(`#${each}`).hidden = !here;
    $(`#tab-${each}`).setAttribute("aria-selected", here);
    $(`#tab-${each}`).tabIndex = here ? 0 : -1;
  }
  if (name === "map") map.show();
  tell();
  if (name === "grid") grid.focusTiles();
}

function betweenTabs(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const there = VIEWS.map((name) => $(`#tab-${name}`)).filter((tab) => !tab.hidden);
  const next = there[(there.indexOf(document.activeElement) + step + there.length) % there.length];
  next.click();
  next.focus();
  event.stopPropagation();
}

function openFilters(open = !document.body.classList.contains("filtering")) {
  document.body.classList.toggle("filtering", open);
  $("#open-filters").setAttribute("aria-expanded", open);
}

function tell() {
  const [there, all] = [state.shown.length, state.keys.length];
  $("#count").textContent = there === all ? plural(all, "image") : `${count(there)} of ${plural(all, "image")}`;
  $("#empty").hidden = there > 0 || document.body.dataset.view === "failures";
}

function tellSelected() {
  const rows = selectedRows();
  $("#selection").hidden = rows.length === 0;
  $("#selection b").textContent = `${count(rows.length)} selected`;
}

function onlySelected() {
  const wanted = Uint8Array.from(state.selected);
  filters.chip("selection", `${plural(selectedRows().length, "selected image")}`, () => filter("selection", null));
  filter("selection", (row) => wanted[row]);
}

function chooseSort() {
  const options = [...state.columns.keys()].flatMap((name) => [
    new Option(`${title(name)} ↑`, `${name} up`),
    new Option(`${title(name)} ↓`, `${name} down`),
  ]);
  const byName = [new Option("Name", "key up"), new Option("Name, last first", "key down")];
  const { name, down } = state.sort;
  const near = state.ranking ? [new Option("Nearness", "near", true, true)] : [];
  $("#sort").replaceChildren(...near, ...byName, ...options);
  $("#sort").disabled = Boolean(state.ranking);
  if (!state.ranking) $("#sort").value = `${name} ${down ? "down" : "up"}`;
}

const LISTED = 2000; // failures that are shown

function listFailures() {
  const { failures } = state;
  $("#tab-failures").hidden = !failures.length;
  $("#tab-failures .badge").textContent = count(failures.length);
  const lines = failures.slice(0, LISTED).map(([key, reason]) => {
    const [kind, ...rest] = reason.split(": ");
    return el("tr", {}, el("td", {}, shown(key)), el("td", {}, el("b", {}, shown(kind)), ` ${shown(rest.join(": "))}`));
  });
  const head = el("tr", {}, el("th", { scope: "col" }, "Image"), el("th", { scope: "col" }, "Reason"));
  $("#failures").replaceChildren(
    el("p", {}, `${plural(failures.length, "image")} gave no features. `, el("code", {}, "penult extract --retry-failed"), " tries them again."),
    el("table", {}, el("thead", {}, head), el("tbody", {}, ...lines)),
  );
  if (failures.length > LISTED) $("#failures").append(el("p", {}, `… and ${count(failures.length - LISTED)} more`));
}

function dark(choice) {
  if (choice === null) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice === "true" ? "dark" : "light";
}

function turn() {
  const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const wanted = String(now === "light");
  localStorage.setItem("dark", wanted);
  dark(wanted);
  map.recolour();
}

const KEYS = {
  "/": () => $("#words").select(),
  "?": () => $("#help").showModal(),
  g: () => show("grid"),
  m: () => show("map"),
  f: () => show("failures"),
  t: turn,
  l: () => map.toggleLasso(),
  0: () => map.fit(),
  Escape: () => {
    if (document.body.classList.contains("filtering")) openFilters(false);
    else if (selectedRows().length) select(selectedRows(), false);
    else if (state.ranking) search.end();
  },
};

function pressed(event) {
  const { target, key } = event;
  if (document.querySelector("dialog[open]")) return;
  const typing = target.matches("input:not([type=checkbox], [type=range]), select");
  if ((event.ctrlKey || event.metaKey) && key === "a" && !typing) {
    select(state.shown);
    event.preventDefault();
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey && (!typing || key === "Escape") && KEYS[key]) {
    if (typing) target.blur();
    else event.preventDefault();
    KEYS[key]();
  }
}

addEventListener("unhandledrejection", (event) => say(event.reason.message));

if (location.search) history.replaceState(null, "", "/"); // the token, which the cookie replaces
dark(localStorage.getItem("dark"));

try {
  await load();
  begin();
} catch (error) {
  $("#loading").textContent = error.message;
}
