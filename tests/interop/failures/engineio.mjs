// engine.io, the server.
import { OVERFLOW, PATIENCE, Polling, Raw, against, eio, ends, engineIo, mended, need, older, reasoned, sleep, still, upgrade, within } from "./tools.mjs";
import http from "node:http";

const FAST = { pingInterval: 1000, pingTimeout: 800 };

const failures = {
  B1: async (start) => {
    const server = await start(FAST);
    const polling = await Polling.open(server);
    need((await polling.get()) === "2", "a ping on polling");
    const since = Date.now();
    await upgrade(polling);
    need(await server.next("upgrade"), "the upgrade");
    return ends(server, await server.next("close"), { since, bound: FAST.pingTimeout });
  },
  B2: async (start) => {
    const server = await start({ ...FAST, allowEIO3: true });
    await upgrade(await Polling.open(server, { eio: 3 }), 3);
    const { at: since } = need(await server.next("upgrade"), "the upgrade");
    return ends(server, await server.next("close"), { since, bound: FAST.pingInterval + FAST.pingTimeout });
  },
  B3: async (start) => {
    const server = await start({ ...FAST, blockAfterPing: 4000 });
    const raw = Raw.open(server);
    let pinged;
    raw.answer = (message) => {
      if (message !== "2") return;
      pinged ??= Date.now();
      raw.send("3");
    };
    const close = await server.next("close", 10_000);
    if (close) return still(`closed although the pong had come: ${close.reason}`);
    need(raw.count("2") > 1, "a second ping");
    need(server.all("heartbeat")[0]?.at - pinged > 2000, "a pong that waits");
    return mended("open for 10 s");
  },
  B4: async (start) => {
    const server = await start(FAST);
    const raw = Raw.open(server);
    need(await raw.opened, "a session");
    for (let i = 0; i < 100; i++) {
      raw.send("3");
      await sleep(100);
    }
    const pings = raw.count("2");
    return pings ? mended(`${pings} pings in 10 s`) : still("no ping in 10 s, with an interval of 1 s");
  },
  B5: async (start) => {
    const server = await start({ pingInterval: 1000, pingTimeout: 2 ** 31 });
    if (server.refused) return mended(`refused: ${reasoned(server, server.refused, OVERFLOW)}`);
    const raw = Raw.open(server);
    raw.answer = (message) => message === "2" && setTimeout(() => raw.send("3"), 1000);
    const close = await server.next("close", 10_000);
    if (close) return still(`closed: ${close.reason}`);
    need(raw.count("2"), "a ping");
    return mended("open for 10 s");
  },
  B6: async (start) => {
    const server = await start({ allowEIO3: true });
    const polling = await Polling.open(server);
    const raw = await upgrade(polling, 3);
    need(raw.refused || (await raw.opened), "an answer to the upgrade");
    raw.send("2");
    const code = await within(5000, server.exited);
    if (code !== undefined) return still(`the process ended: ${server.complaint || code}`);
    return mended(raw.refused ? `the upgrade is refused by ${raw.refused}` : "the process lives");
  },
  B26: async (start) => {
    const server = await start({});
    const polling = await Polling.open(server);
    const { hostname, port, pathname, search } = new URL(polling.url);
    const post = http.request({ method: "POST", hostname, port, path: pathname + search, headers: { "content-length": 6 } });
    const answered = new Promise((resolve) => {
      post.on("response", ({ statusCode }) => resolve(`answered by ${statusCode}`));
      post.on("error", ({ code }) => resolve(code));
    });
    post.write("4la");
    await sleep(1000);
    await upgrade(polling);
    need(await server.next("upgrade"), "the upgrade");
    await sleep(1000);
    post.end("ter");
    const answer = await within(PATIENCE, answered);
    const message = await server.next("message", 5000);
    return message ? mended(`the message has arrived; the POST: ${answer}`) : still(`the message is lost; the POST: ${answer}`);
  },
  B27: async (start) => {
    const server = await start({ allowUpgrades: false });
    const polling = await Polling.open(server);
    const raw = polling.websocket();
    const switched = (await raw.opened) && (raw.send("2probe"), await raw.hears("3probe", 5000));
    const unknown = Raw.open(server, { eio: 9 });
    const accepted = await unknown.opened;
    const saw = `upgrades off: ${switched ? "accepted" : `refused by ${raw.refused}`}; EIO=9: ${accepted ? "101" : unknown.refused ?? "an invalid frame after 101, or a closed connection"}`;
    if (switched || accepted) return still(saw);
    reasoned(server, `${raw.refused} and ${unknown.refused}`, /^400 and 400$/);
    return mended(saw);
  },
  B29: async (start) => {
    const server = await start({});
    const polling = await Polling.open(server);
    server.tell({ command: "send", id: polling.handshake.sid, text: "hi\u001e1" });
    const refused = server.next("not-sent").then((told) => `refused: ${reasoned(server, told?.detail, /U\+001E/)}`);
    const saw = await Promise.race([polling.get(), refused]);
    return saw.includes("\u001e") ? still(`the client gets ${JSON.stringify(saw)}`) : mended(saw);
  },
};

export const probes = against("engine.io", engineIo, eio.engine, failures, { B6: older.engineIo });
