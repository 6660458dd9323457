"""Both sides of an upgrade: `ServerUpgrade` and `ClientUpgrade`."""

from logic import LAST_SAFE, MAX_DURATION, both
from subject import Subject
from upgrade import client, server
from upgrade.faults import OF_CLIENT, OF_SERVER
from upgrade.outcome import ENDINGS, PACKETS
from upgrade.properties import DOUBTS, of_client, of_server


def subject(name, model, fields, flags, properties, faults):
    return Subject(
        name=name,
        model=model,
        fields=fields,
        flags=flags,
        bounds={"packet": (0, len(PACKETS) - 1)},
        is_valid=lambda call, arguments: True,
        begins={
            "that begins": lambda upgrade, timeout: (
                model.new(timeout, upgrade.clock),
                both(0 <= timeout, timeout <= MAX_DURATION, 0 <= upgrade.clock, upgrade.clock <= LAST_SAFE),
            )
        },
        states={name: in_state(number) for number, name in enumerate(ENDINGS)},
        invariant=model.invariant,
        properties=properties,
        doubts=DOUBTS,
        faults=faults,
    )


def in_state(number):
    return lambda upgrade: upgrade.outcome == number


SERVER_UPGRADE = subject(
    "server upgrade",
    server,
    server.ServerUpgrade,
    ("probed", "pong_pending", "noop_pending"),
    of_server(server.invariant),
    OF_SERVER,
)
CLIENT_UPGRADE = subject(
    "client upgrade",
    client,
    client.ClientUpgrade,
    ("pausing",),
    of_client(client.invariant),
    OF_CLIENT,
)
