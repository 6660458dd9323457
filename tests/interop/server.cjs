// A stock Engine.IO server, driven by lines of JSON: commands on standard input, what happens on standard output.
//
//   node server.cjs <package> <options as JSON>          engine.io-6 or engine.io-3
//
// Besides the library's own options: `echo` sends every message back, `burst` sends numbered messages to every
// session, `refuse` refuses every session with that message, `origin` refuses every other origin, `breakUpgrades` answers
// WebSockets as something that does not know them, `muteUpgrades` opens them and says nothing, `neverPing` switches the
// heartbeat off, `blockAfterPing` keeps the process busy for so many milliseconds after each ping, and `hideLimit`
// leaves `maxPayload` out of the handshake, as versions before 6.2 did. `credentials` (`user:password`) answers other
// WebSockets with 401 before the engine sees them, as ws's own documentation does, `middleware` refuses them in a middleware of
// the engine, and `subprotocol` is what the server says to a client that offers one, or nothing if it is empty. It ends when
// standard input does. The protocol is described in tests/src/interop/stock_server.rs.
"use strict";

const { attach } = require(process.argv[2]);
const { echo, burst, refuse, origin, breakUpgrades, muteUpgrades, neverPing, blockAfterPing, hideLimit, ...others } =
  JSON.parse(process.argv[3] || "{}");
const { credentials, middleware, subprotocol, ...options } = others;
const { say, toJson, fromJson, sendBurst, block, obey } = require("./lines.cjs");

if (origin) options.allowRequest = ({ headers }, answer) => answer("Origin", headers.origin === origin);
if (refuse) options.allowRequest = (request, answer) => answer(refuse, false);

if (subprotocol !== undefined) {
  const { Server } = require("ws");
  options.wsEngine = class extends Server {
    constructor(settings) {
      super({ ...settings, handleProtocols: () => subprotocol });
    }
  };
}

const isKnown = ({ headers }) =>
  headers.authorization === `Basic ${Buffer.from(middleware || credentials).toString("base64")}`;

const http = require("http").createServer();
const server = attach(http, options);
const sockets = new Map();

if (credentials) {
  const [upgrade] = http.listeners("upgrade");
  http.removeAllListeners("upgrade");
  http.on("upgrade", (request, socket, head) => {
    if (isKnown(request)) return upgrade(request, socket, head);
    socket.end("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
  });
}

if (middleware) server.use((request, response, next) => (isKnown(request) ? next() : response.end()));

if (breakUpgrades) {
  http.removeAllListeners("upgrade");
  http.on("upgrade", (request, socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
}

if (muteUpgrades) {
  http.removeAllListeners("upgrade");
  const mute = new (require("ws").Server)({ noServer: true });
  http.on("upgrade", (request, socket, head) => mute.handleUpgrade(request, socket, head, () => {}));
}

if (hideLimit) {
  const stringify = JSON.stringify;
  JSON.stringify = (value, ...more) => stringify(value && value.maxPayload ? { ...value, maxPayload: undefined } : value, ...more);
}

server.on("connection", (socket) => {
  const { id } = socket;
  if (neverPing) clearTimeout(socket.pingIntervalTimer);
  socket.on("packetCreate", ({ type }) => {
    // After the ping has been written. When the process goes on, Node.js looks at its timers first, and then at what has arrived.
    if (type === "ping" && blockAfterPing) setImmediate(() => block(blockAfterPing));
  });
  sockets.set(id, socket);
  const tell = (event, more) => say({ id, event, transport: socket.transport.name, ...more });
  const { protocol } = socket.transport.socket || {};
  tell("open", { revision: socket.protocol || 3, key: socket.request.headers["x-api-key"], subprotocol: protocol });
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
  "close-with": ({ id, code, reason }) => sockets.get(id).transport.socket.close(code, reason),
  cut: ({ id }) => sockets.get(id).transport.socket.terminate(),
  "send-raw": ({ id, text }) => sockets.get(id).transport.socket.send(text),
  forget: ({ id }) => delete server.clients[id],
  block: ({ ms }) => block(ms),
  "shut-down": () => {
    http.close();
    server.close();
  },
  "close-all": () => server.close(),
});

http.listen(0, "127.0.0.1", () => say({ event: "listening", port: http.address().port }));
