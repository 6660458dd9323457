// A stock Socket.IO server with one namespace, which wants a token.

import { createServer } from "node:http";
import { Server, Socket } from "socket.io";
import { described, obey, report, settings } from "./wire";

const { port, ...options } = settings();
const http = createServer();
const io = new Server(http, options);
const devices = io.of("/devices");
let latest: Socket | undefined;

devices.use((socket, next) => {
  next(socket.handshake.auth.token === "s3cret" ? undefined : new Error("unknown device"));
});

devices.on("connection", (socket) => {
  latest = socket;
  const { auth } = socket.handshake;
  report({ event: "open", sid: socket.id, auth, recovered: socket.recovered });
  socket.conn.on("packet", (packet: { type: string }) => {
    if (packet.type === "pong") report({ event: "pong", sid: socket.id });
  });
  socket.onAny((name, ...args) => {
    const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
    const seen = args.map((arg) => (Buffer.isBuffer(arg) ? described(arg) : arg));
    report({ event: "event", sid: socket.id, name, args: seen, wantsAck: ack !== undefined });
    ack?.("noted");
  });
  socket.on("disconnect", (reason) => report({ event: "close", sid: socket.id, reason }));
});

obey((order) => {
  const { name, args = [] } = order as any;
  switch (order.do) {
    case "emit":
      return void latest?.emit(name, ...args);
    case "broadcast":
      return void devices.emit(name, ...args);
    case "ask":
      return void latest
        ?.timeout(5000)
        .emitWithAck(name, ...args)
        .then(
          (answer) => report({ event: "ack", answer }),
          (error) => report({ event: "ack", error: String(error) }),
        );
    case "disconnect":
      return void latest?.disconnect();
    case "close":
      return void latest?.disconnect(true);
    default:
      throw new Error(`unknown order ${order.do}`);
  }
});

http.listen(port, "127.0.0.1", () => report({ event: "listening", port: (http.address() as any).port }));
