"""The model of `heartbeat::Machine`: each function has the name and shape of its counterpart in `core/src/heartbeat`.

Times are microseconds and periods are milliseconds, as in the code. What Rust changes in place is returned: a function
takes a state and returns the next one, and what the caller has to do.
"""

from typing import Any, NamedTuple

from calls import Call
from logic import (
    U32_MAX,
    add_micros,
    add_millis,
    add_periods,
    advance,
    both,
    choose,
    either,
    larger,
    lasting,
    less,
    negate,
    pick,
    rounded_up,
    smaller,
)

# Roles, which select the rules.
SERVER4, CLIENT4, SERVER3, CLIENT3 = ROLES = range(4)
ROLE_NAMES = ["server4", "client4", "server3", "client3"]

# Which packets of a client count for a server.
PONG_ONLY, EXTEND_ONCE, ANY_PACKET = LIVENESS = range(3)
LIVENESS_NAMES = ["PongOnly", "ExtendOnce", "AnyPacket"]

# Phases, in the order of the code.
PING_DUE, PING_DUE_STALLED, AWAITING, LISTENING, CLOSING, OPENING, ENDED = PHASES = range(7)
PHASE_NAMES = ["PingDue", "PingDueStalled", "Awaiting", "Listening", "Closing", "Opening", "Ended"]

# Packets, by their type on the wire.
OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = PACKETS = range(7)

# What the caller has to do: `Reaction` and `Due`.
OUTCOMES = [
    "None",
    "Pong",
    "Answered",
    "WrongDirection",
    "Ping",
    "PingTimeout",
    "ApplicationStalled",
    "OpenTimeout",
    "CloseTimeout",
]
(
    NOTHING,
    WRITE_PONG,
    ANSWERED,
    WRONG_DIRECTION,
    WRITE_PING,
    PING_TIMEOUT,
    APPLICATION_STALLED,
    OPEN_TIMEOUT,
    CLOSE_TIMEOUT,
) = range(len(OUTCOMES))

MAX_RTT_MICROS = U32_MAX - 1
MAX_SUM_MILLIS = 2**31 - 1


# The fields that are instants.
INSTANTS = ("clock", "timer", "mark", "last_seen")

# The calls that change a machine. A session opens it once.
CALLS = [
    Call("handle_timeout", answers=True),
    Call("handle_packet", ("packet",), answers=True),
    Call("handle_activity"),
    Call("handle_ping_sent"),
    Call("handle_reading_paused", ("duration",)),
    Call("handle_reading_resumed"),
    Call("begin_close", ("duration",)),
    Call("end"),
    Call("handle_clock"),
    Call("with_first_ping_after", ("duration",), timed=False),
    Call("cap_timeout", ("limit",), timed=False),
    Call("open", ("interval", "timeout"), only_in="Opening"),
]


class Machine(NamedTuple):
    role: Any
    liveness: Any
    phase: Any
    stalled: Any
    extended: Any
    interval: Any
    timeout: Any
    rtt: Any
    clock: Any
    timer: Any
    mark: Any
    last_seen: Any


def named(machine):
    """The fields with the names of their values."""
    names = {"role": ROLE_NAMES, "liveness": LIVENESS_NAMES, "phase": PHASE_NAMES}
    fields = machine._asdict().items()
    return ", ".join(f"{field} {names[field][value] if field in names else value}" for field, value in fields)


# heartbeat.rs: how a machine begins. Its `open` takes the place of Python's here.


def opening(role, liveness, now, open_by):
    return Machine(
        role=role,
        liveness=liveness,
        phase=OPENING,
        stalled=False,
        extended=False,
        interval=0,
        timeout=U32_MAX,
        rtt=U32_MAX,
        clock=now,
        timer=open_by,
        mark=now,
        last_seen=now,
    )


def new(role, liveness, interval, timeout, now):
    """`eio4_server`, `eio4_client`, `eio3_server` and `eio3_client`."""
    return open(opening(role, liveness, now, now), now, interval, timeout)


def with_first_ping_after(machine, delay):
    moved = machine._replace(timer=smaller(machine.timer, lasting(machine.clock, delay)))
    return choose(machine.phase == PING_DUE, lambda: moved, lambda: machine)


def cap_timeout(machine, limit):
    capped = machine._replace(timeout=larger(smaller(rounded_up(limit, 1_000), U32_MAX), 1))
    return choose(machine.phase == OPENING, lambda: capped, lambda: machine)


def open(machine, now, interval, timeout):
    machine, now = advance(machine, now)
    machine = machine._replace(
        last_seen=now, interval=interval, timeout=smaller(machine.timeout, timeout)
    )
    return choose(pings(machine), lambda: begin_pinging(machine, now), lambda: listen(machine, now))


