// Clients of Socket.IO for servers of several nodes. Each joins a room whenever it connects, and counts what comes.
"use strict";

const { io } = require("socket.io-client-4");
const { obey, say } = require("./lines.cjs");
const clients = [];

obey({
  // Opens clients, which are called by their numbers from then on.
  open: ({ count, url, transports }) => {
    for (let i = 0; i < count; i++) {
      const options = { forceNew: true, transports, reconnectionDelay: 100, reconnectionDelayMax: 1000 };
      const client = { socket: io(url, options), joined: false, got: 0, connects: 0, ends: [] };
      client.socket.on("connect", () => {
        client.connects++;
        client.socket.emit("join", "room", () => { client.joined = true; });
      });
      client.socket.on("disconnect", (reason) => { client.joined = false; client.ends.push(reason); });
      client.socket.on("news", () => client.got++);
      clients.push(client);
    }
  },
  // Lets a client send an event to the others in the room.
  tell: ({ client }) => clients[client].socket.emit("to", "room", "news", (reached) => say({ event: "told", reached })),
  look: () =>
    say({
      event: "look",
      clients: clients.map(({ socket, joined, got, connects, ends }) => {
        const transport = socket.io.engine?.transport?.name;
        return { node: socket.id?.[0] ?? "", joined, transport, got, connects, ends };
      }),
    }),
});
