"""What the programs around python-socketio share: arguments in lines of JSON, and numbered events."""

import json
import sys
import threading

output = threading.Lock()


def to_line(value):
    """Bytes, and text that is not Unicode, are objects of one member in a line."""
    if isinstance(value, (bytes, bytearray)):
        return {"$hex": value.hex()}
    if isinstance(value, str):
        if not any("\ud800" <= char <= "\udfff" for char in value):
            return value
        units = value.encode("utf-16-le", "surrogatepass")
        return {"$utf16": [units[at] | units[at + 1] << 8 for at in range(0, len(units), 2)]}
    if isinstance(value, (list, tuple)):
        return [to_line(member) for member in value]
    if isinstance(value, dict):
        return {key: to_line(member) for key, member in value.items()}
    return value


def from_object(value):
    if isinstance(value.get("$hex"), str):
        return bytes.fromhex(value["$hex"])
    if isinstance(value.get("$utf16"), list):
        units = b"".join(unit.to_bytes(2, "little") for unit in value["$utf16"])
        return units.decode("utf-16-le", "surrogatepass")
    return value


def from_line(line):
    return json.loads(line, object_hook=from_object)


def say(event):
    line = json.dumps(to_line(event)) + "\n"
    with output:
        sys.stdout.write(line)
        sys.stdout.flush()


def numbered(number):
    """The arguments of a numbered event: each fiftieth has bytes."""
    return (number, bytes([number % 256])) if number % 50 == 0 else (number,)


class Numbers:
    """Counts the numbered events that came."""

    def __init__(self):
        self.count, self.wrong, self.transports = 0, 0, []

    def add(self, number, transport):
        self.wrong += number != self.count
        self.count += 1
        if transport not in self.transports:
            self.transports.append(transport)

    def told(self):
        return {"count": self.count, "wrong": self.wrong, "transports": self.transports}
