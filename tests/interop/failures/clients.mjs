// Clients, engine.io-client and rust_engineio, with servers that say what no server of their projects says.
import { PATIENCE, Program, engineIo, inRust, mended, need, npm, require, sleep, socketIo, still } from "./tools.mjs";

const { WebSocketServer } = require("ws");

const OPEN = { sid: "probe", upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 };

// A server of WebSockets alone, which calls `welcome` with each.
const serve = (welcome) =>
  new Promise((resolve) => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => resolve(server.address().port));
    server.on("connection", welcome);
  });

const WEBSOCKET = { transports: ["websocket"] };

// engine.io-client, by the program that the tests drive, too.
const client = (port, options) => {
  const program = new Program("node", ["client.cjs", npm("engine.io-client")]);
  program.tell({ command: "open", id: 1, url: `http://127.0.0.1:${port}`, options });
  return program;
};

export const probes = [
  ["B5", "engine.io-client", async () => {
    const port = await serve((socket) => socket.send(`0${JSON.stringify({ ...OPEN, pingTimeout: 2 ** 31 })}`));
    const socket = client(port, WEBSOCKET);
    need(await socket.next("open"), "a session");
    const close = await socket.next("close", 10_000);
    return close ? still(`closed: ${close.reason}`) : mended("open for 10 s");
  }],
  ["B7", "engine.io-client", async () => {
    const server = await socketIo((socket) => socket.on("hello", () => socket.emit("hello")));
    const url = `http://127.0.0.1:${server.port}`;
    const client = new Program("node", ["failures/clock.cjs", npm("socket.io-client"), url, 3_600_000]);
    need(await client.next("open"), "a session");
    const close = await client.next("close", 10_000);
    const answered = client.all("message").length;
    server.close();
    if (close) return still(`an hour's step of the clock: ${close.reason}`);
    need(answered, "an answer");
    return mended("the session lives");
  }],
  ["B28", "engine.io-client", async () => {
    const [mute, server] = [await serve(() => {}), await engineIo({ muteUpgrades: true })];
    const opening = client(mute, WEBSOCKET);
    const upgrading = client(server.port, {});
    need(await upgrading.next("open"), "a session");
    await sleep(60_000);
    const [close, failed] = [opening.all("close")[0], upgrading.all("upgrade-error")[0]];
    const saw = `without an open packet: ${close?.reason ?? "waits after 60 s"}; without the answer to its probe: ${failed?.detail ?? "waits after 60 s"}`;
    return close && failed ? mended(saw) : still(saw);
  }],
  ["B21", "rust_engineio", async () => {
    const heard = [];
    const port = await serve((socket) => {
      socket.on("message", (data) => heard.push(data.toString()));
      socket.send(`0${JSON.stringify(OPEN)}`);
    });
    const client = new Program(inRust("client"), [`http://127.0.0.1:${port}`, "0"]);
    need(await client.next("open"), `a session: ${client.errors.slice(-200)}`);
    await sleep(2000);
    const saw = `the server hears ${JSON.stringify(heard)}, and has sent no ping`;
    return heard.includes("3") ? still(saw) : mended(saw);
  }],
  ["B22", "rust_engineio", async () => {
    // A server that stops reading, sends one ping, and then nothing more.
    const port = await serve((socket) => {
      socket.send(`0${JSON.stringify({ ...OPEN, pingInterval: 2000, pingTimeout: 1000 })}`);
      // Again and again, because what reads it resumes it.
      socket.once("message", () => setInterval(() => socket._socket?.pause(), 1));
      setTimeout(() => socket.send("2"), 1500);
    });
    const client = new Program(inRust("client"), [`http://127.0.0.1:${port}`, "50000000"]);
    need(await client.next("open"), `a session: ${client.errors.slice(-200)}`);
    const close = await client.next("close");
    return close ? mended(`noticed: ${close.reason}`) : still(`not noticed in ${PATIENCE / 1000} s, of which 5 s were allowed`);
  }],
];
