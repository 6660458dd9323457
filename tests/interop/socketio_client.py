"""python-socketio's client, driven by lines of JSON: commands on standard input, what happens on standard output.

It ends when standard input does. The protocol is described in tests/tests/socketio_peers/client.rs.
"""

import socket
import sys
import threading
import time

import engineio
import socketio
from socketio_lines import Numbers, from_line, numbered, say

sessions = {}


class OrderedEngine(engineio.Client):
    """Handles each message before the next: the original starts a thread for each, so that their order is lost."""

    is_mute = False

    def _trigger_event(self, event, *args, **kwargs):
        kwargs["run_async"] = False
        return super()._trigger_event(event, *args, **kwargs)

    def disconnect(self, abort=False, reason=None):
        # By itself it closes a WebSocket before what waits is written, and on polling it leaves the close packet unsent
        # unless its writer is idle.
        if self.state == "connected" and not abort:
            self.queue.join()
            time.sleep(0.1)
        super().disconnect(abort, reason)

    def _send_packet(self, packet):
        if not (self.is_mute and packet.packet_type == engineio.packet.PONG):
            super()._send_packet(packet)


class OrderedClient(socketio.Client):
    def _engineio_client_class(self):
        return OrderedEngine


class Session:
    """A namespace of a connection."""

    def __init__(self, id, client, namespace):
        self.id, self.client, self.namespace = id, client, namespace
        self.numbers = Numbers()
        client.on("connect", self.connected, namespace=namespace)
        client.on("disconnect", lambda reason: self.tell("disconnect", reason=reason), namespace=namespace)
        client.on("connect_error", self.refused, namespace=namespace)
        client.on("*", self.hear, namespace=namespace)

    def transport(self):
        return self.client.eio.current_transport

    def tell(self, event, **more):
        say({"id": self.id, "event": event, "transport": self.transport(), **more})

    def connected(self):
        self.tell("connect", sid=self.client.get_sid(self.namespace))

    def refused(self, error=None):
        error = error if isinstance(error, dict) else {"message": error}
        self.tell("connect-error", **{name: error.get(name) for name in ("message", "data") if name in error})

    def hear(self, name, *args):
        if name == "numbered":
            return self.numbers.add(args[0], self.transport())
        self.tell("event", name=name, args=args)
        if name == "late":
            time.sleep(args[0] / 1000)
        # Each member of a tuple is an argument of the answer.
        return args

    def emit(self, name, args, call=None):
        def answered(*answer):
            self.tell("answer", call=call, args=answer)

        callback = None if call is None else answered
        self.client.emit(name, tuple(args), namespace=self.namespace, callback=callback)

    def flood(self, **numbers):
        for number in range(numbers["from"], numbers["to"]):
            self.client.emit("numbered", numbered(number), namespace=self.namespace)
        self.tell("flooded")

    def tell_numbers(self):
        self.tell("numbers", **self.numbers.told())

    def mute(self):
        self.client.eio.is_mute = True

    def raw(self, text):
        self.client.eio.send(text)

    def leave(self):
        # It disconnects, or does not come back. While a connection is being made, `shutdown` would only end attempts that
        # come later, and a client that has just come back would stay.
        while self.client.eio.state == "connected" and not self.client.connected:
            time.sleep(0.01)
        self.client.shutdown()

    def abandon(self):
        self.client.eio.disconnect()

    def cut(self):
        self.client.eio.ws.sock.shutdown(socket.SHUT_RDWR)


def open_client(id, url, namespace, options, auth=None, everyAuth=None, more=None):
    transports = options.pop("transports")
    client = OrderedClient(handle_sigint=False, **options)
    namespaces = {namespace: id} | (more or {})
    for name, number in namespaces.items():
        sessions[number] = Session(number, client, name)
    asked = iter(everyAuth or [])
    try:
        client.connect(
            url,
            transports=transports,
            namespaces=list(namespaces),
            auth=(lambda: next(asked)) if everyAuth else auth,
            wait_timeout=30,
        )
        # Not earlier: before, it tells no end.
        sessions[id].tell("ready")
    except socketio.exceptions.ConnectionError as error:
        sessions[id].tell("failed", detail=str(error))


def obey(command, id, **rest):
    if command == "open":
        open_client(id, **rest)
    else:
        getattr(sessions[id], command)(**rest)


# What takes its time has a thread of its own; the others keep their order.
for line in sys.stdin:
    given = from_line(line)
    if given["command"] in ("open", "leave", "flood", "abandon"):
        threading.Thread(target=obey, kwargs=given, daemon=True).start()
    else:
        obey(**given)
