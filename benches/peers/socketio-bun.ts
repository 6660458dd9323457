// socket.io on Socket.IO's engine for Bun, as its documentation shows it, with the least that an application can do.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { pingInterval, pingTimeout, serveEvents, started } from "./options.mjs";

const engine = new Engine({ path: "/socket.io/", pingInterval, pingTimeout });
const io = new Server();
io.bind(engine);
serveEvents(io);
started(Bun.serve({ ...engine.handler(), hostname: "127.0.0.1", port: 0 }).port);
