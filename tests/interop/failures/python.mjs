// python-engineio: its server, and its client with a server of a few lines.
import http from "node:http";
import { Polling, Raw, against, eio, mended, need, older, pythonClient, pythonEngineIo, sleep, still, within } from "./tools.mjs";

const FAST = { pingInterval: 2000, pingTimeout: 2000 };

// An empty binary message and an empty text, in a polling body of each revision.
const EMPTY = { 3: { bytes: "2:b4", text: "1:4" }, 4: { bytes: "b", text: "4" } };

// A server of polling whose first poll is answered by these packets.
const answerBy = (packets) =>
  new Promise((resolve) => {
    const open = { sid: "probe", upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 };
    let polls = 0;
    const server = http.createServer((request, response) => {
      if (request.method === "POST") return request.resume().on("end", () => response.end("ok"));
      if (!request.url.includes("sid=")) return response.end(`0${JSON.stringify(open)}`);
      if (polls++ === 0) response.end(packets);
    });
    server.listen(0, "127.0.0.1", () => resolve(server.address().port));
  });

const ofServer = {
  B17: async (start) => {
    const server = await start({});
    const raw = Raw.open(server);
    need(await server.next("open"), "a session");
    server.tell({ command: "close" });
    for (let i = 0; i < 20; i++) {
      raw.send("4late");
      await sleep(50);
    }
    const close = need(await server.next("close"), "an end");
    const code = await within(5000, raw.closed);
    const late = server.all("message").filter(({ at }) => at > close.at).length;
    // Without a close frame, the code is 1006.
    const frame = code && code !== 1006 && "a close frame";
    const told = (raw.count("1") && "a close packet") || frame;
    const saw = `the client gets ${told || "no close packet and no close frame"}; messages after the end: ${late}`;
    return told && !late ? mended(saw) : still(saw);
  },
  B18: async (start) => {
    const server = await start({ ...FAST, connectDelay: 12_000 });
    const raw = Raw.open(server);
    raw.answer = (message) => message === "2" && raw.send("3");
    const close = await server.next("close");
    const pings = raw.count("2");
    if (close && !pings) return still(`closed: ${close.reason}, and no ping was sent`);
    need(pings, "a ping");
    return mended(`${pings} pings`);
  },
  B20: async (start) => {
    const announced = async (pingInterval) =>
      (await Polling.open(await start({ pingInterval }))).handshake.pingInterval;
    const [half, most] = [await announced(500), await announced(1900)];
    const saw = `500 ms is announced as ${half} ms, and 1900 ms as ${most} ms`;
    return half === 500 && most === 1900 ? mended(saw) : still(saw);
  },
  B31: async (start) => {
    const server = await start({});
    const polling = await Polling.open(server);
    const answer = await polling.post(Array(17).fill("4x").join("\u001e"));
    await sleep(2000);
    const saw = `of 17 packets ${server.all("message").length} arrive, and the answer is ${answer}`;
    return server.all("message").length === 17 ? mended(saw) : still(saw);
  },
  B33: async (start) => {
    const server = await start({ allowEIO3: true });
    const heard = [];
    for (const [eio, { bytes, text }] of Object.entries(EMPTY)) {
      const polling = await Polling.open(server, { eio, base64: true }).catch(() => undefined);
      // A server may speak one revision only.
      if (!polling) continue;
      await polling.post(bytes);
      const body = await within(5000, polling.get());
      if (body === text) return still(`an empty binary message comes back as empty text, in revision ${eio}`);
      need(body === bytes, `the message in revision ${eio}, but ${JSON.stringify(body)}`);
      heard.push(eio);
    }
    need(heard.length, "a session");
    return mended(`an empty binary message comes back as bytes, in revision ${heard.join(" and ")}`);
  },
};

const ofItsClock = {
  B19: async (start) => {
    const server = await start({ pingInterval: 3000, pingTimeout: 3000 });
    const raw = Raw.open(server);
    raw.answer = (message) => message === "2" && setTimeout(() => raw.send("3"), 2000);
    need(await raw.hears("2"), "a ping");
    // The client answers in two seconds. Meanwhile the clock steps, and a message shows that the client lives.
    server.tell({ command: "step", ms: 3_600_000 });
    await sleep(500);
    raw.send("4alive");
    const close = await server.next("close", 15_000);
    if (close) return still(`a live client, and an hour's step of the clock: ${close.reason}`);
    need(await server.next("message"), "a message");
    return mended("open for 15 s");
  },
};

const ofClient = {
  B32: async (start) => {
    const port = await answerBy(Array(17).fill("4x").join("\u001e"));
    const client = start(port, { transports: ["polling"] });
    const close = await client.next("close");
    const arrived = client.all("message").length;
    if (arrived === 17) return mended("all 17 packets arrive");
    return still(`of 17 packets ${arrived} arrive, and then: ${need(close, "an end").reason}`);
  },
};

export const probes = [
  ...against("python-engineio", pythonEngineIo, eio.engine, ofServer, { B33: older.pythonEngineIo }),
  ...against("python-engineio", pythonEngineIo, "it reads no clock that steps", ofItsClock),
  ...against("python-engineio", pythonClient, eio.client, ofClient),
];
