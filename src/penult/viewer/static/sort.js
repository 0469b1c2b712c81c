// The order of the images, as it is chosen above them.

import { $, title } from "./dom.js";
import { on, sortBy, state } from "./state.js";

export function start() {
  $("#sort").addEventListener("change", () => {
    const { name, down } = choices().find(({ value }) => value === $("#sort").value);
    sortBy(name, down);
  });
  on("ranked renewed", list);
  list();
}

/** Offer what there is; what a search has found has its own order. */
function list() {
  const { sort, ranking } = state;
  const options = choices().map(({ label, value, name, down }) => {
    const current = name === sort.name && down === sort.down;
    return new Option(label, value, current, current);
  });
  const near = ranking ? [new Option("Nearness", "", true, true)] : [];
  $("#sort").replaceChildren(...options, ...near);
  $("#sort").disabled = Boolean(ranking);
}

function choices() {
  const columns = [...state.columns.keys()].flatMap((name) => [
    choice(name, false, `${title(name)} ↑`),
    choice(name, true, `${title(name)} ↓`),
  ]);
  return [choice("key", false, "Name"), choice("key", true, "Name, last first"), ...columns];
}

const choice = (name, down, label) => ({
  name,
  down,
  label,
  value: `${name} ${down ? "down" : "up"}`,
});
