// One node of several: socket.io with its Redis adapter, as the adapter's documentation shows it. A room that all sockets are
// in, as in ../servers/src/bin/bench-node.rs, whose command line it has.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const { values } = parseArgs({
  options: { node: { type: "string" }, bus: { type: "string" }, socketio: { type: "boolean" } },
});

const publisher = createClient({ url: values.bus });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer();
const io = new Server(http, { adapter: createAdapter(publisher, subscriber) });
io.on("connection", (socket) => {
  socket.join("all");
  socket.on("echo", (text) => io.to("all").emit("echo", text));
});
http.listen(0, "127.0.0.1", 4096, () => console.log(`listening ${http.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
