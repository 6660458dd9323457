"""Autobahn's cases against a peer that sends every message back.

    fuzzer.py client <dialect> <groups> <url> <at once>    plays them to a server, so many at a time
    fuzzer.py server <dialect> <groups>                    plays the case that a client's path names, such as /5.19/

The dialect is `websocket`, or `engine.io` for a peer that speaks WebSocket only below Engine.IO. Says what happens as lines of
JSON: the cases, the port, the result of each case. Ends with the last case, or when its standard input does.
"""

import asyncio
import collections
import itertools
import json
import sys
import traceback

from autobahn.asyncio.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from autobahn.websocket.protocol import WebSocketProtocol

import cases
from cases import to_bytes, to_text

# Most cases give the peer a second for everything. A machine with other things to do may be slower.
PATIENCE = 5
# The suite gives a handshake some seconds. A peer that never ends one fails after these.
HANDSHAKE = 30
# Engine.IO's heartbeat must not come into a case.
OPEN = b'0{"sid":"autobahn","upgrades":[],"pingInterval":3600000,"pingTimeout":3600000,"maxPayload":67108864}'


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Fuzzer:
    """What a case calls on its connection, for either role. What a case needs not is left out: logs and statistics."""

    def begin(self, number):
        self.number = number
        self.connectionWasOpen = False
        self.txFrameStats = collections.Counter()
        self.runCase = CASES[number](self)
        self.over = asyncio.get_running_loop().create_future()

    def start(self):
        self.connectionWasOpen = True
        self.play(self.runCase.onOpen)

    def play(self, step, *arguments):
        try:
            step(*arguments)
        except Exception:
            self.runCase.fault = traceback.format_exc()
            self._fail_connection()

    def onOpen(self):
        self.start()

    def onMessage(self, payload, isBinary):
        self.play(self.runCase.onMessage, to_text(payload), isBinary)

    def onPong(self, payload):
        self.play(self.runCase.onPong, to_text(payload))

    def onClose(self, wasClean, code, reason):
        self.play(self.runCase.onClose, wasClean, code, reason)

    def connection_lost(self, reason):
        super().connection_lost(reason)
        self.play(self.runCase.onConnectionLost, self.failedByMe)
        case = self.runCase
        say(
            "result",
            case=self.number,
            behavior=case.behavior,
            close=case.behaviorClose,
            code=self.remoteCloseCode,
            said=f"{case.result} {case.resultClose} {getattr(case, 'fault', '')}".strip(),
            received=[str(part)[:100] for part in case.received[-2:]],
        )
        self.over.set_result(None)

    def later(self, delay, step, *arguments):
        def unless_closed():
            if self.state != WebSocketProtocol.STATE_CLOSED:
                self.play(step, *arguments)

        asyncio.get_running_loop().call_later(delay, unless_closed)

    def continueLater(self, delay, step, tag=None):
        self.later(delay, step)

    def killAfter(self, delay):
        self.later(delay * PATIENCE, self._fail_connection)

    def closeAfter(self, delay):
        self.later(delay * PATIENCE, self.sendClose)

    def enableWirelog(self, enable):
        pass

    def logTxFrame(self, header, *_):
        self.txFrameStats[header.opcode] += 1

    def sendFrame(self, opcode, payload=b"", **more):
        super().sendFrame(opcode, to_bytes(payload), **more)

    def sendMessage(self, payload, isBinary=False, **more):
        if self.state == WebSocketProtocol.STATE_OPEN:
            super().sendMessage(to_bytes(payload), isBinary, **more)

    def sendMessageFrameData(self, payload, **more):
        super().sendMessageFrameData(to_bytes(payload), **more)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        super().sendCloseFrame(code, None if reasonUtf8 is None else to_bytes(reasonUtf8), isReply)


class EngineIo:
    """Puts Engine.IO's `4` before each text, and takes it away. Everything else stays as the case has it."""

    def sendFrame(self, opcode, payload=b"", payload_len=None, **more):
        if opcode == WebSocketProtocol.MESSAGE_TYPE_TEXT:
            payload = to_bytes(payload)
            if payload_len is not None:
                payload = bytes(itertools.islice(itertools.cycle(payload), payload_len))
            payload, payload_len = b"4" + payload, None
        super().sendFrame(opcode, payload, payload_len=payload_len, **more)

    def beginMessageFrame(self, length):
        begins = self.send_state == WebSocketProtocol.SEND_STATE_MESSAGE_BEGIN
        prefix = b"4" if begins and self.send_message_opcode == WebSocketProtocol.MESSAGE_TYPE_TEXT else b""
        super().beginMessageFrame(length + len(prefix))
        if prefix:
            self.sendMessageFrameData(prefix)

    def onOpen(self):
        if self.factory.isServer:
            WebSocketProtocol.sendFrame(self, WebSocketProtocol.MESSAGE_TYPE_TEXT, OPEN)
            self.txFrameStats.clear()
            self.start()

    def onMessage(self, payload, isBinary):
        if not isBinary and payload.startswith(b"0"):
            self.start()
        elif not isBinary and payload.startswith(b"4"):
            super().onMessage(payload[1:], False)
        else:
            super().onMessage(payload, isBinary)


class ToServer(Fuzzer, WebSocketClientProtocol):
    def connection_made(self, transport):
        self.begin(self.factory.number)
        super().connection_made(transport)


class ToClient(Fuzzer, WebSocketServerProtocol):
    def connection_made(self, transport):
        # Of a connection that asks for none.
        self.begin("1.1.1")
        super().connection_made(transport)

    def onConnect(self, request):
        self.begin(request.path.strip("/"))


def factory(kind, protocol, dialect, **settings):
    made = kind(**settings)
    made.protocol = type("Protocol", (EngineIo, protocol), {}) if dialect == "engine.io" else protocol
    made.logFrames = True
    # As the suite has it: a broken rule is answered by a close frame.
    made.setProtocolOptions(failByDrop=False, openHandshakeTimeout=HANDSHAKE, closeHandshakeTimeout=HANDSHAKE)
    return made


async def client(dialect, numbers, url, at_once):
    loop, turn = asyncio.get_running_loop(), asyncio.Semaphore(int(at_once))
    host, port = url.split("/")[2].split(":")

    async def run(number):
        async with turn:
            to_server = factory(WebSocketClientFactory, ToServer, dialect, url=url)
            to_server.number = number
            to_server.setProtocolOptions(serverConnectionDropTimeout=HANDSHAKE)
            _, protocol = await loop.create_connection(to_server, host, port)
            await protocol.over

    await asyncio.gather(*map(run, numbers))


async def server(dialect):
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(factory(WebSocketServerFactory, ToClient, dialect), "127.0.0.1", 0)
    say("listening", port=listener.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)


async def main(role, dialect, groups, *more):
    numbers = [number for number in CASES if number.split(".")[0] in groups.split(",")]
    of_each = collections.Counter(number.split(".")[0] for number in CASES)
    say("cases", numbers=numbers, suite=of_each)
    if role == "client":
        await client(dialect, numbers, *more)
    else:
        await server(dialect)
    say("over")


CASES = cases.load()
asyncio.run(main(*sys.argv[1:]))
