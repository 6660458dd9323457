// Socket.IO's servers, and its engine for Bun.
import path from "node:path";
import { PATIENCE, PEERS, Polling, Program, Raw, mended, need, npm, python, sleep, socketIo, socketIoxide, still } from "./tools.mjs";

const PATH = { path: "/socket.io/" };

// A client that has joined the main namespace.
const joined = async (server) => {
  const raw = Raw.open(server, PATH);
  raw.answer = (message) => message === "2" && raw.send("3");
  await raw.opened;
  raw.send("40");
  need(await server.next("open"), "a socket");
  return raw;
};

export const probes = [
  ["B16", "socketioxide", async () => {
    const server = await socketIoxide({ pingInterval: 2000, pingTimeout: 1000, upgradeTimeout: 2000 });
    const polling = await Polling.open(server, PATH);
    await polling.post("40");
    await polling.get();
    const raw = polling.websocket();
    await raw.opened;
    raw.send("2probe");
    need(await raw.hears("3probe"), "the answer to the probe");
    // The upgrade goes no further, and nobody polls.
    const close = await server.next("close");
    return close ? mended(`the session ends: ${close.more.reason}`) : still(`open ${PATIENCE / 1000} s later`);
  }],
  ["B34", "@socket.io/bun-engine", async () => {
    const manifest = path.join(PEERS, "package.json");
    const server = await Program.start(npm("bun/bin/bun.exe"), "failures/bun.mjs", manifest);
    const ends = [];
    for (const words of ["", "last words"]) {
      const client = new Program("node", ["client.cjs", npm("engine.io-client")]);
      const options = { transports: ["polling"], query: { words } };
      client.tell({ command: "open", id: 1, url: `http://127.0.0.1:${server.port}`, options });
      ends.push((await client.next("close")).reason);
    }
    const saw = `the client hears: ${ends[0]}; with a message before the close: ${ends[1]}`;
    return ends.every((end) => end === "transport close") ? mended(saw) : still(saw);
  }],
  ["B35", "socket.io", async () => {
    const server = await socketIo((socket) =>
      socket.on("go", () => [1, 2, 3].forEach((number) => socket.volatile.emit("number", number))));
    const raw = Raw.open(server, PATH);
    await raw.opened;
    raw.send("40");
    await sleep(2000);
    raw.send('42["go"]');
    await sleep(3000);
    const arrived = raw.messages.filter((message) => message.startsWith('42["number"')).length;
    server.close();
    need(arrived, "a message");
    return arrived === 3 ? mended("all 3 of one turn arrive") : still(`of 3 messages of one turn ${arrived} arrive`);
  }],
  ["B36", "socketioxide", async () => {
    const server = await socketIoxide({});
    const raw = await joined(server);
    raw.send('42["say \\"hi\\""]');
    raw.send('42["plain"]');
    await server.next("message");
    await sleep(1000);
    const names = server.all("message").map(({ more }) => more.name);
    need(names.includes("plain"), "the handler of the other name");
    const saw = `handlers were called for: ${names.join(", ")}`;
    return names.length === 2 ? mended(saw) : still(saw);
  }],
  ["B37", "socketioxide", async () => {
    const server = await socketIoxide({ burst: 1000 });
    const raw = await joined(server);
    raw.send('421["ask",1]');
    const told = need(await server.next("answered"), "the handler");
    const saw = told.more.answered ? "the answer is sent" : `the answer is lost, behind ${1000 - told.more.refused} packets that wait`;
    return told.more.answered ? mended(saw) : still(saw);
  }],
  ["B38", "socketioxide", async () => {
    const server = await socketIoxide({});
    const raw = await joined(server);
    server.child.stdin.write("close\n");
    await raw.closed;
    const close = await server.next("close", 5000);
    return close ? mended(`the handler is called: ${close.more.reason}`) : still("no disconnect handler is called");
  }],
  ["B39", "python-socketio", async () => {
    // Two waits end at nearly the same time, in some order.
    const reasons = await Promise.all(Array.from({ length: 5 }, async () => {
      const server = new Program(python, ["socketio_server.py"]);
      server.tell({ command: "open", id: 1, options: { pingInterval: 2000, pingTimeout: 5000 } });
      const { port } = await server.next("listening");
      const raw = Raw.open({ port }, PATH);
      await raw.opened;
      raw.send("40");
      need(await server.next("join"), "a socket");
      return need(await server.next("leave"), "an end").reason;
    }));
    const wrong = reasons.filter((reason) => reason === "transport close").length;
    const saw = `of 5 silent clients ${wrong} have left with transport close`;
    return wrong ? still(saw) : mended(saw);
  }],
];
