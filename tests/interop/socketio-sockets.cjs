// What the programs around Socket.IO's servers for JavaScript share: the sockets of each server, and the commands to them.
// The protocol is described in tests/tests/socketio_peers/servers/stock.rs.
"use strict";

const { say, flood, Numbers } = require("./socketio-lines.cjs");
const servers = new Map();

// Answers an event as its name says.
const respond = (name, args, answer) => {
  if (name === "silent") return;
  if (name === "late") return void setTimeout(answer, args[0], ...args);
  if (name === "sum") return answer(args[0] + args[1]);
  answer(...args);
  if (name === "twice") answer("again");
};

exports.respond = respond;

// Takes in a server: `io` of the library, and what ends it.
exports.add = (id, io, close) => servers.set(id, { io, close, sockets: new Map() });

// Takes in a socket, and tells of it. Returns what tells, and what hears an event that has come to it.
exports.welcome = (id, socket, auth, answers = respond) => {
  const namespace = socket.nsp.name;
  const numbers = new Numbers();
  servers.get(id).sockets.set(namespace, { socket, numbers });
  const transport = () => socket.conn.transport.name;
  const tell = (event, more) => say({ id, event, transport: transport(), namespace, ...more });

  const hear = (name, args) => {
    const answer = typeof args.at(-1) === "function" ? args.pop() : undefined;
    if (name === "numbered") return numbers.add(args[0], transport());
    if (name === "back") return void (answer ? answer(...args) : socket.emit(name, ...args));
    tell("event", { name, args });
    if (answer !== undefined) answers(name, args, answer);
  };

  tell("join", { auth, sid: socket.id, recovered: socket.recovered, session: socket.conn.id });
  socket.join("room");
  return { tell, hear };
};

const of = ({ id, namespace }) => servers.get(id).sockets.get(namespace ?? "/");

exports.commands = {
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
  // Sends a packet that the library would not.
  raw: ({ id, text }) => of({ id }).socket.conn.write(text),
  close: ({ id }) => servers.get(id).close(),
};
