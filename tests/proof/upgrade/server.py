"""The model of `ServerUpgrade`: each function has the name and the shape of its counterpart in `core/src/upgrade.rs`."""

from typing import Any, NamedTuple

from calls import Call
from logic import LAST_SAFE, add_millis, advance, both, choose, either, implies, lasting, negate, pick, smaller
from upgrade.outcome import (
    PING_PACKET,
    RUNNING,
    SESSION_ENDED,
    TIMEOUT,
    TRANSPORT_CLOSED,
    UNEXPECTED_PACKET,
    UPGRADED,
    in_range,
    is_upgrade,
    named,
)

# What there is to write: `UpgradeControl`.
OUTCOMES = ["None", "PongProbe", "Noop"]
NOTHING, PONG_PROBE, NOOP = range(len(OUTCOMES))

NOOP_INTERVAL_MILLIS = 100


class ServerUpgrade(NamedTuple):
    clock: Any
    deadline: Any
    # `next_noop` is none until this is true.
    probed: Any
    next_noop: Any
    pong_pending: Any
    noop_pending: Any
    outcome: Any


# The fields that are instants.
INSTANTS = ("clock", "deadline", "next_noop")

CALLS = [
    Call("handle_timeout"),
    Call("handle_packet", ("packet",)),
    Call("handle_transport_closed", timed=False),
    Call("handle_session_ended", timed=False),
    Call("poll_transmit", timed=False, answers=True),
]


def new(upgrade_timeout, now):
    return ServerUpgrade(
        clock=now,
        deadline=lasting(now, upgrade_timeout),
        probed=False,
        next_noop=now,
        pong_pending=False,
        noop_pending=False,
        outcome=RUNNING,
    )


def handle_packet(upgrade, now, packet):
    upgrade, now = advance(upgrade, now)
    next_noop = pick(upgrade.probed, upgrade.next_noop, add_millis(now, NOOP_INTERVAL_MILLIS))
    probed = upgrade._replace(pong_pending=True, probed=True, next_noop=next_noop)
    outcome = pick(is_upgrade(packet), UPGRADED, UNEXPECTED_PACKET)
    return choose(
        both(upgrade.outcome == RUNNING, packet == PING_PACKET),
        lambda: probed,
        lambda: end(upgrade, outcome),
    )


def handle_transport_closed(upgrade):
    return end(upgrade, TRANSPORT_CLOSED)


def handle_session_ended(upgrade):
    return end(upgrade, SESSION_ENDED)


def handle_timeout(upgrade, now):
    upgrade, now = advance(upgrade, now)
    due = both(upgrade.outcome == RUNNING, upgrade.probed, upgrade.next_noop <= now)
    noop = upgrade._replace(noop_pending=True, next_noop=add_millis(now, NOOP_INTERVAL_MILLIS))
    return choose(
        upgrade.deadline <= now,
        lambda: end(upgrade, TIMEOUT),
        lambda: choose(due, lambda: noop, lambda: upgrade),
    )


def poll_transmit(upgrade):
    return choose(
        upgrade.pong_pending,
        lambda: (upgrade._replace(pong_pending=False), PONG_PROBE),
        lambda: (upgrade._replace(noop_pending=False), pick(upgrade.noop_pending, NOOP, NOTHING)),
    )


def poll_timeout(upgrade):
    """Whether there is a deadline, and which."""
    sooner = smaller(upgrade.next_noop, upgrade.deadline)
    return upgrade.outcome == RUNNING, pick(upgrade.probed, sooner, upgrade.deadline)


def end(upgrade, outcome):
    answers = both(upgrade.pong_pending, either(outcome == UPGRADED, outcome == UNEXPECTED_PACKET))
    ended = upgrade._replace(outcome=outcome, pong_pending=answers, noop_pending=False)
    return choose(upgrade.outcome == RUNNING, lambda: ended, lambda: upgrade)


def invariant(upgrade):
    """What is true of every upgrade at every time, by what each condition says."""
    ended = upgrade.outcome != RUNNING
    silent = both(ended, upgrade.outcome != UPGRADED, upgrade.outcome != UNEXPECTED_PACKET)
    return {
        "every field is in the range of its type": in_range(upgrade, INSTANTS),
        "no time that was handled is later than the last one that is safe": upgrade.clock <= LAST_SAFE,
        "the next noop is due within its interval": implies(
            upgrade.probed, upgrade.next_noop <= upgrade.clock + NOOP_INTERVAL_MILLIS * 1_000
        ),
        "only a probe is answered, and followed by noops": implies(
            either(upgrade.pong_pending, upgrade.noop_pending), upgrade.probed
        ),
        "no noop follows the end": implies(ended, negate(upgrade.noop_pending)),
        "an upgrade that nobody decided writes nothing after its end": implies(
            silent, negate(upgrade.pong_pending)
        ),
    }
