// Dark or light: as the system has it, until the person chooses.

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

function set(theme) {
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
}

/** Take what was chosen before. */
export const start = () => set(localStorage.getItem("theme"));

/** Change to the other, for good. */
export function turn() {
  const now = root.dataset.theme ?? (system.matches ? "dark" : "light");
  const other = now === "dark" ? "light" : "dark";
  localStorage.setItem("theme", other);
  set(other);
}
