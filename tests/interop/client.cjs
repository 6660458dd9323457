// A stock JavaScript client, driven by lines of JSON: commands on standard input, what happens on standard output.
//
//   node client.cjs <package>          engine.io-client-6 or engine.io-client-3
//
// It ends when standard input does. The protocol is described in tests/src/interop/stock_client.rs.
"use strict";

const library = require(process.argv[2]);
const open = typeof library === "function" ? library : (url, options) => new library.Socket(url, options);

const sockets = new Map();

const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");

const toJson = (data) =>
  data === undefined ? { text: "" } : typeof data === "string" ? { text: data } : { hex: Buffer.from(data).toString("hex") };

const fromJson = ({ text, hex }) => (text === undefined ? Buffer.from(hex, "hex") : text);

const commands = {
  open({ id, url, options = {}, burst }) {
    const socket = open(url, options);
    sockets.set(id, socket);
    const tell = (event, more) =>
      say({ id, event, transport: socket.transport && socket.transport.name, ...more });
    socket.on("handshake", (handshake) => tell("handshake", { handshake }));
    socket.on("open", () => {
      tell("open");
      if (burst) send_burst(socket, burst);
    });
    socket.on("packet", ({ type }) => {
      if (type === "ping" || type === "pong") tell("heartbeat");
    });
    socket.on("message", (data) => {
      // The older client hands over an ArrayBuffer or a Buffer, as it happens to have one.
      tell("message", toJson(data));
    });
    socket.on("upgrade", () => tell("upgrade"));
    socket.on("upgradeError", (error) => tell("upgrade-error", { detail: String(error.message) }));
    socket.on("error", (error) => tell("error", { detail: String(error.message || error) }));
    socket.on("close", (reason, detail) => {
      sockets.delete(id);
      tell("close", { reason, detail: detail && String(detail.message || detail) });
    });
  },
  send({ id, ...data }) {
    sockets.get(id).send(fromJson(data));
  },
  burst({ id, ...burst }) {
    send_burst(sockets.get(id), burst);
  },
  close({ id }) {
    sockets.get(id).close();
  },
};

// Numbered messages, a few in each round of the event loop, so that they go on while other things happen.
function send_burst(socket, { prefix, count, each = 10, pause = 0 }) {
  let next = 0;
  const round = () => {
    for (let i = 0; i < each && next < count; i++) socket.send(prefix + next++);
    if (next < count) setTimeout(round, pause);
  };
  round();
}

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { command, ...rest } = JSON.parse(line);
    commands[command](rest);
  })
  .on("close", () => process.exit(0));
