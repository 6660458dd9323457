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
const { say, obey, flood, Numbers } = require("./socketio-lines.cjs");
const servers = new Map();

const welcome = (id, server) => (socket) => {
  const namespace = socket.nsp.name;
  const numbers = new Numbers();
  server.sockets.set(namespace, { socket, numbers });
  const transport = () => socket.conn.transport.name;
  const tell = (event, more) => say({ id, event, transport: transport(), namespace, ...more });

  const hear = (name, args) => {
    const answer = typeof args.at(-1) === "function" ? args.pop() : undefined;
    if (name === "numbered") return numbers.add(args[0], transport());
    if (name === "back") return void (answer ? answer(...args) : socket.emit(name, ...args));
    tell("event", { name, args, asks: answer !== undefined });
    if (answer === undefined || name === "silent") return;
    if (name === "late") return void setTimeout(answer, args[0], ...args);
    if (name === "sum") return answer(args[0] + args[1]);
    answer(...args);
    if (name === "twice") answer("again");
  };

  tell("join", {
    auth: isOld ? socket.handshake.query : socket.handshake.auth,
    sid: socket.id,
    recovered: socket.recovered,
    session: socket.conn.id,
  });
  socket.join("room");
  if (isOld) socket.use(([name, ...args]) => hear(name, args));
  else socket.onAny((name, ...args) => hear(name, args));
  socket.on("disconnect", (reason) => tell("leave", { reason }));
};

// Lets in those who know the token.
const guard = (socket, next) => {
  const { token } = isOld ? socket.handshake.query : socket.handshake.auth;
  if (token === "open") return next();
  next(Object.assign(new Error("not authorized"), { data: isOld ? undefined : { code: 7, bytes: [1] } }));
};

const open = ({ id, options, port }) => {
  const http = require("http").createServer();
  const io = new Server(http, options);
  const server = { io, http, sockets: new Map() };
  servers.set(id, server);
  for (const name of ["/", "/chat", "/ünï 😀"]) io.of(name).on("connection", welcome(id, server));
  io.of("/guarded").use(guard).on("connection", welcome(id, server));
  // Answers after a while.
  io.of("/slow")
    .use((_, next) => setTimeout(next, 2000))
    .on("connection", welcome(id, server));
  io.engine?.on("connection", (conn) => say({ id, event: "open", session: conn.id, revision: conn.protocol ?? 3 }));
  http.listen(port ?? 0, "127.0.0.1", () => say({ id, event: "listening", port: http.address().port }));
};

const of = ({ id, namespace }) => servers.get(id).sockets.get(namespace ?? "/");

const commands = {
  open,
  emit: ({ id, namespace, name, args, call, volatile }) => {
    let { socket } = of({ id, namespace });
    if (volatile) socket = socket.volatile;
    if (call === undefined) return void socket.emit(name, ...args);
    socket.emit(name, ...args, (...answer) => say({ id, event: "answer", call, args: answer }));
  },
  // To a room of which the client may be away.
  broadcast: ({ id, name, args }) => servers.get(id).io.to("room").emit(name, ...args),
  flood: (numbers) => flood(of(numbers).socket, numbers),
  tell_numbers: ({ id, namespace }) => say({ id, event: "numbers", ...of({ id, namespace }).numbers }),
  disconnect: ({ id, namespace, close }) => of({ id, namespace }).socket.disconnect(close),
  // Ends the session and says nothing of namespaces.
  abandon: ({ id }) => of({ id }).socket.conn.close(),
  // Ends the connection and says nothing.
  cut: ({ id }) => {
    const { conn } = of({ id }).socket;
    if (conn.transport.name === "websocket") conn.transport.socket.terminate();
    else conn.once("upgrade", () => conn.transport.socket.terminate());
  },
  // Sends a packet that the library would not.
  raw: ({ id, text }) => of({ id }).socket.conn.write(text),
  close: ({ id }) => {
    const { io, http } = servers.get(id);
    io.close();
    http.close();
  },
};

obey(commands);
