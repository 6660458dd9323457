"""Sentences that sound right and are wrong. The solver must refute each: what proves everything proves nothing."""

from heartbeat import machine as model
from heartbeat.properties import PROPERTIES
from logic import U64_MAX, both, implies, negate
from rules import WAKING, deadline, has_ended, is_early
from subject import Property


def without(name, **changed):
    """A property of the list, without a condition that it needs."""
    return next(one for one in PROPERTIES if one.name == name)._replace(**changed)


DOUBTS = [
    without(
        "waking makes progress", sentence="Waking makes progress at any time at all.", until=U64_MAX
    ),
    without(
        "no overflow",
        sentence="No sum saturates, whatever duration the caller names.",
        given=lambda step: True,
    ),
    without(
        "late is not shorter",
        sentence="However late a ping is sent, its pong has the whole timeout, also while the application is stalled.",
        given=lambda step: step.outcome == model.WRITE_PING,
    ),
    Property(
        "deadline in the future",
        2,
        "After every call, the deadline is later than now.",
        lambda step: deadline(step, step.after) > step.time,
        given=lambda step: negate(has_ended(step, step.after)),
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
        "ends for silence only",
        3,
        "A machine that is woken pings, or ends for the peer's silence.",
        lambda step: implies(
            step.outcome != model.NOTHING,
            both(step.outcome >= model.WRITE_PING, step.outcome <= model.PING_TIMEOUT),
        ),
        WAKING,
    ),
    Property(
        "answers only postpone",
        6,
        "An awaited pong never brings the deadline forward.",
        lambda step: deadline(step, step.after) >= deadline(step, step.before),
        ("handle_packet",),
        lambda step: step.outcome == model.ANSWERED,
    ),
    Property(
        "closing only hurries",
        2,
        "Closing never postpones the deadline.",
        lambda step: deadline(step, step.after) <= deadline(step, step.before),
        ("begin_close",),
    ),
]
