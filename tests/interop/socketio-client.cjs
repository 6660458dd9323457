// The stock Socket.IO clients for JavaScript, driven by lines of JSON: commands on standard input, what happens on
// standard output.
//
//   node socketio-client.cjs socket.io-client-4|socket.io-client-2
//
// It ends when standard input does. The protocol is described in tests/tests/socketio_peers/client.rs.
"use strict";

const io = require(process.argv[2]);
const isOld = process.argv[2].endsWith("-2");
const { say, obey, flood, Numbers } = require("./socketio-lines.cjs");
const sockets = new Map();

const watch = (id, socket) => {
  const numbers = new Numbers();
  const state = { socket, numbers };
  sockets.set(id, state);
  const transport = () => socket.io.engine?.transport?.name;
  const tell = (event, more) => say({ id, event, transport: transport(), ...more });

  const hear = (name, args) => {
    const answer = typeof args.at(-1) === "function" ? args.pop() : undefined;
    if (name === "numbered") return numbers.add(args[0], transport());
    tell("event", { name, args, asks: answer !== undefined });
    if (answer === undefined || name === "silent") return;
    if (name === "late") return void setTimeout(answer, args[0], ...args);
    answer(...args);
    if (name === "twice") answer("again");
  };

  socket.on("connect", () => tell("connect", { sid: socket.id }));
  socket.on("disconnect", (reason) => tell("disconnect", { reason }));
  socket.on("connect_error", ({ message, data }) => tell("connect-error", { message, data }));
  socket.io.engine?.on("upgrade", () => tell("upgrade"));
  if (!isOld) return void socket.onAny((name, ...args) => hear(name, args));
  // It has no listener for every event, so each name gets one when it comes first.
  socket.on("error", (data) => tell("connect-error", { data }));
  const heard = new Set();
  const { onevent } = Object.getPrototypeOf(socket);
  socket.onevent = (packet) => {
    const name = packet.data[0];
    if (!heard.has(name)) socket.on(name, (...args) => hear(name, args));
    heard.add(name);
    onevent.call(socket, packet);
  };
};

const credentials = (auth) => (auth === undefined || auth === null ? {} : isOld ? { query: auth } : { auth });

const commands = {
  open: ({ id, url, namespace, options, auth, everyAuth }) => {
    let asked = 0;
    const given = everyAuth ? { auth: (give) => give(everyAuth[asked++]) } : credentials(auth);
    watch(id, io(url + namespace, { forceNew: true, ...options, ...given }));
  },
  join: ({ id, of, namespace, auth }) =>
    watch(id, sockets.get(of).socket.io.socket(namespace, credentials(auth))),
  emit: ({ id, name, args, call, timeout, volatile }) => {
    let { socket } = sockets.get(id);
    if (timeout !== undefined) socket = socket.timeout(timeout);
    if (volatile) socket = socket.volatile;
    if (call === undefined) return void socket.emit(name, ...args);
    const tell = (more) => say({ id, event: "answer", call, ...more });
    if (timeout === undefined) socket.emit(name, ...args, (...answer) => tell({ args: answer }));
    else socket.emit(name, ...args, (error, ...answer) => tell({ error: error?.message, args: answer }));
  },
  flood: (numbers) => flood(sockets.get(numbers.id).socket, numbers),
  tell_numbers: ({ id }) => say({ id, event: "numbers", ...sockets.get(id).numbers }),
  leave: ({ id }) => sockets.get(id).socket.disconnect(),
  connect: ({ id }) => sockets.get(id).socket.connect(),
  // Ends the session and leaves no namespace before.
  abandon: ({ id }) => sockets.get(id).socket.io.engine.close(),
  // Ends the connection and says nothing.
  cut: ({ id }) => sockets.get(id).socket.io.engine.transport.ws.terminate(),
  // Answers no heartbeat any more; the old client sends none.
  mute: ({ id }) => {
    const { engine } = sockets.get(id).socket.io;
    if (isOld) {
      engine.setPing = () => {};
      clearTimeout(engine.pingIntervalTimer);
      clearTimeout(engine.pingTimeoutTimer);
      return;
    }
    const send = engine._sendPacket;
    engine._sendPacket = (type, ...rest) => (type === "pong" ? undefined : send.call(engine, type, ...rest));
  },
  raw: ({ id, text }) => sockets.get(id).socket.io.engine.write(text),
};

obey(commands);
