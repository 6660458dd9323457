// engineioxide, and hyper below it.
import net from "node:net";
import { Polling, Raw, against, eio, ends, engineIoxide, mended, need, older, sleep, still, within } from "./tools.mjs";

const SLOW = { pingInterval: 3000, pingTimeout: 2000 };

const says = (close) => close && `closed: ${close.reason}`;

// A session on polling, whose first ping is answered: it comes at once.
const beating = async (server) => {
  const polling = await Polling.open(server);
  if ((await polling.get()) === "2") await polling.post("3");
  return polling;
};

const failures = {
  B8: async (start) => {
    const server = await start({ pingInterval: 10_000, pingTimeout: 5000 });
    const raw = Raw.open(server);
    need(await raw.opened, "a session");
    if (await raw.hears("2", 4000)) return still("a ping within 4 s, with an interval of 10 s");
    need(await raw.hears("2", 8000), "a ping in 12 s, with an interval of 10 s");
    return mended("no ping in 4 s, and one in 12 s, with an interval of 10 s");
  },
  B9: async (start) => {
    const server = await start(SLOW);
    const raw = Raw.open(server);
    raw.answer = (message) => {
      if (message !== "2") return;
      const tcp = raw.socket._socket;
      tcp.cork();
      raw.send("3");
      raw.send("3");
      tcp.uncork();
    };
    const close = await server.next("close", 15_000);
    const pings = raw.count("2");
    if (close) return still(`${says(close)}; pings, each answered twice: ${pings}`);
    need(pings > 2, "three pings");
    return mended(`open for 15 s, with ${pings} pings, each answered twice`);
  },
  B10: async (start) => {
    const server = await start(SLOW);
    const raw = Raw.open(server);
    let since;
    // Two answers to the first ping, one after the other, and none to those that follow.
    raw.answer = (message) => {
      if (message !== "2") return;
      if (raw.count("2") > 1) return (since ??= Date.now());
      raw.send("3");
      setTimeout(() => raw.send("3"), 500);
    };
    const close = need(await server.next("close"), "an end");
    const pings = raw.count("2");
    if (pings > 2) return still(`${pings} pings before the end, of which one was answered`);
    need(since, "a second ping");
    const { outcome, saw } = ends(server, close, { since, bound: SLOW.pingTimeout });
    return { outcome, saw: `the second ping is not answered: ${saw}` };
  },
  B11: async (start) => {
    const ends = [];
    for (const open of [Raw.open, Polling.open, Raw.open, Polling.open]) {
      const server = await start({ burst: 1000 });
      const client = await open(server);
      // A client on polling asks for them at once.
      if (client.get) client.get();
      need(await server.next("open"), "a session");
      const close = await server.next("close", 5000);
      ends.push(close ? close.reason : "open for 5 s");
    }
    const saw = `WebSocket, polling, and again: ${ends.join(", ")}`;
    return ends.every((end) => end.startsWith("open")) ? mended(saw) : still(saw);
  },
  B12: async (start) => {
    const server = await start({ ...SLOW, burst: 100, size: 500_000 });
    const raw = Raw.open(server);
    await raw.opened;
    raw.socket._socket.pause();
    const { at: since } = need(await server.next("open"), "a session");
    return ends(server, await server.next("close"), { since, bound: SLOW.pingInterval + SLOW.pingTimeout });
  },
  B13: async (start) => {
    const server = await start({ pingInterval: 6000, pingTimeout: 2000 });
    const polling = await beating(server);
    const deadline = Date.now() + 8000;
    await sleep(4000);
    const raw = polling.websocket();
    await raw.opened;
    raw.send("2probe");
    need(await raw.hears("3probe", 5000), "the answer to the probe");
    // The ping is due meanwhile. A poll brings it, if anything does.
    const polled = [];
    while (Date.now() < deadline - 1000) {
      polled.push(await within(500, polling.get()));
      await sleep(50);
    }
    raw.send("5");
    const pinged = polled.includes("2") || (await raw.hears("2", deadline + 500 - Date.now()));
    return pinged ? mended("a ping comes in time") : still("no ping in the 8 s that a client waits");
  },
  B14: async (start) => {
    const server = await start({ ...SLOW, upgradeTimeout: 3000 });
    const polling = await beating(server);
    const raw = polling.websocket();
    await raw.opened;
    // The probe never comes. Polling goes on.
    let pings = 0;
    for (const end = Date.now() + 15_000; Date.now() < end && !server.all("close").length; await sleep(50)) {
      const body = await within(5000, polling.get());
      if (body?.includes("2")) pings += Boolean(await polling.post("3"));
    }
    const close = server.all("close")[0];
    if (close) return still(`the polling session ends: ${close.reason}`);
    need(pings > 1, "pings on polling");
    return mended("the polling session lives for 15 s");
  },
  B15: async (start) => {
    const server = await start(SLOW);
    const raw = Raw.open(server);
    need(await server.next("open"), "a session");
    need(await raw.opened, "a session");
    const since = Date.now();
    while (Date.now() < since + 15_000 && !server.all("close").length) {
      raw.send("2");
      await sleep(200);
    }
    const close = server.all("close")[0];
    if (!close) return still("open for 15 s by pings of the client alone");
    return ends(server, close, { since, bound: 0, reason: /^transport error: invalid heartbeat direction/ });
  },
  B40: async (start) => {
    const server = await start({ pingInterval: 60_000, pingTimeout: 30_000, upgradeTimeout: 4000 });
    const polling = await beating(server);
    await polling.post("4flood");
    need(await server.next("message"), "a message");
    const raw = polling.websocket();
    await raw.opened;
    raw.send("2probe");
    const heard = await raw.hears("3probe", 10_000);
    const close = server.all("close")[0];
    if (heard && !close) return mended("the probe is answered");
    return still(`${heard ? "the probe is answered" : "no answer to the probe"}; ${says(close) ?? "the session is open"}`);
  },
};

const ofHyper = {
  B30: async (start) => {
    const server = await start({ pingInterval: 60_000 });
    const tcp = net.connect(server.port, "127.0.0.1");
    let head = "";
    tcp.on("data", (data) => (head += data));
    const ended = new Promise((resolve) => tcp.on("end", () => resolve(true)));
    tcp.write("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    const asked = Date.now();
    // eio closes it 2 s after what it announces, which is interval plus timeout.
    const closed = await within(100_000, ended);
    const after = Math.round((Date.now() - asked) / 1000);
    need(head.includes(" 200 "), "an answer");
    need(closed, "an end within 100 s");
    const announced = Number(/keep-alive: *timeout=(\d+)/i.exec(head)?.[1]);
    if (after >= announced) return mended(`closed after ${after} s: ${announced} s were announced`);
    return still(`closed after ${after} s, ${announced ? `although ${announced} s were announced` : "unannounced"}`);
  },
};

export const probes = [
  ...against("engineioxide", engineIoxide, eio.engine, failures, { B9: older.engineIoxide }),
  ...against("hyper", engineIoxide, eio.engine, ofHyper),
];
