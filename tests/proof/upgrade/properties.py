"""What is proven of both sides of an upgrade, besides the rules of every machine."""

from logic import both, either, implies, negate, pick, same
from rules import WAKING, deadline, has_ended, is_due, is_early, rules_of
from subject import Property
from upgrade import client, server
from upgrade.outcome import (
    PING_PACKET,
    PONG_PACKET,
    RUNNING,
    SESSION_ENDED,
    TIMEOUT,
    TRANSPORT_CLOSED,
    UNEXPECTED_PACKET,
    UPGRADED,
    is_upgrade,
)

# What a report of the caller ends an upgrade for.
REPORTS = {"handle_transport_closed": TRANSPORT_CLOSED, "handle_session_ended": SESSION_ENDED}


def is_running(step):
    return step.before.outcome == RUNNING


LIMIT = [
    Property(
        "never postponed",
        2,
        "No call moves the end of the upgrade timeout, and the upgrade is woken by then.",
        lambda step: both(
            step.after.deadline == step.before.deadline, deadline(step, step.after) <= step.before.deadline
        ),
    ),
    Property(
        "timeout on time",
        3,
        "A `handle_timeout` ends the upgrade exactly if the upgrade timeout has passed.",
        lambda step: same(step.after.outcome == TIMEOUT, step.before.deadline <= step.time),
        WAKING,
        is_running,
    ),
    Property(
        "evidence before expiry",
        5,
        "Nothing that the peer or the caller reports of its end ends an upgrade for its timeout.",
        lambda step: same(step.after.outcome == TIMEOUT, step.before.outcome == TIMEOUT),
        ("handle_packet", "handle_transport_closed", "handle_session_ended", "poll_transmit"),
    ),
    Property(
        "first cause",
        7,
        "Once set, the outcome never changes.",
        lambda step: both(step.after.outcome == step.before.outcome, has_ended(step, step.after)),
        given=lambda step: has_ended(step, step.before),
    ),
    Property(
        "says why",
        7,
        "What the caller reports ends a running upgrade, and is its outcome.",
        lambda step: step.after.outcome == REPORTS[step.call.name],
        tuple(REPORTS),
        is_running,
    ),
    Property(
        "written once",
        0,
        "What was written once is not written again.",
        lambda step: implies(step.outcome != step.model.NOTHING, step.repeated(step.after, 0)[1] != step.outcome),
        ("poll_transmit",),
    ),
]

EXCHANGE_OF_SERVER = [
    Property(
        "packets decide",
        0,
        "A `5` upgrades, whatever follows it; a probe leaves the upgrade running; anything else ends it as unexpected.",
        lambda step: step.after.outcome
        == pick(
            step.arguments[0] == PING_PACKET,
            RUNNING,
            pick(is_upgrade(step.arguments[0]), UPGRADED, UNEXPECTED_PACKET),
        ),
        ("handle_packet",),
        is_running,
    ),
    Property(
        "nothing else upgrades",
        0,
        "Only a packet upgrades.",
        lambda step: same(step.after.outcome == UPGRADED, step.before.outcome == UPGRADED),
        ("handle_timeout", "handle_transport_closed", "handle_session_ended", "poll_transmit"),
    ),
    Property(
        "probes are answered",
        0,
        "The answer to a probe is the next packet to be written, also after the packet that decides the upgrade.",
        lambda step: both(step.after.pong_pending, server.poll_transmit(step.after)[1] == server.PONG_PROBE),
        ("handle_packet",),
        lambda step: either(
            step.before.pong_pending, both(is_running(step), step.arguments[0] == PING_PACKET)
        ),
    ),
]

EXCHANGE_OF_CLIENT = [
    Property(
        "packets decide",
        0,
        "The answer to a probe that was written lets polling pause; any other packet ends the upgrade as unexpected.",
        lambda step: pick(
            both(
                step.arguments[0] == PONG_PACKET,
                step.before.pending == client.NOTHING,
                negate(step.before.pausing),
            ),
            both(step.after.outcome == RUNNING, step.after.pausing),
            step.after.outcome == UNEXPECTED_PACKET,
        ),
        ("handle_packet",),
        is_running,
    ),
    Property(
        "a pause upgrades",
        0,
        "Polling that has paused for the upgrade upgrades, and a `5` is the next packet to be written. After the"
        " upgrade timeout, the upgrade ends for it instead, and nothing is written.",
        lambda step: pick(
            step.before.deadline <= step.time,
            both(step.after.outcome == TIMEOUT, client.poll_transmit(step.after)[1] == client.NOTHING),
            both(step.after.outcome == UPGRADED, client.poll_transmit(step.after)[1] == client.UPGRADE),
        ),
        ("handle_polling_paused",),
        lambda step: step.before.pausing,
    ),
    Property(
        "nothing else upgrades",
        0,
        "Nothing upgrades but polling that has paused for the upgrade.",
        lambda step: same(step.after.outcome == UPGRADED, step.before.outcome == UPGRADED),
        given=lambda step: negate(both(step.before.pausing, step.call.name == "handle_polling_paused")),
    ),
]

NOOPS = [
    Property(
        "noops in time",
        0,
        "The first noop is due 100 ms after the first probe, and each other one 100 ms after the last.",
        lambda step: step.after.next_noop == step.time + server.NOOP_INTERVAL_MILLIS * 1_000,
        ("handle_packet", "handle_timeout"),
        lambda step: either(
            both(negate(step.before.probed), step.after.probed),
            both(negate(step.before.noop_pending), step.after.noop_pending),
        ),
    ),
    Property(
        "due does something",
        3,
        "A `handle_timeout` at the deadline or later ends the upgrade, or has a noop written.",
        lambda step: either(step.after.outcome == TIMEOUT, step.after.noop_pending),
        WAKING,
        is_due,
    ),
    Property(
        "probes postpone no noop",
        0,
        "A packet does not move the time of a noop.",
        lambda step: step.after.next_noop == step.before.next_noop,
        ("handle_packet",),
        lambda step: step.before.probed,
    ),
    Property(
        "no noop at the end",
        7,
        "After the end, no noop is written.",
        lambda step: step.outcome != server.NOOP,
        ("poll_transmit",),
        lambda step: has_ended(step, step.before),
    ),
]


def of_server(invariant):
    return [*rules_of(invariant), *LIMIT, *EXCHANGE_OF_SERVER, *NOOPS]


def of_client(invariant):
    return [*rules_of(invariant), *LIMIT, *EXCHANGE_OF_CLIENT]


DOUBTS = [
    next(one for one in LIMIT if one.name == "timeout on time")._replace(
        calls=("handle_packet",), sentence="An upgrade ends when its timeout has passed, whatever is called."
    ),
    Property(
        "early changes nothing",
        3,
        "A `handle_timeout` before the deadline does not even change the clock.",
        lambda step: step.after.clock == step.before.clock,
        WAKING,
        is_early,
    ),
    Property(
        "silent at the end",
        7,
        "After the end, nothing is written.",
        lambda step: step.outcome == step.model.NOTHING,
        ("poll_transmit",),
        lambda step: has_ended(step, step.before),
    ),
    Property(
        "wakes to end",
        3,
        "A `handle_timeout` at the end of the upgrade timeout finds the upgrade running.",
        lambda step: negate(has_ended(step, step.before)),
        WAKING,
        lambda step: step.before.deadline <= step.time,
    ),
]
