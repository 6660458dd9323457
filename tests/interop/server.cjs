// A stock Engine.IO server, driven by lines of JSON: commands on standard input, what happens on standard output.
//
//   node server.cjs <package> <options as JSON>          engine.io-6 or engine.io-3
//
// Besides the library's own options: `echo` sends every message back, `burst` sends numbered messages to every
// session, `refuse` refuses every session with that message, `breakUpgrades` answers WebSockets as something that does
// not know them. It ends when standard input does. The protocol is
// described in tests/src/interop/stock_server.rs.
"use strict";

const { attach } = require(process.argv[2]);
const { echo, burst, refuse, breakUpgrades, ...options } = JSON.parse(process.argv[3] || "{}");
const { say, toJson, fromJson, sendBurst, obey } = require("./lines.cjs");

if (refuse) options.allowRequest = (request, answer) => answer(refuse, false);

const http = require("http").createServer();
const server = attach(http, options);
const sockets = new Map();

if (breakUpgrades) {
  http.removeAllListeners("upgrade");
  http.on("upgrade", (request, socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
}

server.on("connection", (socket) => {
  const { id } = socket;
  sockets.set(id, socket);
  const tell = (event, more) => say({ id, event, transport: socket.transport.name, ...more });
  tell("open", { revision: socket.protocol || 3 });
  socket.on("heartbeat", () => tell("heartbeat"));
  socket.on("message", (data) => {
    tell("message", toJson(data));
    if (echo) socket.send(data);
  });
  socket.on("upgrade", () => tell("upgrade"));
  socket.on("error", (error) => tell("error", { detail: String(error.message || error) }));
  socket.on("close", (reason, detail) => {
    sockets.delete(id);
    tell("close", { reason, detail: detail && String(detail.message || detail) });
  });
  if (burst) sendBurst(socket, burst);
});

obey({
  send: ({ id, ...data }) => sockets.get(id).send(fromJson(data)),
  close: ({ id }) => sockets.get(id).close(),
  "close-all": () => server.close(),
});

http.listen(0, "127.0.0.1", () => say({ event: "listening", port: http.address().port }));
