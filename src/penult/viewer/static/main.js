// The page begins here: loads the table, starts each part, wires the bar and the keyboard.

import * as copy from "./copy.js";
import * as detail from "./detail.js";
import { $, count, plural, say, shown } from "./dom.js";
import * as failures from "./failures.js";
import * as filters from "./filters.js";
import * as grid from "./grid.js";
import * as map from "./map.js";
import * as renewal from "./renewal.js";
import * as search from "./search.js";
import * as sort from "./sort.js";
import * as selection from "./selection.js";
import { load, on, refilter, select, state } from "./state.js";
import * as theme from "./theme.js";
import * as words from "./words.js";

const VIEWS = ["grid", "map", "failures"];
const FOCUSED = { grid: "#tiles", map: "#points", failures: "#failures" }; // have the keys

function begin() {
  name();
  on("renewed", name);
  grid.start(detail.open);
  detail.start();
  filters.start();
  search.start(() => {
    document.querySelector("dialog[open]")?.close();
    show("grid");
  });
  words.start(() => {
    if (viewed() !== "failures") return;
    show("grid");
    $("#words").focus();
  });
  failures.start();
  sort.start();
  map.start(detail.open);
  selection.start();
  copy.start();
  wireBar();
  document.addEventListener("keydown", pressed);
  on("shown", tell);
  refilter();
  $("#loading").remove();
  document.body.classList.add("ready");
  focusView();
  renewal.start();
}

function name() {
  const { table, provenance, out_of_reach } = state.meta;
  document.title = `${shown(table)} – penult`;
  $("#table-name").textContent = shown(table);
  const made = Object.entries(provenance).map(([fact, value]) => shown(`${fact}: ${value}`));
  $("#table-name").title = made.join("\n");
  $("#out-of-reach").textContent = shown(out_of_reach);
  $("#out-of-reach").hidden = !out_of_reach;
}

function wireBar() {
  $("#words").addEventListener("keydown", leaveWords);
  for (const view of VIEWS) $(`#tab-${view}`).addEventListener("click", () => show(view));
  $(".tabs").addEventListener("keydown", betweenTabs);
  $("#theme").addEventListener("click", theme.turn);
  $("#open-help").addEventListener("click", () => $("#help").showModal());
  $("#open-filters").addEventListener("click", () => openFilters());
  $("#filters").addEventListener("close", () => openFilters(false));
  $("main").addEventListener("click", closeFilters, { capture: true });
  $("#clear-all").addEventListener("click", filters.clearAll);
}

/** Leave the words for the images; Escape takes them away first. */
function leaveWords({ key }) {
  if (key === "Escape" && words.clear()) return;
  if (key === "Enter") words.enter();
  if (["Enter", "Escape"].includes(key) || (key === "ArrowDown" && !$("#words").list)) {
    $("#words").blur();
    focusView();
  }
}

function show(view) {
  if ($(`#tab-${view}`).hidden) return;
  document.body.dataset.view = view;
  for (const each of VIEWS) {
    const here = each === view;
    $(`#${each}`).hidden = !here;
    $(`#tab-${each}`).ariaSelected = here;
    $(`#tab-${each}`).tabIndex = here ? 0 : -1;
  }
  if (view === "map") map.show();
  focusView();
  tell();
}

/** Let the keys go to the images. */
const focusView = () => $(FOCUSED[viewed()]).focus({ preventScroll: true });

const viewed = () => document.body.dataset.view ?? "grid";

function betweenTabs(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const tabs = VIEWS.map((view) => $(`#tab-${view}`)).filter((tab) => !tab.hidden);
  const next = tabs.at((tabs.indexOf(document.activeElement) + step) % tabs.length);
  next.click();
  next.focus();
  event.stopPropagation();
}

function openFilters(open = !document.body.classList.contains("filtering")) {
  document.body.classList.toggle("filtering", open);
  $("#open-filters").ariaExpanded = open;
}

/** A tap beside the filters of a phone closes them, and does no more. */
function closeFilters(event) {
  if (!document.body.classList.contains("filtering")) return;
  openFilters(false);
  event.stopPropagation();
}

/** Say how many images are shown. */
function tell() {
  const [some, all] = [state.shown.length, plural(state.keys.length, "image")];
  $("#count").textContent = some === state.keys.length ? all : `${count(some)} of ${all}`;
  const silent = some > 0 || viewed() === "failures";
  $("#bare").hidden = silent || state.keys.length > 0;
  $("#empty").hidden = silent || state.keys.length === 0;
  $("#only-names").hidden = !$("#words").value;
}

/** End what is open or chosen, one thing at a time. */
function back() {
  if (document.body.classList.contains("filtering")) openFilters(false);
  else if (viewed() === "map" && map.lassoing()) map.toggleLasso();
  else if (state.selected.includes(1)) selection.unselect();
  else if (state.ranking) search.end();
}

const KEYS = {
  "/": () => $("#words").select(),
  "?": () => $("#help").showModal(),
  g: () => show("grid"),
  m: () => show("map"),
  f: () => show("failures"),
  t: theme.turn,
  l: () => viewed() === "map" && map.toggleLasso(),
  0: map.fit,
  Escape: back,
};

/** Let the images have a key that nothing else has, as after a click beside them. */
function passOn(event) {
  focusView();
  const { activeElement } = document;
  if (activeElement === document.body) return false;
  if (!activeElement.dispatchEvent(new KeyboardEvent("keydown", event))) event.preventDefault();
  return true;
}

function pressed(event) {
  const { target, key } = event;
  if (document.querySelector("dialog[open]")) return;
  if (target === document.body && passOn(event)) return;
  const typing = target.matches("input:not([type=checkbox], [type=range]), select");
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (key !== "a" || event.altKey || typing || viewed() === "failures") return;
    select(state.shown);
  } else if (!KEYS[key] || typing) return;
  else KEYS[key]();
  event.preventDefault();
}

addEventListener("unhandledrejection", ({ reason }) => say(reason.message));

if (location.search) history.replaceState(null, "", "/"); // the token, which the cookie replaces
theme.start();

try {
  await load();
  begin();
} catch (error) {
  $("#loading").textContent = error.message;
}
