// What the programs around Socket.IO's libraries share: arguments in lines of JSON, and numbered events.
"use strict";

const { obey } = require("./lines.cjs");

const isAlone = (unit, before, after) =>
  (unit >= 0xd800 && unit < 0xdc00 && !(after >= 0xdc00 && after < 0xe000)) ||
  (unit >= 0xdc00 && unit < 0xe000 && !(before >= 0xd800 && before < 0xdc00));

// Bytes, and text that is not Unicode, are objects of one member in a line. `this` is what holds the value.
function toLine(key, value) {
  const held = this[key];
  if (Buffer.isBuffer(held)) return { $hex: held.toString("hex") };
  if (typeof value !== "string") return value;
  const units = Array.from({ length: value.length }, (_, index) => value.charCodeAt(index));
  return units.some((unit, index) => isAlone(unit, units[index - 1], units[index + 1])) ? { $utf16: units } : value;
}

const fromLine = (_, value) => {
  if (typeof value?.$hex === "string") return Buffer.from(value.$hex, "hex");
  if (Array.isArray(value?.$utf16)) return String.fromCharCode(...value.$utf16);
  return value;
};

exports.say = (event) => process.stdout.write(JSON.stringify(event, toLine) + "\n");

exports.obey = (commands) => obey(commands, fromLine);

// Sends numbered events, some in each round of the event loop, each fiftieth with bytes.
exports.flood = (socket, { id, from, to }) => {
  let next = from;
  const round = () => {
    for (let i = 0; i < 100 && next < to; i++, next++) {
      if (next % 50 === 0) socket.emit("numbered", next, Buffer.from([next % 256]));
      else socket.emit("numbered", next);
    }
    if (next < to) setImmediate(round);
    else exports.say({ id, event: "flooded" });
  };
  round();
};

// Counts the numbered events that came.
exports.Numbers = class {
  count = 0;
  wrong = 0;
  transports = [];

  add(number, transport) {
    if (number !== this.count++) this.wrong++;
    if (!this.transports.includes(transport)) this.transports.push(transport);
  }
};
