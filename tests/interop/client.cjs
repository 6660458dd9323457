// A stock JavaScript client, driven by lines of JSON: commands on standard input, what happens on standard output.
//
//   node client.cjs <package>          engine.io-client-6 or engine.io-client-3
//
// It ends when standard input does. The protocol is described in tests/src/interop/stock_client.rs.
"use strict";

const library = require(process.argv[2]);
const { say, toJson, fromJson, sendBurst, obey } = require("./lines.cjs");

const connect =
  typeof library === "function" ? library : (url, options) => new library.Socket(url, options);
const sockets = new Map();

const open = ({ id, url, options, burst }) => {
  const socket = connect(url, options);
  sockets.set(id, socket);
  const tell = (event, more) =>
    say({ id, event, transport: socket.transport && socket.transport.name, ...more });
  socket.on("handshake", (handshake) => tell("handshake", { handshake }));
  socket.on("open", () => {
    tell("open");
    if (burst) sendBurst(socket, burst);
  });
  socket.on("packet", ({ type }) => {
    if (type === "ping" || type === "pong") tell("heartbeat");
  });
  socket.on("message", (data) => tell("message", toJson(data)));
  socket.on("upgrade", () => tell("upgrade"));
  socket.on("upgradeError", (error) => tell("upgrade-error", { detail: String(error.message) }));
  socket.on("error", (error) => tell("error", { detail: String(error.message || error) }));
  socket.on("close", (reason, detail) => {
    sockets.delete(id);
    tell("close", { reason, detail: detail && String(detail.message || detail) });
  });
};

obey({
  open,
  send: ({ id, ...data }) => sockets.get(id).send(fromJson(data)),
  close: ({ id }) => sockets.get(id).close(),
});
