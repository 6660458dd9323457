// What the probes share: another project's program as a child process that says lines of JSON, and a client that sends
// what no client of Engine.IO would.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

// Where the newest versions are installed, the older ones, and eio's program.
export const PEERS = path.resolve(process.argv[2]);
export const OLDER = path.join(PEERS, "older");
const PROBED = path.resolve(process.argv[3]);
export const require = createRequire(path.join(PEERS, "package.json"));
const { WebSocket } = require("ws");

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Long, so that a machine with other things to do does not decide.
export const PATIENCE = 20_000;
// What eio says of periods that overflow a timer.
export const OVERFLOW = /pingInterval \+ pingTimeout is above/;
// How much later than its bound an end may be seen, on such a machine.
const TOLERANCE = 2000;

const interop = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const npm = (name, folder = PEERS) => path.join(folder, "node_modules", name);
const pythonIn = (folder) => path.join(folder, "venv/bin/python");
export const python = pythonIn(PEERS);
export const inRust = (what) => path.join(PEERS, `debug/eio-${what}`);

// The value, or `undefined` after so many milliseconds.
export const within = (ms, promise) => {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

// The version of a peer that is installed in a folder, by the registry that it comes from.
export const version = (peer, folder) => {
  const words = (file) => {
    try {
      return readFileSync(path.join(folder, file), "utf8");
    } catch {
      return "";
    }
  };
  const [, crate] = words("crates.txt").match(new RegExp(`\\b${peer} v([\\d.]+)`)) ?? [];
  const [, wheel] = words("pypi.txt").match(new RegExp(`^${peer}==(.+)$`, "m")) ?? [];
  const manifest = words(`node_modules/${peer}/package.json`);
  return (manifest && JSON.parse(manifest).version) || wheel || crate;
};

const processes = new Set();
export const endProcesses = () => processes.forEach((child) => child.kill("SIGKILL"));

export class Program {
  static async start(command, ...args) {
    const program = new Program(command, args);
    // One that refuses to listen says so, and ends.
    program.port = (await program.next("listening").catch(() => undefined))?.port;
    program.refused = program.all("refused")[0]?.detail;
    need(program.port || program.refused, `a port: ${program.complaint}`);
    return program;
  }

  constructor(command, args) {
    this.isOurs = command === PROBED;
    this.events = [];
    this.errors = "";
    this.waiting = new Set();
    const where = { cwd: interop, env: { ...process.env, NODE_PATH: npm("") } };
    this.child = spawn(command, args, where);
    processes.add(this.child);
    this.child.on("error", (error) => (this.errors += error.message));
    this.child.stdin.on("error", () => {});
    this.child.stderr.on("data", (text) => (this.errors += text));
    readline.createInterface({ input: this.child.stdout }).on("line", (line) => {
      try {
        this.events.push({ at: Date.now(), ...JSON.parse(line) });
      } catch {
        this.errors += line;
      }
      this.waiting.forEach((look) => look());
    });
    this.exited = new Promise((resolve) => {
      // With all that it has written.
      this.child.on("close", (code) => resolve(code ?? "signal"));
      this.child.on("error", resolve);
    });
  }

  // What it has written to standard error, in a line.
  get complaint() {
    return this.errors.match(/\w*Error.*/)?.[0] ?? this.errors.slice(-200);
  }

  tell(command) {
    this.child.stdin.write(JSON.stringify(command) + "\n");
  }

  all(event) {
    return this.events.filter((told) => told.event === event);
  }

  // The first event of this kind, or `undefined` if there is none in time. A program that ends without it has shown nothing.
  async next(event, ms = PATIENCE) {
    const found = () => this.all(event)[0];
    if (found()) return found();
    let look;
    const ended = this.exited.then(() => {
      if (!found()) throw new Error(`in vain: the program ended: ${this.complaint || "it gave no reason"}`);
    });
    const told = new Promise((resolve) => {
      look = () => found() && resolve(found());
      this.waiting.add(look);
    });
    return within(ms, Promise.race([told, ended])).then(found).finally(() => this.waiting.delete(look));
  }
}

// engine.io, by the program that the tests drive, too.
const engineIoIn = (folder) => (options) =>
  Program.start("node", "server.cjs", npm("engine.io", folder), JSON.stringify(options));
const oxide = (program, library) => (options) => Program.start(inRust(program), library, JSON.stringify(options));
const pythonEngineIoIn = (folder) => (options) =>
  Program.start(pythonIn(folder), "failures/engineio_server.py", JSON.stringify(options));
export const engineIo = engineIoIn(PEERS);
export const engineIoxide = oxide("peers-of-today", "engineioxide");
export const socketIoxide = oxide("peers-of-today", "socketioxide");
export const pythonEngineIo = pythonEngineIoIn(PEERS);
// Versions that still have what is mended in the newest ones.
export const older = {
  engineIo: engineIoIn(OLDER),
  engineIoxide: oxide("older-peers", "engineioxide"),
  socketIoxide: oxide("older-peers", "socketioxide"),
  pythonEngineIo: pythonEngineIoIn(OLDER),
};
// socket.io, in this process. `welcome` is called with each socket.
export const socketIo = async (welcome) => {
  const { Server } = require("socket.io");
  const [http, io] = [createServer(), new Server()];
  io.attach(http);
  io.on("connection", welcome);
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { port: http.address().port };
};

// A client that opens a session with the server on this port.
const opens = (port, options, command, ...args) => {
  const client = new Program(command, args);
  client.tell({ command: "open", id: 1, url: `http://127.0.0.1:${port}`, options });
  return client;
};
export const engineIoClient = (port, options) => opens(port, options, "node", "client.cjs", npm("engine.io-client"));
export const pythonClient = (port, options) => opens(port, options, python, "client.py");

// eio's servers and its client.
export const eio = {
  engine: (options) => Program.start(PROBED, "engine", JSON.stringify(options)),
  socketIo: (options) => Program.start(PROBED, "socketio", JSON.stringify(options)),
  client: (port, options) => opens(port, options, PROBED, "client"),
};

// Probes of failures of a peer. Each is called with what starts a program of the peer, and with what starts one of eio's
// instead, or there is a sentence that says why eio cannot be tried in this way. Those that the newest version has mended are
// called with what starts an older version, too.
export const against = (peer, start, eio, probes, older = {}) =>
  Object.entries(probes).map(([failure, probe]) => ({ failure, peer, start, eio, probe, older: older[failure] }));

export class Polling {
  static async open({ port }, { eio = 4, path = "/engine.io/", base64 = false } = {}) {
    const more = base64 ? "&b64=1" : "";
    const polling = new Polling(`http://127.0.0.1:${port}${path}?EIO=${eio}&transport=polling${more}`);
    polling.handshake = JSON.parse((await polling.get()).replace(/^[^{]*/, "").replace(/[^}]*$/, ""));
    polling.url += `&sid=${polling.handshake.sid}`;
    return polling;
  }

  constructor(url) {
    this.url = url;
  }

  // The body of an answer, or `undefined` if there is none.
  get() {
    return fetch(this.url).then((answer) => answer.text(), () => undefined);
  }

  post(body) {
    return fetch(this.url, { method: "POST", body }).then((answer) => answer.text(), () => undefined);
  }

  websocket(eio = 4) {
    return new Raw(this.url.replace("http", "ws").replace("polling", "websocket").replace(/EIO=\d/, `EIO=${eio}`));
  }
}

// A WebSocket. `answer` is called with each message.
export class Raw {
  static open({ port }, { eio = 4, path = "/engine.io/" } = {}) {
    return new Raw(`ws://127.0.0.1:${port}${path}?EIO=${eio}&transport=websocket`);
  }

  constructor(url) {
    this.messages = [];
    this.waiting = new Set();
    this.answer = () => {};
    this.socket = new WebSocket(url);
    this.opened = new Promise((resolve) => {
      this.socket.on("open", () => resolve(true));
      this.socket.on("unexpected-response", (_, { statusCode }) => {
        resolve(false);
        this.refused = statusCode;
      });
      this.socket.on("error", () => resolve(false));
    });
    this.closed = new Promise((resolve) => this.socket.on("close", (code) => resolve(code)));
    this.socket.on("message", (data) => {
      const message = data.toString();
      this.messages.push(message);
      this.answer(message);
      this.waiting.forEach((look) => look());
    });
  }

  send(text) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  count(text) {
    return this.messages.filter((message) => message === text).length;
  }

  // Whether this message has come in time.
  async hears(text, ms = PATIENCE) {
    if (this.count(text)) return true;
    let look;
    const heard = new Promise((resolve) => {
      look = () => this.count(text) && resolve(true);
      this.waiting.add(look);
    });
    return (await within(ms, heard).finally(() => this.waiting.delete(look))) ?? false;
  }
}

// Moves a session to a WebSocket, as a client does.
export const upgrade = async (polling, eio = 4) => {
  const raw = polling.websocket(eio);
  if (!(await raw.opened)) return raw;
  raw.send("2probe");
  need(await raw.hears("3probe"), "the answer to the probe");
  raw.send("5");
  return raw;
};

// What a probe needs before it can say anything.
export const need = (value, what) => {
  if (!value) throw new Error(`in vain: ${what}`);
  return value;
};

export const still = (saw) => ({ outcome: "still so", saw });
export const mended = (saw) => ({ outcome: "mended", saw });

// What a program has said for a reason. eio has to say what is expected; the others have words of their own.
export const reasoned = (program, told, expected) =>
  need(!program.isOurs || expected.test(told), `expected ${expected}, but it said: ${told}`) && told;

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

// Judges the end that a program has to say within so many milliseconds after a moment.
export const ends = (program, close, { since, bound, reason = /^ping timeout/ }) => {
  const allowed = `of which ${seconds(bound)} were allowed`;
  if (!close) return still(`no end in ${seconds(PATIENCE)}, ${allowed}`);
  const saw = `closed after ${seconds(close.at - since)}: ${reasoned(program, close.detail ?? close.reason, reason)}`;
  return close.at - since > bound + TOLERANCE ? still(`${saw}, ${allowed}`) : mended(saw);
};
