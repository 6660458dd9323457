// The command line, the beginning and the end that all servers of the comparison share; see
// ../servers/src/lib.rs.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  options: {
    workers: { type: "string", default: "1" },
    app: { type: "string", default: "echo" },
    "ping-interval": { type: "string", default: "25000" },
    "ping-timeout": { type: "string", default: "20000" },
    tls: { type: "string" },
  },
  allowPositionals: true,
});

/** Ends the program, because it cannot do what it is asked for. */
function cannot(what) {
  console.error(what);
  process.exit(2);
}

if (values.workers !== "1") cannot("JavaScript runs on one thread: a second worker would be a second server");

export const pingInterval = Number(values["ping-interval"]);
export const pingTimeout = Number(values["ping-timeout"]);

/** The certificate and the key of TLS, if it is asked for: `--tls CERTIFICATE KEY`. */
export const tls = values.tls && { cert: readFileSync(values.tls), key: readFileSync(positionals[0]) };

/**
 * Does with the messages of a session what the command line asks for. `sessions` returns all of them. The libraries
 * name the event of a message, and the method that sends one, differently.
 */
export function serve(socket, sessions, event, send) {
  if (values.app === "broadcast") {
    socket.on(event, (data) => {
      for (const session of sessions()) session[send](data);
    });
  } else {
    socket.on(event, (data) => socket[send](data));
  }
}

/** Does with the events of a Socket.IO server what the command line asks for. */
export function serveEvents(io) {
  if (tls) cannot("TLS is measured without Socket.IO");
  io.on("connection", (socket) => {
    if (values.app === "broadcast") {
      socket.join("all");
      socket.on("echo", (text) => io.to("all").emit("echo", text));
    } else {
      socket.on("echo", (text) => socket.emit("echo", text));
      socket.on("ask", (text, acknowledge) => acknowledge(text));
    }
  });
}

/** Says where the server listens, and ends the program when standard input ends. */
export function started(port) {
  console.log(`listening ${port}`);
  process.stdin.on("end", () => process.exit(0)).resume();
}
