"""What is true of every machine at every time: it holds after each constructor, and each call keeps it."""

from heartbeat import machine as model
from logic import LAST_SAFE, U32_MAX, U64_MAX, both, either, implies, negate


def is_valid(interval, timeout):
    """What `Heartbeat` guarantees."""
    return both(interval >= 1, timeout >= 1, interval + timeout <= model.MAX_SUM_MILLIS)


def invariant(machine):
    """The conditions, by what each says."""
    phase = machine.phase
    interval, timeout = machine.interval * 1_000, machine.timeout * 1_000
    whole = interval + timeout
    opened = negate(either(phase == model.OPENING, phase == model.ENDED))
    pinging = either(
        phase == model.PING_DUE, phase == model.PING_DUE_STALLED, phase == model.AWAITING
    )
    judged = either(phase == model.LISTENING, phase == model.CLOSING, phase == model.AWAITING)
    ranges = (
        (machine.role, model.ROLES[-1]),
        (machine.liveness, model.LIVENESS[-1]),
        (phase, model.PHASES[-1]),
        *((millis, U32_MAX) for millis in (machine.interval, machine.timeout, machine.rtt)),
        *((getattr(machine, instant), U64_MAX) for instant in model.INSTANTS),
    )
    return {
        "every field is in the range of its type": both(
            *(both(0 <= field, field <= most) for field, most in ranges),
        ),
        "no time that was handled is later than the last one that is safe": machine.clock <= LAST_SAFE,
        "the periods of an open machine are valid": implies(opened, is_valid(machine.interval, machine.timeout)),
        "a timeout is never zero": machine.timeout >= 1,
        "only roles that ping have a ping due or await a pong": implies(pinging, model.pings(machine)),
        "only roles that do not ping listen": implies(phase == model.LISTENING, negate(model.pings(machine))),
        "only an open machine is stalled": implies(machine.stalled, phase < model.CLOSING),
        "a ping that is due has a phase of its own while the application is stalled": both(
            implies(phase == model.PING_DUE, negate(machine.stalled)),
            implies(phase == model.PING_DUE_STALLED, machine.stalled),
        ),
        "the peer was not seen in the future": machine.last_seen <= machine.clock,
        "the next ping is due within an interval": both(
            implies(phase == model.PING_DUE, machine.timer <= machine.clock + interval),
            implies(phase == model.PING_DUE_STALLED, machine.mark <= machine.clock + interval),
        ),
        "a ping was not sent, and no end was, in the future": implies(
            either(phase == model.AWAITING, phase == model.ENDED), machine.mark <= machine.clock
        ),
        "silence may last no longer than an interval and a timeout": implies(
            both(judged, negate(machine.stalled)), machine.timer <= machine.clock + whole
        ),
        "nothing extends a timeout where only pongs count": implies(
            both(machine.role == model.SERVER4, machine.liveness == model.PONG_ONLY), negate(machine.extended)
        ),
        "a server for which not every packet counts waits for a pong no longer than a timeout": implies(
            both(
                phase == model.AWAITING,
                machine.role == model.SERVER4,
                machine.liveness != model.ANY_PACKET,
                negate(machine.stalled),
            ),
            machine.timer <= machine.clock + timeout,
        ),
        "a ping has its whole timeout": implies(
            both(phase == model.AWAITING, negate(machine.stalled)), machine.timer >= machine.mark + timeout
        ),
    }
