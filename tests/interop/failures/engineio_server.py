"""python-engineio's server on uvicorn, which sends messages back, and says what happens as lines of JSON.

    python engineio_server.py <options as JSON>

`pingInterval` and `pingTimeout` are in milliseconds, `connectDelay` is how long its connect handler takes. A line
`{"command": "step", "ms": 1000}` steps its wall clock, `{"command": "close"}` closes all sessions. It ends when standard input
does.
"""

import asyncio
import json
import os
import sys
import threading
import time

import engineio
import uvicorn

options = json.loads(sys.argv[1])
server = engineio.AsyncServer(
    async_mode="asgi",
    ping_interval=options.get("pingInterval", 25_000) / 1000,
    ping_timeout=options.get("pingTimeout", 20_000) / 1000,
)
true_time = time.time
clock = {"ahead": 0}
time.time = lambda: true_time() + clock["ahead"]


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


async def connect(sid, _):
    await asyncio.sleep(options.get("connectDelay", 0) / 1000)
    say("open", sid=sid)


async def message(sid, data):
    say("message", **({"hex": data.hex()} if isinstance(data, bytes) else {"text": data}))
    await server.send(sid, data)


# Version 3 gives no reason.
async def disconnect(sid, reason=None):
    say("close", reason=reason)


for handler in (connect, message, disconnect):
    server.on(handler.__name__, handler)


def obey(loop):
    for line in sys.stdin:
        command = json.loads(line)
        if command["command"] == "step":
            clock["ahead"] += command["ms"] / 1000
        else:
            asyncio.run_coroutine_threadsafe(server.disconnect(), loop)
    os._exit(0)


async def main():
    app = engineio.ASGIApp(server)
    http = uvicorn.Server(uvicorn.Config(app, port=0, http="h11", ws="wsproto", lifespan="off", log_level="error"))
    running = asyncio.create_task(http.serve())
    while not http.started:
        await asyncio.sleep(0.01)
    threading.Thread(target=obey, args=(asyncio.get_running_loop(),), daemon=True).start()
    say("listening", port=http.servers[0].sockets[0].getsockname()[1])
    await running


asyncio.run(main())
