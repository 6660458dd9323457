// Clients, engine.io-client and rust_engineio, with servers that say what no server of their projects says.
import { OVERFLOW, Program, against, eio, ends, engineIo, engineIoClient, inRust, mended, need, npm, reasoned, require, sleep, socketIo, still } from "./tools.mjs";

const { WebSocketServer } = require("ws");

const OPEN = { sid: "probe", upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 };

// A server of WebSockets alone, which calls `welcome` with each.
const serve = (welcome) =>
  new Promise((resolve) => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => resolve(server.address().port));
    server.on("connection", welcome);
  });

const WEBSOCKET = { transports: ["websocket"] };

// engine.io-client below socket.io-client, whose clock steps.
const withClock = (port, step) =>
  new Program("node", ["failures/clock.cjs", npm("socket.io-client"), `http://127.0.0.1:${port}`, step]);

const rustEngineIo = (port, { size = 0 }) => new Program(inRust("client-of-today"), [`http://127.0.0.1:${port}`, size]);

const ofEngineIo = {
  B5: async (start) => {
    const port = await serve((socket) => socket.send(`0${JSON.stringify({ ...OPEN, pingTimeout: 2 ** 31 })}`));
    const socket = start(port, WEBSOCKET);
    const close = await socket.next("close", 10_000);
    // A client may say at once that it takes no such period.
    if (!socket.all("open").length) return mended(`refused: ${reasoned(socket, need(close, "a session").reason, OVERFLOW)}`);
    return close ? still(`closed: ${close.reason}`) : mended("open for 10 s");
  },
  B28: async (start) => {
    const [mute, server] = [await serve(() => {}), await engineIo({ muteUpgrades: true })];
    const opening = start(mute, WEBSOCKET);
    const upgrading = start(server.port, {});
    need(await upgrading.next("open"), "a session");
    await sleep(60_000);
    const [close, failed] = [opening.all("close")[0], upgrading.all("upgrade-error")[0]];
    if (close) reasoned(opening, close.reason, /^timed out/);
    if (failed) reasoned(upgrading, failed.detail, /upgrade timeout/);
    const saw = `without an open packet: ${close?.reason ?? "waits after 60 s"}; without the answer to its probe: ${failed?.detail ?? "waits after 60 s"}`;
    return close && failed ? mended(saw) : still(saw);
  },
};

const ofItsClock = {
  B7: async (start) => {
    const server = await socketIo((socket) => socket.on("hello", () => socket.emit("hello")));
    const client = start(server.port, 3_600_000);
    need(await client.next("open"), "a session");
    const close = await client.next("close", 10_000);
    const answered = client.all("message").length;
    if (close) return still(`an hour's step of the clock: ${close.reason}`);
    need(answered, "an answer");
    return mended("the session lives");
  },
};

const ofRustEngineIo = {
  B21: async (start) => {
    const heard = [];
    const port = await serve((socket) => {
      socket.on("message", (data) => heard.push(data.toString()));
      socket.send(`0${JSON.stringify(OPEN)}`);
    });
    const client = start(port, WEBSOCKET);
    need(await client.next("open"), `a session: ${client.complaint}`);
    await sleep(2000);
    const saw = `the server hears ${JSON.stringify(heard)}, and has sent no ping`;
    return heard.includes("3") ? still(saw) : mended(saw);
  },
  B22: async (start) => {
    // A server that stops reading, sends one ping, and then nothing more.
    let tcp, since;
    const periods = { pingInterval: 2000, pingTimeout: 1000 };
    const port = await serve((socket) => {
      tcp = socket._socket;
      tcp.once("data", () => socket.pause());
      socket.send(`0${JSON.stringify({ ...OPEN, ...periods, maxPayload: 100_000_000 })}`);
      setTimeout(() => {
        since = Date.now();
        socket.send("2");
      }, 1500);
    });
    const client = start(port, { ...WEBSOCKET, size: 50_000_000 });
    need(await client.next("open"), `a session: ${client.complaint}`);
    const close = await client.next("close");
    need(tcp.bytesRead > 10_000 && tcp.bytesRead < 10_000_000, "a message that is stuck halfway");
    return ends(client, close, { since, bound: periods.pingInterval + periods.pingTimeout });
  },
};

export const probes = [
  ...against("engine.io-client", engineIoClient, eio.client, ofEngineIo),
  ...against("engine.io-client", withClock, "it reads no clock that steps", ofItsClock),
  ...against("rust_engineio", rustEngineIo, eio.client, ofRustEngineIo),
];
