// A plain Engine.IO server.

import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { Server } from "engine.io";
import { described, describedText, obey, pattern, patternText, report, settings } from "./wire";

const { port, tls, ...options } = settings();
const http = tls ? createSecureServer(tls) : createServer();
const engine = new Server(options);
engine.attach(http);
let latest: any;

engine.on("connection", (socket: any) => {
  latest = socket;
  report({ event: "open", sid: socket.id, transport: socket.transport.name });
  socket.on("packet", (packet: any) => {
    if (packet.type === "pong") report({ event: "pong", sid: socket.id });
  });
  socket.on("message", (data: string | Buffer) => {
    if (typeof data === "string") report({ event: "text", sid: socket.id, ...describedText(data) });
    else report({ event: "binary", sid: socket.id, ...described(data) });
  });
  socket.on("close", (reason: string) => report({ event: "close", sid: socket.id, reason }));
});

obey((order) => {
  switch (order.do) {
    case "text":
      return latest?.send(order.text);
    case "long text":
      return latest?.send(patternText(order.length as number));
    case "binary":
      return latest?.send(Buffer.from(order.base64 as string, "base64"));
    case "long binary":
      return latest?.send(pattern(order.length as number));
    case "close":
      return latest?.close();
    default:
      throw new Error(`unknown order ${order.do}`);
  }
});

http.listen(port, "127.0.0.1", () => report({ event: "listening", port: (http.address() as any).port }));
