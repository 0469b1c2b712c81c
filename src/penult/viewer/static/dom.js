// The page's few tools: elements made with text only, names made fit to show, requests.

export const $ = (selector) => document.querySelector(selector);

/** Make an element; strings become text, never markup. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

const STEERING = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A key as it is shown: characters that would break or turn the line are written out. */
export const shown = (text) =>
  text.replace(STEERING, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

/** A name as a shell takes it. */
export const quoted = (name) =>
  /^[\w./-]+$/.test(name) ? name : `'${shown(name).replaceAll("'", "'\\''")}'`;

const LONGEST = 100; // characters of a name in a line

/** A name that leaves room for what is said of it. */
export const short = (name) => (name.length > LONGEST ? name.slice(0, LONGEST - 1) + "…" : name);

export const baseName = (key) => key.slice(key.lastIndexOf("/") + 1);
export const folderOf = (key) => key.slice(0, key.lastIndexOf("/") + 1);

const COUNT = new Intl.NumberFormat("en");
export const count = (n) => COUNT.format(n);
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

/** A number with as many digits as a person wants. */
export const figure = (x) =>
  Number.isInteger(x) ? count(x) : Number(x.toPrecision(4)).toLocaleString("en");

const UNITS = ["bytes", "kB", "MB", "GB"];

/** A column's value in words. */
export function inWords(name, value) {
  if (value === null || Number.isNaN(value)) return "—";
  if (name === "cluster") return groupName(name, value);
  if (name === "mtime") return new Date(value * 1000).toLocaleString();
  if (name === "bytes") {
    const power = Math.min(3, Math.max(0, Math.floor(Math.log10(value || 1) / 3)));
    return `${Number((value / 1000 ** power).toPrecision(3))} ${UNITS[power]}`;
  }
  return typeof value === "number" ? figure(value) : shown(value);
}

/** The name of a group, which a column's value makes; another column may know what it is called. */
export function groupName(column, value, called = "") {
  if (value === null) return "none";
  if (column === "cluster" && value === -1) return "noise";
  const name = shown(String(value));
  return called ? `${name} · ${shown(called)}` : name;
}

const TITLES = { width: "Width", height: "Height", bytes: "File size", mtime: "Date", key: "Name" };
export const title = (name) => TITLES[name] ?? shown(name[0].toUpperCase() + name.slice(1));

/** Ask the server; what it refuses is an error with its words. */
export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("penult has stopped: start `penult view` again");
  }
  if (!answer.ok) throw new Refusal(shown(await answer.text()), answer.status);
  return answer;
}

/** What the server says to what it won't do. */
export class Refusal extends Error {
  constructor(words, status) {
    super(words);
    this.status = status;
  }
}

export const posted = async (path, body) => (await ask(path, { method: "POST", body })).json();

let hiding;

/** Show one line, for some seconds. */
export function say(text, seconds = 6) {
  const message = $("#message");
  message.textContent = text;
  message.hidden = false;
  clearTimeout(hiding);
  if (seconds < Infinity) hiding = setTimeout(unsay, 1000 * seconds);
}

export const unsay = () => ($("#message").hidden = true);

/** An action that is done once when the next frame is drawn, however often it is asked for. */
export const nextFrame = (action) => {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      action();
    });
  };
};
