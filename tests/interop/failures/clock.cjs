// socket.io-client, which asks engine.io-client before each event whether its session still lives. Its wall clock steps by so
// many milliseconds once it is connected, and then it sends an event, which the server answers.
//
//   node clock.cjs <socket.io-client> <url> <milliseconds>
"use strict";

const [, , library, url, step] = process.argv;
const { say } = require("../lines.cjs");

const socket = require(library).io(url, { transports: ["websocket"], reconnection: false });
socket.on("connect", () => {
  say({ event: "open" });
  setTimeout(() => {
    const { now } = Date;
    Date.now = () => now() + Number(step);
    socket.emit("hello");
  }, 1000);
});
socket.on("hello", () => say({ event: "message" }));
socket.on("disconnect", (reason) => say({ event: "close", reason }));