# heartbeat.rs: what happens to a machine.


def handle_packet(machine, now, packet):
    machine, now = advance(machine, now)
    seen = machine._replace(last_seen=now)
    return choose(
        machine.phase >= OPENING,
        lambda: (machine, NOTHING),
        lambda: packet_by_role(seen, now, packet),
    )


def handle_activity(machine, now):
    machine, now = advance(machine, now)
    seen = machine._replace(last_seen=now)
    counts = both(is_running(machine), machine.liveness == ANY_PACKET)
    return choose(
        machine.phase == ENDED,
        lambda: machine,
        lambda: choose(counts, lambda: count_packet(seen, now), lambda: seen),
    )


def handle_timeout(machine, now):
    machine, now = advance(machine, now)
    return choose(
        machine.phase != PING_DUE,
        lambda: expire(machine, now),
        lambda: choose(
            machine.timer > now,
            lambda: (machine, NOTHING),
            lambda: ping(machine._replace(timer=add_millis(now, machine.timeout)), now),
        ),
    )


def ping(machine, now):
    return machine._replace(phase=AWAITING, mark=now, extended=False), WRITE_PING


def handle_ping_sent(machine, now):
    machine, now = advance(machine, now)
    later = larger(machine.timer, add_millis(now, machine.timeout))
    sent = machine._replace(
        mark=now,
        timer=pick(machine.stalled, machine.timer, later),
        extended=both(machine.extended, machine.liveness != EXTEND_ONCE),
    )
    return choose(machine.phase == AWAITING, lambda: sent, lambda: machine)


def expire(machine, now):
    pings_now = both(machine.phase == PING_DUE_STALLED, machine.timer > now)
    closes = both(machine.phase == CLOSING, machine.mark < machine.timer)
    due = pick(closes, CLOSE_TIMEOUT, PING_TIMEOUT)
    due = pick(machine.phase == OPENING, OPEN_TIMEOUT, due)
    due = pick(machine.stalled, APPLICATION_STALLED, due)
    return choose(
        either(next_deadline(machine) > now, machine.phase == ENDED),
        lambda: (machine, NOTHING),
        lambda: choose(pings_now, lambda: ping(machine, now), lambda: (end(machine, now), due)),
    )


def poll_timeout(machine):
    """Whether there is a deadline, and which."""
    return machine.phase != ENDED, next_deadline(machine)


def handle_reading_paused(machine, now, stall_timeout):
    machine, now = advance(machine, now)
    due = machine.phase == PING_DUE
    paused = machine._replace(
        stalled=True,
        phase=pick(due, PING_DUE_STALLED, machine.phase),
        mark=pick(due, machine.timer, machine.mark),
        timer=lasting(now, stall_timeout),
    )
    pauses = both(is_running(machine), negate(machine.stalled))
    return choose(pauses, lambda: paused, lambda: machine)


def handle_reading_resumed(machine, now):
    machine, now = advance(machine, now)
    reading = machine._replace(stalled=False)
    resume = lambda: choose(
        pings(machine), lambda: resume_pinging(reading, now), lambda: listen(reading, now)
    )
    return choose(machine.stalled, resume, lambda: machine)


def begin_close(machine, now, close_timeout):
    machine, now = advance(machine, now)
    reading = handle_reading_resumed(machine, now)
    asked = add_millis(larger(reading.timer, now), reading.timeout)
    closing = reading._replace(
        phase=CLOSING,
        timer=pick(reading.phase == PING_DUE, asked, reading.timer),
        mark=lasting(now, close_timeout),
    )
    return choose(is_running(machine), lambda: closing, lambda: machine)


def handle_clock(machine, now):
    return advance(machine, now)[0]


def end(machine, now):
    machine, now = advance(machine, now)
    ended = machine._replace(phase=ENDED, stalled=False, mark=now)
    return choose(machine.phase == ENDED, lambda: machine, lambda: ended)


def is_expired(machine, now):
    phase = machine.phase
    judged = either(phase == AWAITING, phase == LISTENING, phase == CLOSING, phase == OPENING)
    return both(judged, negate(machine.stalled), machine.timer <= larger(machine.clock, now))


def is_running(machine):
    return machine.phase < CLOSING


# heartbeat/rules.rs


def pings(machine):
    """Which functions `Rules::opened` and `Rules::resumed` are."""
    return either(machine.role == SERVER4, machine.role == CLIENT3)


def sum_millis(machine):
    return add_periods(machine.interval, machine.timeout)


