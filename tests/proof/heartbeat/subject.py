"""The heartbeat: `heartbeat::Machine`, of every role."""

from heartbeat import machine as model
from heartbeat.doubts import DOUBTS
from heartbeat.faults import FAULTS
from heartbeat.invariant import invariant, is_valid
from heartbeat.properties import PROPERTIES
from logic import LAST_SAFE, MAX_DURATION, U32_MAX, U64_MAX, both
from subject import Subject


def given(machine):
    role, liveness, now = machine.role, machine.liveness, machine.clock
    ranges = ((role, model.ROLES[-1]), (liveness, model.LIVENESS[-1]), (now, LAST_SAFE))
    return both(*(both(0 <= number, number <= most) for number, most in ranges))


def opening(machine, open_by):
    begun = model.opening(machine.role, machine.liveness, machine.clock, open_by)
    return begun, both(given(machine), 0 <= open_by, open_by <= U64_MAX)


def new(machine, _):
    periods = (machine.interval, machine.timeout)
    begun = model.new(machine.role, machine.liveness, *periods, machine.clock)
    return begun, both(given(machine), is_valid(*periods))


def in_phase(number):
    return lambda machine: machine.phase == number


HEARTBEAT = Subject(
    name="heartbeat",
    model=model,
    fields=model.Machine,
    flags=("stalled", "extended"),
    bounds={
        "packet": (model.PACKETS[0], model.PACKETS[-1]),
        "duration": (0, MAX_DURATION),
        "limit": (0, MAX_DURATION),
        "interval": (0, U32_MAX),
        "timeout": (0, U32_MAX),
    },
    is_valid=lambda call, arguments: is_valid(*arguments) if call.name == "open" else True,
    begins={"that waits for its handshake": opening, "that is open": new},
    states={name: in_phase(number) for number, name in enumerate(model.PHASE_NAMES)},
    invariant=invariant,
    properties=PROPERTIES,
    doubts=DOUBTS,
    faults=FAULTS,
)
