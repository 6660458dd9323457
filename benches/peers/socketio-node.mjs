// socket.io on Node's http, as its documentation shows it, with the least that an application can do.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { pingInterval, pingTimeout, serveEvents, started } from "./options.mjs";

const http = createServer();
serveEvents(new Server(http, { pingInterval, pingTimeout }));
http.listen(0, "127.0.0.1", 4096, () => started(http.address().port));
