// Socket.IO's engine for Bun on Bun's own server, as its documentation shows it, with the least that an application can
// do.
import { Server } from "@socket.io/bun-engine";
import { pingInterval, pingTimeout, serve, started, tls } from "./options.mjs";

const engine = new Server({ path: "/engine.io/", pingInterval, pingTimeout });
// The engine keeps its list of sessions to itself.
const sessions = new Set();
engine.on("connection", (socket) => {
  sessions.add(socket);
  socket.on("close", () => sessions.delete(socket));
  serve(socket, () => sessions, "data", "write");
});
started(Bun.serve({ ...engine.handler(), hostname: "127.0.0.1", port: 0, tls }).port);
