// The stock Socket.IO servers for JavaScript, driven by lines of JSON: commands on standard input, what happens on
// standard output.
//
//   node socketio-server.cjs socket.io|socket.io-2
//
// It ends when standard input does. The protocol is described in tests/tests/socketio_peers/servers/stock.rs.
"use strict";

const library = require(process.argv[2]);
const isOld = process.argv[2].endsWith("-2");
const Server = isOld ? library : library.Server;
const { say, obey } = require("./socketio-lines.cjs");
const { add, welcome, commands } = require("./socketio-sockets.cjs");

const authOf = ({ handshake }) => (isOld ? handshake.query : handshake.auth);

const join = (id) => (socket) => {
  const { tell, hear } = welcome(id, socket, authOf(socket));
  if (isOld) socket.use(([name, ...args]) => hear(name, args));
  else socket.onAny((name, ...args) => hear(name, args));
  socket.on("disconnect", (reason) => tell("leave", { reason }));
};

// Lets in those who know the token.
const guard = (socket, next) => {
  if (authOf(socket).token === "open") return next();
  next(Object.assign(new Error("not authorized"), { data: isOld ? undefined : { code: 7, bytes: [1] } }));
};

const open = ({ id, options, port }) => {
  const http = require("http").createServer();
  const io = new Server(http, options);
  add(id, io, () => {
    io.close();
    http.close();
  });
  for (const name of ["/", "/chat", "/ünï 😀"]) io.of(name).on("connection", join(id));
  io.of("/guarded").use(guard).on("connection", join(id));
  // Answers after a while.
  io.of("/slow")
    .use((_, next) => setTimeout(next, 5000))
    .on("connection", join(id));
  http.listen(port ?? 0, "127.0.0.1", () => say({ id, event: "listening", port: http.address().port }));
};

obey({ ...commands, open });
