"""What rules 2, 3 and 4 say about every machine that has a clock and a deadline."""

from unittest import mock

import z3

import logic
from logic import ENDLESS, LAST_SAFE, U64_MAX, both, either, negate, same
from subject import Property

WAKING = ("handle_timeout",)
# How far another clock's epoch is away.
EPOCH = z3.Int("epoch")


def deadline(step, machine):
    return step.model.poll_timeout(machine)[1]


def has_ended(step, machine):
    return negate(step.model.poll_timeout(machine)[0])


def is_due(step):
    return both(negate(has_ended(step, step.before)), deadline(step, step.before) <= step.time)


def is_early(step):
    return both(negate(has_ended(step, step.before)), deadline(step, step.before) > step.time)


def only_the_clock(step):
    """A call that changes nothing else, and gives the caller nothing to do."""
    return same((step.after, step.outcome), (step.before._replace(clock=step.time), step.model.NOTHING))


def fits(step, by=0):
    """Whether the clock shows every time that is named, `by` microseconds later."""
    safe = both(step.now + by <= LAST_SAFE, step.before.clock + by <= LAST_SAFE)
    instants = [getattr(step.before, name) for name in step.model.INSTANTS]
    named = both(*(instant + by <= U64_MAX for instant in (*instants, step.last)))
    return both(safe, named, step.last - step.time < ENDLESS)


def later(step, machine, by):
    """The same machine on a clock with an earlier epoch."""
    return machine._replace(**{name: getattr(machine, name) + by for name in step.model.INSTANTS})


def without_saturation(step):
    """What follows from the same call, if sums have no bound."""
    with mock.patch.object(logic, "saturated", lambda number, most: number):
        return step.repeated(step.before, step.now)


def rules_of(invariant):
    """The properties of every machine, given what is true of it."""
    keeps = Property(
        "invariant",
        0,
        "Every call keeps the invariant, on which all other properties stand.",
        lambda step: both(*invariant(step.after).values()),
    )
    return [keeps, *RULES]


RULES = [
    Property(
        "always a deadline",
        2,
        "After every call, the machine has ended or has a deadline, which is an instant that the clock can show.",
        lambda step: either(
            has_ended(step, step.after),
            both(0 <= deadline(step, step.after), deadline(step, step.after) <= U64_MAX),
        ),
    ),
    Property(
        "waking makes progress",
        3,
        "After `handle_timeout(now)`, the machine has ended or its deadline is later than `now`.",
        lambda step: either(
            has_ended(step, step.after),
            both(deadline(step, step.after) > step.now, deadline(step, step.after) > step.time),
        ),
        WAKING,
    ),
    Property(
        "early does nothing",
        3,
        "A `handle_timeout` before the deadline changes nothing but the clock.",
        only_the_clock,
        WAKING,
        is_early,
    ),
    Property(
        "twice does nothing",
        3,
        "A `handle_timeout` that is repeated at the same time changes nothing.",
        lambda step: same(step.repeated(step.after, step.now), (step.after, step.model.NOTHING)),
        WAKING,
    ),
    Property(
        "clock stands still",
        4,
        "The clock shows the latest time that was handled: it never goes back.",
        lambda step: both(step.after.clock == step.time, step.after.clock >= step.before.clock),
    ),
    Property(
        "backwards is now",
        4,
        "A time before the latest one is taken for the latest one.",
        lambda step: same((step.after, step.outcome), step.repeated(step.before, step.before.clock)),
        given=lambda step: step.now <= step.before.clock,
    ),
    Property(
        "no overflow",
        4,
        "No sum saturates, unless the caller's own duration ends after the last possible time.",
        lambda step: same((step.after, step.outcome), without_saturation(step)),
        given=fits,
    ),
    Property(
        "any epoch",
        4,
        "On a clock with another epoch, the same happens so much later.",
        lambda step: same(
            (later(step, step.after, EPOCH), step.outcome),
            step.repeated(later(step, step.before, EPOCH), step.now + EPOCH),
        ),
        given=lambda step: both(EPOCH >= 0, fits(step, EPOCH)),
    ),
]
