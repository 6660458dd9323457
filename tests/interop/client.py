"""python-engineio's client, driven by lines of JSON: commands on standard input, what happens on standard output.

It ends when standard input does. The protocol is described in tests/src/interop/stock_client.rs.
"""

import json
import sys
import threading
import time

import engineio

clients = {}
output = threading.Lock()


def say(event):
    line = json.dumps(event) + "\n"
    with output:
        sys.stdout.write(line)
        sys.stdout.flush()


class OrderedClient(engineio.Client):
    """Handles each message before the next. The original starts a thread for each, so that their order is lost."""

    def __init__(self, name):
        super().__init__(handle_sigint=False)
        self.name = name
        self.on("message", lambda data: self.tell("message", **to_json(data)))
        self.on("disconnect", lambda reason: self.tell("close", reason=reason))

    def tell(self, event, **more):
        say({"id": self.name, "event": event, "transport": self.current_transport, **more})

    def _trigger_event(self, event, *args, **kwargs):
        kwargs["run_async"] = False
        return super()._trigger_event(event, *args, **kwargs)

    def _receive_packet(self, packet):
        super()._receive_packet(packet)
        if packet.packet_type == engineio.packet.PING:
            self.tell("heartbeat")


def to_json(data):
    return {"hex": data.hex()} if isinstance(data, bytes) else {"text": data}


def from_json(command):
    return command["text"] if "text" in command else bytes.fromhex(command["hex"])


def send_burst(client, prefix, count, each=10, pause=0):
    for number in range(count):
        if number % each == 0:
            time.sleep(pause / 1000)
        client.send(prefix + str(number))


def open_client(id, url, options, burst=None):
    client = OrderedClient(id)
    clients[id] = client

    def connected():
        client.tell("handshake", handshake={
            "sid": client.sid,
            "upgrades": client.upgrades,
            "pingInterval": round(client.ping_interval * 1000),
            "pingTimeout": round(client.ping_timeout * 1000),
        })
        if burst:
            threading.Thread(target=send_burst, args=(client,), kwargs=burst, daemon=True).start()

    client.on("connect", connected)
    transports = options["transports"]
    try:
        client.connect(
            url,
            transports=transports,
            engineio_path=options.get("path", "/engine.io/"),
            headers=options.get("extraHeaders"),
        )
        # Not earlier: the threads that `disconnect` waits for start after the handler of `connect`.
        client.tell("open")
        if len(transports) > 1:
            client.tell("upgrade" if client.current_transport == "websocket" else "upgrade-error")
    except engineio.exceptions.ConnectionError as error:
        client.tell("error", detail=str(error))
        client.tell("close", reason="transport error")


def close_client(client):
    # By itself it leaves unsent what waits, and on polling also the close packet unless its writer is idle.
    client.queue.join()
    time.sleep(0.1)
    client.disconnect()


def main():
    for line in sys.stdin:
        command = json.loads(line)
        kind = command.pop("command")
        if kind == "open":
            threading.Thread(
                target=open_client,
                args=(command["id"], command["url"], command.get("options", {}), command.get("burst")),
                daemon=True,
            ).start()
        elif kind == "send":
            clients[command["id"]].send(from_json(command))
        elif kind == "close":
            threading.Thread(target=close_client, args=(clients[command["id"]],), daemon=True).start()


main()
