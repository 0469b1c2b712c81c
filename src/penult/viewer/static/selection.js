// What can be done with the images that are selected.

import * as chips from "./chips.js";
import { $, count, plural, say } from "./dom.js";
import { copyKeys, exportCsv, exportKeys } from "./export.js";
import { on, select, selectedRows, showOnly, state } from "./state.js";

export function start() {
  const actions = {
    "#copy-keys": copyKeys,
    "#export-keys": exportKeys,
    "#export-csv": () => exportCsv().catch((error) => say(error.message)),
    "#only-selected": onlySelected,
    "#unselect": unselect,
    "#select-all": () => select(state.shown),
  };
  for (const [button, action] of Object.entries(actions)) {
    $(button).addEventListener("click", action);
  }
  on("selected", () => {
    const { length } = selectedRows();
    $("#selection").hidden = length === 0;
    $("#selection b").textContent = `${count(length)} selected`;
  });
  on("shown", () => ($("#select-all").disabled = state.shown.length === 0));
}

export const unselect = () => select(selectedRows(), false);

function onlySelected() {
  const label = plural(selectedRows().length, "selected image");
  chips.say("selection", label, () => showOnly(null));
  showOnly(Uint8Array.from(state.selected));
}
