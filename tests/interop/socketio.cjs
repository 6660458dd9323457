// A stock Socket.IO 4 server, driven by lines of JSON: commands on standard input, what happens on standard output.
//
//   node socketio.cjs <options as JSON>
//
// Besides the library's own options: `token` is what a client must show to join the namespace /admin. Events that
// clients send are told, and answered by an event of the same name; the event "add" is answered by an acknowledgement
// with the sum of its arguments. It ends when standard input does. The protocol is described in
// tests/src/interop/stock_server.rs.
"use strict";

const { Server } = require("socket.io");
const { token, ...options } = JSON.parse(process.argv[2] || "{}");
const { say, obey } = require("./lines.cjs");

const http = require("http").createServer();
const io = new Server(http, options);
const sockets = new Map();

const plain = (value) => (Buffer.isBuffer(value) ? { hex: value.toString("hex") } : value);

const welcome = (socket) => {
  // A client may be in several namespaces over one connection, which is what tests know.
  const id = socket.conn.id;
  const name = socket.nsp.name;
  sockets.set(id + name, socket);
  const tell = (event, more) =>
    say({ id, event, transport: socket.conn.transport.name, namespace: name, ...more });
  tell("join", { auth: socket.handshake.auth, socket: socket.id });
  socket.onAny((event, ...args) => {
    const answer = typeof args.at(-1) === "function" ? args.pop() : undefined;
    tell("event", { name: event, args: args.map(plain) });
    if (answer && event === "add") answer(args.reduce((sum, value) => sum + value, 0));
    else if (answer) answer(...args);
    else socket.emit(event, ...args);
  });
  socket.on("disconnect", (reason) => tell("leave", { reason }));
};

io.engine.on("connection", (conn) => {
  const tell = (event, more) => say({ id: conn.id, event, transport: conn.transport.name, ...more });
  tell("open", { revision: conn.protocol });
  conn.on("heartbeat", () => tell("heartbeat"));
  conn.on("upgrade", () => tell("upgrade"));
  conn.on("close", (reason) => tell("close", { reason }));
});

io.on("connection", welcome);
io.of("/admin")
  .use((socket, next) => next(socket.handshake.auth.token === token ? undefined : new Error("wrong token")))
  .on("connection", welcome);

const find = ({ id, namespace }) => sockets.get(id + namespace);

obey({
  emit: (command) => find(command).emit(command.name, ...command.args),
  ask: (command) =>
    find(command).emit(command.name, ...command.args, (...args) =>
      say({ id: command.id, event: "answer", args: args.map(plain) })
    ),
  leave: (command) => find(command).disconnect(command.close),
  "close-all": () => io.close(),
});

http.listen(0, "127.0.0.1", () => say({ event: "listening", port: http.address().port }));