def next_deadline(machine):
    two = either(machine.phase == CLOSING, machine.phase == PING_DUE_STALLED)
    return pick(two, smaller(machine.timer, machine.mark), machine.timer)


def allow_silence(machine, now, millis):
    timer = pick(machine.stalled, machine.timer, add_millis(now, millis))
    return machine._replace(timer=timer)


def count_packet(machine, now):
    phase = machine.phase
    counted = allow_silence(machine._replace(extended=True), now, sum_millis(machine))
    counts = either(phase == AWAITING, phase == LISTENING, phase == CLOSING)
    return choose(counts, lambda: counted, lambda: machine)


def listen(machine, now):
    return allow_silence(machine._replace(phase=LISTENING), now, sum_millis(machine))


def begin_pinging(machine, now):
    return schedule_ping(machine, add_millis(now, machine.interval))


def resume_pinging(machine, now):
    extended = both(machine.extended, machine.liveness != EXTEND_ONCE)
    awaiting = lambda: choose(
        extended,
        lambda: count_packet(machine, now),
        lambda: allow_silence(machine, now, machine.timeout),
    )
    return choose(
        machine.phase == PING_DUE_STALLED,
        lambda: machine._replace(phase=PING_DUE, timer=machine.mark),
        lambda: choose(machine.phase == AWAITING, awaiting, lambda: machine),
    )


def schedule_ping(machine, due):
    return choose(
        machine.stalled,
        lambda: machine._replace(phase=PING_DUE_STALLED, mark=due),
        lambda: machine._replace(phase=PING_DUE, timer=due),
    )


def measure(machine, now):
    micros = less(now, machine.mark)
    return machine._replace(rtt=smaller(micros, MAX_RTT_MICROS)), micros


# heartbeat/eio4.rs and heartbeat/eio3.rs


def packet_by_role(machine, now, packet):
    """`Rules::packet`."""
    rest = lambda: choose(
        machine.role == SERVER3,
        lambda: server3_packet(machine, now, packet),
        lambda: client3_packet(machine, now, packet),
    )
    return choose(
        machine.role == SERVER4,
        lambda: server4_packet(machine, now, packet),
        lambda: choose(
            machine.role == CLIENT4, lambda: client4_packet(machine, now, packet), rest
        ),
    )


def server4_packet(machine, now, packet):
    awaiting = machine.phase == AWAITING
    extends = both(machine.liveness == EXTEND_ONCE, awaiting, negate(machine.extended))
    extended = lambda: allow_silence(machine._replace(extended=True), now, machine.timeout)
    other = lambda: choose(
        machine.liveness == ANY_PACKET,
        lambda: count_packet(machine, now),
        lambda: choose(extends, extended, lambda: machine),
    )
    opened = lambda: choose(
        packet == PING, lambda: (machine, WRONG_DIRECTION), lambda: (other(), NOTHING)
    )
    closing = lambda: (allow_silence(machine, now, sum_millis(machine)), NOTHING)
    unasked = lambda: choose(machine.phase == CLOSING, closing, opened)
    return choose(
        both(packet == PONG, awaiting), lambda: answered_server4(machine, now), unasked
    )


def answered_server4(machine, now):
    measured, round_trip = measure(machine, now)
    late = less(round_trip, machine.timeout * 500)
    wait = less(machine.interval * 1_000, late)
    return schedule_ping(measured, add_micros(now, wait)), ANSWERED


def client4_packet(machine, now, packet):
    heard = allow_silence(machine, now, sum_millis(machine))
    reaction = pick(machine.phase == CLOSING, NOTHING, WRITE_PONG)
    return choose(packet == PING, lambda: (heard, reaction), lambda: (machine, NOTHING))


def server3_packet(machine, now, packet):
    other = lambda: choose(
        machine.liveness == ANY_PACKET, lambda: count_packet(machine, now), lambda: machine
    )
    opened = lambda: choose(
        packet == PING,
        lambda: (allow_silence(machine, now, sum_millis(machine)), WRITE_PONG),
        lambda: choose(
            packet == PONG, lambda: (machine, WRONG_DIRECTION), lambda: (other(), NOTHING)
        ),
    )
    closing = lambda: (allow_silence(machine, now, sum_millis(machine)), NOTHING)
    return choose(machine.phase == CLOSING, closing, opened)


def client3_packet(machine, now, packet):
    answers = both(machine.phase == AWAITING, packet == PONG)
    return choose(
        answers,
        lambda: answered_client3(machine, now),
        lambda: (count_packet(machine, now), NOTHING),
    )


def answered_client3(machine, now):
    measured, _ = measure(machine, now)
    return schedule_ping(measured, add_micros(now, machine.interval * 1_000)), ANSWERED
