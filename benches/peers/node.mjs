// engine.io on Node's http, as its documentation shows it, with the least that an application can do.
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { attach } from "engine.io";
import { pingInterval, pingTimeout, serve, started, tls } from "./options.mjs";

const http = tls ? createTlsServer(tls) : createServer();
const engine = attach(http, { pingInterval, pingTimeout });
const sessions = () => Object.values(engine.clients);
engine.on("connection", (socket) => serve(socket, sessions, "message", "send"));
http.listen(0, "127.0.0.1", 4096, () => started(http.address().port));
