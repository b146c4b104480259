// SPDX-License-Identifier: Apache-2.0
// Elements and texts. What a library or a client named is set as text, never as markup.

function put(element, content) {
  for (const child of [content].flat(3)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/* make("p.soft", "words", { title: "more" }) */
function make(what, content, attributes = {}) {
  const [tag, ...names] = what.split(".");
  const element = document.createElement(tag);
  if (names.length) element.className = names.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  return put(element, content);
}

function draw(tag, attributes = {}, content = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return put(element, content);
}

const byId = id => document.getElementById(id);

/* Only what changed: a selection, and what a screen reader reads, stay. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function mark(element, name) {
  if (element.className !== name) element.className = name;
}

/* A number and its unit, the unit smaller. */
function sayMeasure(element, [value, unit]) {
  if (element.dataset.is === value + unit) return;
  element.dataset.is = value + unit;
  element.replaceChildren(value, ...(unit ? [make("span.unit", unit)] : []));
}

const NONE = "\u2013";
const digits = n => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1).replace(/\.0$/, "") : n.toFixed(2).replace(/\.?0+$/, ""));

function scaled(n, steps) {
  for (const [size, unit] of steps) if (n >= size * 0.9995) return [digits(n / size), unit];
  const [size, unit] = steps[steps.length - 1];
  return [digits(n / size), unit];
}

const count = n => (n === null ? [NONE, ""] : n < 9999.5 ? [n < 100 ? digits(n) : n.toFixed(0), ""] : scaled(n, [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]));
const duration = ns => (ns === null ? [NONE, ""] : scaled(ns, [[1e9, "s"], [1e6, "ms"], [1e3, "\u00b5s"]]));
const memory = n => (n === 0 ? ["0", ""] : scaled(n, [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]));
const joined = ([value, unit]) => (unit ? `${value}\u00a0${unit}` : value);

function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}\u00a0s`;
  if (s < 3600) return `${Math.floor(s / 60)}\u00a0min`;
  if (s < 86400) return `${Math.floor(s / 3600)}\u00a0h ${Math.floor((s % 3600) / 60)}\u00a0min`;
  return `${Math.floor(s / 86400)}\u00a0d ${Math.floor((s % 86400) / 3600)}\u00a0h`;
}

const ago = ms => (ms < 2000 ? "just now" : `${span(ms)} ago`);
const plural = (n, one, more = one + "s") => `${n}\u00a0${n === 1 ? one : more}`;
const baseName = path => String(path).slice(String(path).lastIndexOf("/") + 1);

/* <dl>: [term, value, class] each; those without a value are left out. */
function facts(pairs) {
  return make("dl.facts", pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([term, value, name = ""]) =>
    make(name === "wide" ? "div.wide" : "div", [make("dt", term), make("dd", value, name && name !== "wide" ? { class: name } : {})])));
}
