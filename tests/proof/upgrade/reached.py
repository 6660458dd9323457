"""Which upgrades are taken further, and what is tried with each: `ServerUpgrade` and `ClientUpgrade`."""

from logic import ENDLESS, LAST_SAFE, MAX_DURATION, U64_MAX, apart, around
from upgrade import client, server
from upgrade.outcome import PACKETS

# What is asked of an upgrade at each time.
QUESTIONS = {}
TIMEOUTS = [0, 1, 99_999, 100_000, 100_001, 5_000_000, 10_000_000, ENDLESS - 1, ENDLESS, MAX_DURATION]


def constructed(model):
    """Every way in which an upgrade begins: the constructor, its arguments, and the upgrade."""
    for now in (0, LAST_SAFE):
        for timeout in TIMEOUTS:
            yield "new", (timeout, now), model.new(timeout, now)


def times(upgrade):
    """The times at which a call could be answered otherwise than a microsecond earlier."""
    interval = server.NOOP_INTERVAL_MILLIS * 1_000
    instants = {getattr(upgrade, instant) for instant in ("clock", "deadline", "next_noop") if hasattr(upgrade, instant)}
    return around(instants | {upgrade.clock + interval})


def arguments(upgrade):
    """Every value of each kind of argument."""
    return {(): [()], ("packet",): [(packet,) for packet in range(len(PACKETS))]}


def kind(upgrade):
    """Two upgrades of one kind differ only in how far apart their instants are, by two microseconds or more."""
    clock, deadline, *rest = upgrade
    kind_ = (clock <= LAST_SAFE, deadline == U64_MAX, apart(deadline, clock))
    if hasattr(upgrade, "next_noop"):
        probed, next_noop, *rest = rest
        kind_ += (probed, probed and (apart(next_noop, clock), apart(next_noop, deadline)))
    return (*kind_, *rest)


def shown(upgrade):
    """All fields, and 0 for a noop that has no time."""
    if hasattr(upgrade, "next_noop") and not upgrade.probed:
        upgrade = upgrade._replace(next_noop=0)
    return upgrade
