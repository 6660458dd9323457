"""Which machines are taken further, and what is tried with each: `heartbeat::Machine`."""

from heartbeat import machine as model
from logic import ENDLESS, LAST_SAFE, MAX_DURATION, U32_MAX, U64_MAX, apart, around

ROLES = model.ROLE_NAMES
# What is asked of a machine at each time.
QUESTIONS = {"is_expired": model.is_expired}


def constructed(role, interval, timeout):
    """Every way in which a machine begins: the constructor, its arguments, and the machine."""
    role = ROLES.index(role)
    server = role in (model.SERVER4, model.SERVER3)
    for now in (0, LAST_SAFE):
        for liveness in model.LIVENESS if server else [model.PONG_ONLY]:
            values = (liveness, interval, timeout, now)
            yield "new", values, model.new(role, *values)
        if not server:
            for open_by in (now, now + 20_000_000, U64_MAX):
                values = (model.PONG_ONLY, now, open_by)
                yield "opening", values, model.opening(role, *values)


def periods(machine):
    """The lengths of time that a rule speaks of, in microseconds."""
    interval, timeout = machine.interval * 1_000, machine.timeout * 1_000
    return sorted({0, timeout // 2, timeout, interval, interval + timeout // 2, interval + timeout})


def times(machine):
    """The times at which a call could be answered otherwise than a microsecond earlier."""
    spans = periods(machine)
    instants = {machine.clock + span for span in spans} | {machine.timer, machine.mark}
    if machine.phase == model.AWAITING:
        instants.update(machine.mark + span for span in (*spans, model.MAX_RTT_MICROS))
    return around(instants)


def arguments(machine, interval, timeout):
    """Every value of each kind of argument."""
    lengths = periods(machine)[1:]
    durations = sorted({0, 1, lengths[0], lengths[-1], ENDLESS - 1, ENDLESS, MAX_DURATION})
    limits = [0, 1, 1_000, 1_001, 19_999_000, U32_MAX * 1_000, U32_MAX * 1_000 + 1, MAX_DURATION]
    return {
        (): [()],
        ("packet",): [(packet,) for packet in model.PACKETS],
        ("duration",): [(duration,) for duration in durations],
        ("limit",): [(limit,) for limit in limits],
        ("interval", "timeout"): [(interval, timeout)],
    }


def kind(machine):
    """Two machines of one kind differ only in how far apart their instants are, by two microseconds or more."""
    phase, clock, timer, mark = machine.phase, machine.clock, machine.timer, machine.mark
    kind_ = (*machine[:7], machine.rtt == U32_MAX, clock <= LAST_SAFE)
    if phase == model.ENDED:
        return kind_
    kind_ += (timer == U64_MAX, apart(timer, clock))
    if phase in (model.CLOSING, model.PING_DUE_STALLED):
        kind_ += (mark == U64_MAX, apart(mark, clock), apart(timer, mark))
    if phase == model.AWAITING:
        # The round trip so far, beside the lengths that an answer is judged by.
        half = machine.timeout * 500
        lengths = (0, half, half + machine.interval * 1_000, model.MAX_RTT_MICROS)
        kind_ += tuple(apart(clock - mark, length) for length in lengths)
    return kind_


def state(machine):
    return model.PHASE_NAMES[machine.phase]


def shown(machine):
    """All fields but the role."""
    return machine[1:]
