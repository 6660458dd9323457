"""python-socketio's server on uvicorn, driven by lines of JSON: commands on standard input, what happens on standard output.

It ends when standard input does. The protocol is described in tests/tests/socketio_peers/servers/stock.rs.
"""

import asyncio
import functools
import os
import sys
import threading

import socketio
import uvicorn
from socketio_lines import Numbers, from_line, numbered, say

servers = {}


class Server:
    """A server on a port of its own."""

    def __init__(self, id, options):
        self.id = id
        self.sids, self.numbers = {}, {}
        self.sio = socketio.AsyncServer(
            async_mode="asgi",
            ping_interval=options.get("pingInterval", 25_000) / 1000,
            ping_timeout=options.get("pingTimeout", 20_000) / 1000,
        )
        for namespace in ("/", "/chat", "/ünï 😀", "/guarded", "/slow"):
            on = functools.partial(self.sio.on, namespace=namespace)
            on("connect", functools.partial(self.joined, namespace))
            on("*", functools.partial(self.hear, namespace))
            on("disconnect", lambda sid, reason, of=namespace: self.tell(of, "leave", reason=reason))

    async def start(self, port):
        app = socketio.ASGIApp(self.sio)
        settings = {"http": "h11", "ws": "wsproto", "lifespan": "off", "log_level": "error"}
        self.http = uvicorn.Server(uvicorn.Config(app, port=port or 0, timeout_graceful_shutdown=1, **settings))
        self.running = asyncio.create_task(self.http.serve())
        while not self.http.started:
            await asyncio.sleep(0.005)
        say({"id": self.id, "event": "listening", "port": self.http.servers[0].sockets[0].getsockname()[1]})

    def transport(self, namespace):
        return self.sio.transport(self.sids[namespace], namespace)

    def tell(self, namespace, event, **more):
        say({"id": self.id, "event": event, "namespace": namespace, **more})

    def session(self, namespace):
        return self.sio.manager.eio_sid_from_sid(self.sids[namespace], namespace)

    async def joined(self, namespace, sid, _, auth):
        if namespace == "/guarded" and (auth or {}).get("token") != "open":
            raise socketio.exceptions.ConnectionRefusedError("not authorized", {"code": 7, "bytes": [1]})
        if namespace == "/slow":
            await asyncio.sleep(5)
        self.sids[namespace], self.numbers[namespace] = sid, Numbers()
        self.tell(namespace, "join", auth=auth, sid=sid, session=self.session(namespace))

    async def hear(self, namespace, name, _, *args):
        if name == "numbered":
            return self.numbers[namespace].add(args[0], self.transport(namespace))
        if name == "back":
            # A handler does not know whether an answer is wanted.
            await self.emit(name, args, namespace)
            return args
        self.tell(namespace, "event", name=name, args=args)
        if name == "silent":
            return self.sio.not_handled
        if name == "sum":
            return args[0] + args[1]
        if name == "late":
            await asyncio.sleep(args[0] / 1000)
        # Each member of a tuple is an argument of the answer.
        return args

    async def emit(self, name, args, namespace="/", call=None):
        def answered(*answer):
            self.tell(namespace, "answer", call=call, args=answer)

        callback = None if call is None else answered
        await self.sio.emit(name, tuple(args), self.sids[namespace], namespace=namespace, callback=callback)

    async def flood(self, namespace="/", **numbers):
        for number in range(numbers["from"], numbers["to"]):
            await self.emit("numbered", numbered(number), namespace)
            if number % 100 == 0:
                await asyncio.sleep(0)
        self.tell(namespace, "flooded")

    async def tell_numbers(self, namespace="/"):
        self.tell(namespace, "numbers", **self.numbers[namespace].told())

    async def disconnect(self, namespace):
        await self.sio.disconnect(self.sids[namespace], namespace)

    async def abandon(self):
        """Ends the session and says nothing of namespaces."""
        await self.sio.eio.disconnect(self.session("/"))

    async def raw(self, text):
        """Sends a packet that the library would not."""
        await self.sio.eio.send(self.session("/"), text)

    async def close(self):
        for listener in self.http.servers:
            listener.close()
        # It waits for clients that may have vanished.
        await asyncio.wait({asyncio.create_task(self.sio.eio.disconnect())}, timeout=1)
        await self.sio.shutdown()
        self.http.should_exit = True
        await self.running
        del servers[self.id]


async def obey(command, id, **rest):
    if command == "open":
        servers[id] = Server(id, rest["options"])
        await servers[id].start(rest.get("port"))
    else:
        await getattr(servers[id], command)(**rest)


async def main():
    loop, lines = asyncio.get_running_loop(), asyncio.Queue()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        # Not by returning, which would wait for the servers.
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    under_way = set()
    while True:
        # Each in a task of its own, because some take their time. The tasks begin in this order.
        task = asyncio.create_task(obey(**from_line(await lines.get())))
        under_way.add(task)
        task.add_done_callback(under_way.discard)


asyncio.run(main())
