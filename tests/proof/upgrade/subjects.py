"""Both sides of an upgrade: `ServerUpgrade` and `ClientUpgrade`."""

from logic import LAST_SAFE, MAX_DURATION, add_millis, advance, both, choose
from subject import Subject
from upgrade import client, server
from upgrade.outcome import ENDINGS, PACKETS, RUNNING, TIMEOUT
from upgrade.properties import DOUBTS, of_client, of_server


def obeys_the_callers_clock(upgrade, now):
    return upgrade._replace(clock=now), now


def times_out_a_microsecond_late(model):
    def times_out_a_microsecond_late(upgrade, now):
        upgrade, now = advance(upgrade, now)
        return choose(
            upgrade.deadline < now, lambda: getattr(model, ENDS[model])(upgrade, TIMEOUT), lambda: upgrade
        )

    return times_out_a_microsecond_late


def forgets_the_outcome(upgrade, outcome):
    return upgrade._replace(outcome=outcome)


def counts_noops_from_the_missed_one(upgrade, now):
    upgrade, now = advance(upgrade, now)
    due = both(upgrade.outcome == RUNNING, upgrade.probed, upgrade.next_noop <= now)
    noop = upgrade._replace(noop_pending=True, next_noop=add_millis(upgrade.next_noop, server.NOOP_INTERVAL_MILLIS))
    return choose(
        upgrade.deadline <= now,
        lambda: server.end(upgrade, TIMEOUT),
        lambda: choose(due, lambda: noop, lambda: upgrade),
    )


def starts_the_timeout_anew(upgrade, now):
    upgrade, now = advance(upgrade, now)
    moved = upgrade._replace(pausing=False, deadline=add_millis(now, 5_000))
    return choose(upgrade.pausing, lambda: moved, lambda: upgrade)


# The function that ends an upgrade.
ENDS = {server: "end", client: "fail"}


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
        faults=[
            ("advance", obeys_the_callers_clock),
            ("handle_timeout", times_out_a_microsecond_late(model)),
            (ENDS[model], forgets_the_outcome),
            *faults,
        ],
    )


def in_state(number):
    return lambda upgrade: upgrade.outcome == number


SERVER_UPGRADE = subject(
    "server upgrade",
    server,
    server.ServerUpgrade,
    ("probed", "pong_pending", "noop_pending"),
    of_server(server.invariant),
    [("handle_timeout", counts_noops_from_the_missed_one)],
)
CLIENT_UPGRADE = subject(
    "client upgrade",
    client,
    client.ClientUpgrade,
    ("pausing",),
    of_client(client.invariant),
    [("handle_polling_paused", starts_the_timeout_anew)],
)
