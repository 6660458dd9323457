// What all programs in JavaScript share: lines of JSON in and out, messages in them, and bursts of messages.
"use strict";

exports.say = (event) => process.stdout.write(JSON.stringify(event) + "\n");

// An empty message comes as `undefined` from one of the clients; bytes come as an ArrayBuffer or a Buffer.
exports.toJson = (data = "") =>
  typeof data === "string" ? { text: data } : { hex: Buffer.from(data).toString("hex") };

exports.fromJson = ({ text, hex }) => (text === undefined ? Buffer.from(hex, "hex") : text);

// Numbered messages, a few in each round of the event loop, so that they go on while other things happen. The last
// `afterUpgrade` of them wait for the upgrade if it is not over yet.
exports.sendBurst = (socket, { prefix, count, each = 10, pause = 0, afterUpgrade = 0 }) => {
  let next = 0;
  let end = count - afterUpgrade;
  const round = () => {
    for (let i = 0; i < each && next < end; i++) socket.send(prefix + next++);
    if (next < end) setTimeout(round, pause);
  };
  socket.once("upgrade", () => {
    const waits = next === end;
    end = count;
    if (waits) round();
  });
  round();
};

// Keeps the event loop busy.
exports.block = (ms) => {
  const end = Date.now() + ms;
  while (Date.now() < end);
};

// Runs the command that each line names, and ends the process with the lines. A reviver makes of JSON what it stands for.
exports.obey = (commands, reviver) => {
  require("readline")
    .createInterface({ input: process.stdin })
    .on("line", (line) => {
      const { command, ...rest } = JSON.parse(line, reviver);
      commands[command](rest);
    })
    .on("close", () => process.exit(0));
};
