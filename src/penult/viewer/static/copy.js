// Copying the selected images to a folder of this machine; the server does it, image by image.

import { $, ask, count, el, plural, posted, say, shown } from "./dom.js";
import { bits, selectedRows, state } from "./state.js";

const EVERY = 300; // milliseconds between looks at how far it is
const FOLDER = "folder to copy to"; // where the browser keeps the last one

const dialog = $("#copy");
const form = dialog.querySelector("form");
let asking = false;

export function start() {
  $("#copy-images").addEventListener("click", open);
  form.addEventListener("submit", begin);
  for (const name of ["close", "done"]) {
    $(`#copy-${name}`).addEventListener("click", () => dialog.close());
  }
  $("#copy-stop").addEventListener("click", () => ask("/copy/stop", { method: "POST" }));
}

async function open() {
  const now = await (await ask("/copy")).json();
  $("#copy-count").textContent = plural(selectedRows().length, "image");
  if (!form.folder.value) form.folder.value = localStorage.getItem(FOLDER) ?? "";
  dialog.showModal();
  if (now.at_work) follow(now);
  else show(null);
}

async function begin(event) {
  event.preventDefault();
  const { edition } = state;
  const folder = form.folder.value.trim();
  const link = form.how.value === "link";
  const body = JSON.stringify({ edition, rows: bits(selectedRows()), folder, link });
  try {
    const now = await posted("/copy", body);
    localStorage.setItem(FOLDER, folder);
    follow(now, link);
  } catch (error) {
    refuse(error.message);
  }
}

/** Show how far it is until it has ended. */
async function follow(now, link = false) {
  show(now, link);
  if (asking) return;
  asking = true;
  try {
    while (now.at_work) {
      await new Promise((done) => setTimeout(done, EVERY));
      now = await (await ask("/copy")).json();
      show(now, link);
    }
    if (!dialog.open) say(`${made(now, link)} ${now.folder}`);
  } catch (error) {
    refuse(error.message);
  } finally {
    asking = false;
  }
}

const made = ({ copied, of }, link) =>
  `${count(copied)} of ${plural(of, "image")} ${link ? "linked" : "copied"} to`;

function refuse(words) {
  show(null);
  $("#copy-trouble").textContent = words;
  form.folder.focus();
}

/** Show the form, or how far it is. */
function show(now, link) {
  form.hidden = Boolean(now);
  $("#copy-state").hidden = !now;
  $("#copy-trouble").textContent = now?.trouble ?? "";
  if (!now) return;
  $("#copy-stop").hidden = !now.at_work;
  $("#copy-done").hidden = now.at_work;
  $("#copy-bar").max = now.of;
  $("#copy-bar").value = now.copied + now.left_out;
  $("#copy-said").replaceChildren(made(now, link), " ", el("code", {}, shown(now.folder)));
  const more = now.left_out - now.told.length;
  const reasons = now.told.map(([key, why]) =>
    el("li", {}, el("b", {}, shown(key)), ` ${shown(why)}`),
  );
  if (more > 0) reasons.push(el("li", {}, `… and ${count(more)} more`));
  $("#copy-left-out").hidden = !now.left_out;
  $("#copy-left-out p").textContent = `${plural(now.left_out, "image")} left out`;
  $("#copy-left-out ul").replaceChildren(...reasons);
}
