// Clients that know nothing of Engine.IO: Node's fetch, and the WebSockets of npm's ws. Commands on standard input, what
// happens on standard output, as lines of JSON.
//
//   node raw.cjs
//
// It ends when standard input does. The protocol is described in tests/src/interop/raw_client.rs.
"use strict";

const { WebSocket } = require("ws");
const { say, toJson, fromJson, obey } = require("./lines.cjs");

const sockets = new Map();

const request = async ({ id, url, method, body, abort }) => {
  try {
    const signal = abort === undefined ? undefined : AbortSignal.timeout(abort);
    const response = await fetch(url, { method, body, signal });
    const hex = Buffer.from(await response.arrayBuffer()).toString("hex");
    say({ id, event: "response", status: response.status, type: response.headers.get("content-type"), hex });
  } catch (error) {
    say({ id, event: "failed", detail: String(error.cause || error) });
  }
};

const connect = ({ id, url }) => {
  const socket = new WebSocket(url);
  sockets.set(id, socket);
  socket.on("open", () => say({ id, event: "open" }));
  socket.on("message", (data, isBinary) =>
    say({ id, event: "message", ...toJson(isBinary ? data : data.toString()) }),
  );
  socket.on("unexpected-response", (_, response) => {
    say({ id, event: "refused", status: response.statusCode });
    socket.terminate();
  });
  socket.on("error", () => {});
  socket.on("close", (code) => {
    sockets.delete(id);
    say({ id, event: "close", code });
  });
};

obey({
  request,
  connect,
  send: ({ id, ...data }) => sockets.get(id).send(fromJson(data)),
  close: ({ id }) => sockets.get(id).close(),
});
