"""The model of `ClientUpgrade`: each function has the name and the shape of its counterpart in `core/src/upgrade.rs`."""

from typing import Any, NamedTuple

from calls import Call
from logic import LAST_SAFE, advance, both, choose, either, implies, lasting, negate
from upgrade.outcome import (
    PONG_PACKET,
    RUNNING,
    SESSION_ENDED,
    TIMEOUT,
    TRANSPORT_CLOSED,
    UNEXPECTED_PACKET,
    UPGRADED,
    in_range,
    named,
)


# What there is to write: `UpgradeControl`.
OUTCOMES = ["None", "PingProbe", "Upgrade"]
NOTHING, PING_PROBE, UPGRADE = range(len(OUTCOMES))


class ClientUpgrade(NamedTuple):
    clock: Any
    deadline: Any
    # The step: while the upgrade runs, whether it waits for the pause or for the answer to its probe.
    pausing: Any
    pending: Any
    outcome: Any


# The fields that are instants.
INSTANTS = ("clock", "deadline")

CALLS = [
    Call("handle_timeout"),
    Call("handle_packet", ("packet",)),
    Call("handle_polling_paused"),
    Call("handle_transport_closed", timed=False),
    Call("handle_session_ended", timed=False),
    Call("poll_transmit", timed=False, answers=True),
]


def new(upgrade_timeout, now):
    deadline = lasting(now, upgrade_timeout)
    return ClientUpgrade(clock=now, deadline=deadline, pausing=False, pending=PING_PROBE, outcome=RUNNING)


def handle_packet(upgrade, now, packet):
    upgrade, _ = advance(upgrade, now)
    awaited = both(negate(upgrade.pausing), upgrade.pending == NOTHING, packet == PONG_PACKET)
    return choose(
        both(upgrade.outcome == RUNNING, awaited),
        lambda: upgrade._replace(pausing=True),
        lambda: fail(upgrade, UNEXPECTED_PACKET),
    )


def handle_polling_paused(upgrade, now):
    upgrade, now = advance(upgrade, now)
    upgraded = upgrade._replace(pausing=False, pending=UPGRADE, outcome=UPGRADED)
    in_time = choose(upgrade.deadline <= now, lambda: fail(upgrade, TIMEOUT), lambda: upgraded)
    return choose(upgrade.pausing, lambda: in_time, lambda: upgrade)


def handle_transport_closed(upgrade):
    return fail(upgrade, TRANSPORT_CLOSED)


def handle_session_ended(upgrade):
    return fail(upgrade, SESSION_ENDED)


def handle_timeout(upgrade, now):
    upgrade, now = advance(upgrade, now)
    return choose(upgrade.deadline <= now, lambda: fail(upgrade, TIMEOUT), lambda: upgrade)


def poll_transmit(upgrade):
    return upgrade._replace(pending=NOTHING), upgrade.pending


def poll_timeout(upgrade):
    """Whether there is a deadline, and which."""
    return upgrade.outcome == RUNNING, upgrade.deadline


def fail(upgrade, outcome):
    failed = upgrade._replace(pausing=False, pending=NOTHING, outcome=outcome)
    return choose(upgrade.outcome == RUNNING, lambda: failed, lambda: upgrade)


def invariant(upgrade):
    """What is true of every upgrade at every time, by what each condition says."""
    running = upgrade.outcome == RUNNING
    nothing = upgrade.pending == NOTHING
    return {
        "every field is in the range of its type": in_range(upgrade, INSTANTS),
        "no time that was handled is later than the last one that is safe": upgrade.clock <= LAST_SAFE,
        "polling pauses only after the answer to a probe that was written": implies(
            upgrade.pausing, both(running, nothing)
        ),
        "what is pending is the packet of the step": either(
            nothing,
            both(running, upgrade.pending == PING_PROBE),
            both(upgrade.outcome == UPGRADED, upgrade.pending == UPGRADE),
        ),
    }
