"""What is proven of both sides of an upgrade, besides the rules of every machine."""

from logic import both, either, negate, same
from rules import WAKING, deadline, has_ended, is_due, is_early, rules_of
from subject import Property
from upgrade import server
from upgrade.outcome import RUNNING, TIMEOUT

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
        lambda step: step.before.outcome == RUNNING,
    ),
    Property(
        "evidence before expiry",
        5,
        "Only `handle_timeout` ends an upgrade for its timeout.",
        lambda step: same(step.after.outcome == TIMEOUT, step.before.outcome == TIMEOUT),
        ("handle_packet", "handle_polling_paused", "handle_transport_closed", "handle_session_ended", "poll_transmit"),
    ),
    Property(
        "first cause",
        7,
        "Once set, the outcome never changes.",
        lambda step: both(step.after.outcome == step.before.outcome, has_ended(step, step.after)),
        given=lambda step: has_ended(step, step.before),
    ),
]

NOOPS = [
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
    return [*rules_of(invariant), *LIMIT, *NOOPS]


def of_client(invariant):
    return [*rules_of(invariant), *LIMIT]


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
