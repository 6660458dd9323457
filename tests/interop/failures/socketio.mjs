// Socket.IO's servers, and its engine for Bun.
import path from "node:path";
import { PEERS, Polling, Program, Raw, against, eio, ends, engineIoClient, mended, need, npm, older, python, reasoned, sleep, socketIo, socketIoxide, still } from "./tools.mjs";

const PATH = { path: "/socket.io/" };

// A client that has joined the main namespace.
const joined = async (server) => {
  const raw = Raw.open(server, PATH);
  raw.answer = (message) => message === "2" && raw.send("3");
  await raw.opened;
  raw.send("40");
  need(await server.next("join"), "a socket");
  return raw;
};

const bunEngine = () => Program.start(npm("bun/bin/bun.exe"), "failures/bun.mjs", path.join(PEERS, "package.json"));

// Sends three volatile events in one turn, when asked.
const threeVolatile = () =>
  socketIo((socket) => socket.on("go", () => [1, 2, 3].forEach((number) => socket.volatile.emit("number", number))));

const pythonSocketIo = async (options) => {
  const server = new Program(python, ["socketio_server.py"]);
  server.tell({ command: "open", id: 1, options });
  server.port = need(await server.next("listening"), "a port").port;
  return server;
};

const ofSocketIoxide = {
  B16: async (start) => {
    const periods = { pingInterval: 2000, pingTimeout: 1000, upgradeTimeout: 2000 };
    const server = await start(periods);
    const polling = await Polling.open(server, PATH);
    await polling.post("40");
    // A first ping may come at once.
    const packets = (await polling.get()).split("\u001e");
    if (packets.includes("2")) await polling.post("3");
    const raw = polling.websocket();
    await raw.opened;
    raw.send("2probe");
    need(await raw.hears("3probe"), "the answer to the probe");
    // The upgrade goes no further, and nobody polls. A ping that became due meanwhile has its whole timeout afterwards.
    const since = Date.now();
    const bound = periods.upgradeTimeout + periods.pingTimeout;
    return ends(server, await server.next("leave"), { since, bound });
  },
  B36: async (start) => {
    const server = await start({});
    const raw = await joined(server);
    raw.send('42["plain"]');
    need(await server.next("event"), "the handler of the other name");
    raw.send('42["say \\"hi\\""]');
    const end = await server.next("leave", 2000);
    const names = server.all("event").map(({ name }) => name);
    const saw = `handlers were called for: ${names.join(", ")}${end ? `; and then: ${end.reason}` : ""}`;
    return names.length === 2 ? mended(saw) : still(saw);
  },
  B37: async (start) => {
    const server = await start({ burst: 1000 });
    const raw = await joined(server);
    raw.send('421["ask",1]');
    const told = need(await server.next("answered"), "the handler");
    const behind = `behind ${1000 - told.refused} packets that wait`;
    const arrives = told.answered && (await raw.hears('431["answer"]'));
    return arrives ? mended(`the answer arrives, ${behind}`) : still(`the answer is lost, ${behind}`);
  },
  B38: async (start) => {
    const server = await start({});
    const raw = await joined(server);
    server.tell({ command: "close" });
    await raw.closed;
    const close = await server.next("leave", 5000);
    return close ? mended(`the handler is called: ${close.reason}`) : still("no disconnect handler is called");
  },
};

const ofBunEngine = {
  B34: async (start) => {
    const server = await start();
    const ends = [];
    for (const words of ["", "last words"]) {
      const client = engineIoClient(server.port, { transports: ["polling"], query: { words } });
      ends.push((await client.next("close")).reason);
    }
    const saw = `the client hears: ${ends[0]}; with a message before the close: ${ends[1]}`;
    return ends.every((end) => end === "transport close") ? mended(saw) : still(saw);
  },
};

const ofSocketIo = {
  B35: async (start) => {
    const server = await start({});
    const raw = Raw.open(server, PATH);
    await raw.opened;
    raw.send("40");
    await sleep(2000);
    raw.send('42["go"]');
    await sleep(3000);
    const arrived = raw.messages.filter((message) => message.startsWith('42["number"')).length;
    need(arrived, "a message");
    return arrived === 3 ? mended("all 3 of one turn arrive") : still(`of 3 messages of one turn ${arrived} arrive`);
  },
};

const ofPythonSocketIo = {
  B39: async (start) => {
    // Two waits end at nearly the same time, in some order.
    const reasons = await Promise.all(Array.from({ length: 5 }, async () => {
      const server = await start({ pingInterval: 2000, pingTimeout: 5000 });
      const raw = Raw.open(server, PATH);
      await raw.opened;
      raw.send("40");
      need(await server.next("join"), "a socket");
      return reasoned(server, need(await server.next("leave"), "an end").reason, /^ping timeout|^transport close/);
    }));
    const wrong = reasons.filter((reason) => reason === "transport close").length;
    const saw = `of 5 silent clients ${wrong} have left with transport close`;
    return wrong ? still(saw) : mended(saw);
  },
};

export const probes = [
  ...against("socketioxide", socketIoxide, eio.socketIo, ofSocketIoxide, { B16: older.socketIoxide }),
  ...against("@socket.io/bun-engine", bunEngine, () => eio.engine({ closeAfter: 1000 }), ofBunEngine),
  ...against("socket.io", threeVolatile, eio.socketIo, ofSocketIo),
  ...against("python-socketio", pythonSocketIo, eio.socketIo, ofPythonSocketIo),
];
