// @socket.io/bun-engine on Bun: a server that closes each session after a second, with the last words that its client asked
// for.
import { createRequire } from "node:module";

const { Server } = createRequire(process.argv[2])("@socket.io/bun-engine");
const engine = new Server({ path: "/engine.io/" });
engine.on("connection", (socket, request) => {
  const words = new URL(request.url, "http://localhost").searchParams.get("words");
  setTimeout(() => {
    if (words) socket.write(words);
    socket.close();
  }, 1000);
});
const { port } = Bun.serve({ ...engine.handler(), hostname: "127.0.0.1", port: 0 });
console.log(JSON.stringify({ event: "listening", port }));
