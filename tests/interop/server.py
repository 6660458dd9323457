"""python-engineio's server, driven by lines of JSON: commands on standard input, what happens on standard output.

    python server.py <options as JSON>

It has polling only, on the standard library's HTTP server, and ends when standard input does. The protocol is described
in tests/src/interop/stock_server.rs.
"""

import json
import os
import socketserver
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import engineio

output = threading.Lock()


def say(event):
    line = json.dumps(event) + "\n"
    with output:
        sys.stdout.write(line)
        sys.stdout.flush()


def to_json(data):
    return {"hex": data.hex()} if isinstance(data, bytes) else {"text": data}


def from_json(command):
    return command["text"] if "text" in command else bytes.fromhex(command["hex"])


class ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    """A poll waits in a thread of its own."""

    daemon_threads = True


class SilentHandler(WSGIRequestHandler):
    """Standard error is for what goes wrong."""

    def log_message(self, *_):
        pass


def main():
    options = json.loads(sys.argv[1])
    # Handlers in threads of their own would mix up the order of messages.
    server = engineio.Server(
        async_mode="threading",
        async_handlers=False,
        transports=["polling"],
        ping_interval=options.get("pingInterval", 25_000) / 1000,
        ping_timeout=options.get("pingTimeout", 20_000) / 1000,
    )

    def tell(sid, event, **more):
        say({"id": sid, "event": event, "transport": "polling", **more})

    server.on("connect", lambda sid, _: tell(sid, "open", revision=4))
    server.on("message", lambda sid, data: tell(sid, "message", **to_json(data)))
    server.on("disconnect", lambda sid, reason: tell(sid, "close", reason=reason))
    http = make_server("127.0.0.1", 0, engineio.WSGIApp(server), ThreadingServer, SilentHandler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    say({"event": "listening", "port": http.server_port})

    for line in sys.stdin:
        command = json.loads(line)
        kind = command.pop("command")
        if kind == "send":
            server.send(command["id"], from_json(command))
        elif kind == "close":
            server.disconnect(command["id"])
        elif kind == "close-all":
            server.disconnect()
    # Not by returning, which would wait for the threads of the server.
    os._exit(0)


main()
