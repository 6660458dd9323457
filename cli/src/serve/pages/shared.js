"use strict";
// ---- What all parts use: elements, words and numbers ----
const $ = (id) => document.getElementById(id);

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Returns a function that adds a cell to a row. On narrow screens, its label stands before its content.
const cellsOf = (tr) => (className, label, ...content) => {
  const td = element("td", className);
  if (label) td.dataset.label = label;
  td.append(...content);
  tr.append(td);
  return td;
};

function setText(node, text) { if (node.textContent !== text) node.textContent = text; }

function span(ms) {                                          // 0.7 ms, 42 ms, 3.4 s, 2 min 5 s, 3 h 10 min
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 120000) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.floor(ms / 1000);
  if (s < 7200) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} days`;
}
const whole = (ms) => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`);
const count = (n) => n.toLocaleString("en");
