"""What is proven of the heartbeat, besides the rules of every machine."""

import z3

from heartbeat import machine as model
from heartbeat.invariant import invariant
from heartbeat.packets import PACKETS, awaits_once, every_call_but, is_judged, whole_silence
from logic import LAST_SAFE, U32_MAX, both, either, implies, larger, lasting, negate, pick, same, smaller
from rules import WAKING, deadline, has_ended, is_due, only_the_clock, rules_of
from subject import Property

# A later time.
AGAIN = z3.Int("again")
# What may be otherwise in a machine whose ping left later.
LATER = {"timer": z3.Int("later_timer"), "mark": z3.Int("later_mark"), "extended": z3.Bool("later_extended")}


def first_packet_since(step):
    """The deadline, if a ping that leaves late is followed by a message, and the application reads again before."""
    reading = model.handle_reading_resumed(step.after, step.time)
    heard, _ = model.handle_packet(reading, AGAIN, model.MESSAGE)
    return deadline(step, heard)


def allows_no_less(one, other):
    """Whether the other is the same machine, but may wait longer for a ping that left later."""
    level = lambda machine: machine._replace(timer=0, mark=0, extended=False)
    once = one.liveness == model.EXTEND_ONCE
    return both(
        same(level(one), level(other)),
        one.timer <= other.timer,
        implies(one.stalled, one.timer == other.timer),
        pick(one.phase == model.AWAITING, one.mark <= other.mark, one.mark == other.mark),
        pick(once, implies(other.extended, one.extended), same(one.extended, other.extended)),
    )


def still_allows_no_less(step):
    after, outcome = step.repeated(step.before._replace(**LATER), step.now)
    waits = both(same(outcome, step.outcome), allows_no_less(step.after, after))
    return either(has_ended(step, step.after), waits)


def may_allow_more(step):
    """A machine whose ping is unanswered, and the same that allows no less."""
    later = step.before._replace(**LATER)
    asked = either(step.before.phase == model.AWAITING, step.before.phase == model.CLOSING)
    return both(
        asked,
        step.outcome != model.ANSWERED,
        allows_no_less(step.before, later),
        *invariant(later).values(),
    )


def cause(machine):
    """Why a machine ends whose deadline has passed."""
    closes = both(machine.phase == model.CLOSING, machine.mark < machine.timer)
    of_peer = pick(closes, model.CLOSE_TIMEOUT, model.PING_TIMEOUT)
    of_session = pick(machine.phase == model.OPENING, model.OPEN_TIMEOUT, of_peer)
    return pick(machine.stalled, model.APPLICATION_STALLED, of_session)


def silence_of_a_closing(step):
    """The deadline for silence of a machine that begins to close."""
    reading = model.handle_reading_resumed(step.before, step.time)
    # A ping that is not sent any more.
    sent = larger(reading.timer, step.time)
    return pick(reading.phase == model.PING_DUE, sent + reading.timeout * 1_000, reading.timer)


PROPERTIES = [
    *rules_of(invariant),
    *PACKETS,
    Property(
        "deadline in reach",
        2,
        "While the application reads, an open or closing machine's deadline is at most an interval and a timeout away.",
        lambda step: deadline(step, step.after) <= step.time + whole_silence(step.after),
        calls=every_call_but("end"),
        given=lambda step: both(step.after.phase <= model.CLOSING, negate(step.after.stalled)),
    ),
    Property(
        "stalled in bounds",
        2,
        "A machine whose application stops reading has a deadline within the stall timeout.",
        lambda step: deadline(step, step.after) <= lasting(step.time, *step.arguments),
        calls=("handle_reading_paused",),
        given=lambda step: both(model.is_running(step.before), negate(step.before.stalled)),
    ),
    Property(
        "closing in bounds",
        2,
        "A machine that begins to close has a deadline within the close timeout.",
        lambda step: deadline(step, step.after) <= lasting(step.time, *step.arguments),
        calls=("begin_close",),
        given=lambda step: model.is_running(step.before),
    ),
    Property(
        "ended for good",
        2,
        "A machine that has ended has no deadline, and no call changes anything but its clock.",
        lambda step: both(only_the_clock(step), has_ended(step, step.after)),
        calls=every_call_but("open"),
        given=lambda step: has_ended(step, step.before),
    ),
    Property(
        "due does something",
        3,
        "A `handle_timeout` at the deadline or later pings or ends the machine, and says which.",
        lambda step: either(
            both(step.outcome == model.WRITE_PING, step.after.phase == model.AWAITING),
            both(step.outcome >= model.PING_TIMEOUT, has_ended(step, step.after)),
        ),
        calls=WAKING,
        given=is_due,
    ),
    Property(
        "backwards is not expired",
        4,
        "Whether the peer has run out of time is judged at the latest time, too.",
        lambda step: same(
            model.is_expired(step.before, step.now), model.is_expired(step.before, step.before.clock)
        ),
        ("handle_clock",),
        lambda step: step.now <= step.before.clock,
    ),
    Property(
        "evidence before expiry",
        5,
        "Only `handle_timeout` ends a machine for silence, and `end` by the caller's wish: no other call ends it.",
        lambda step: same(has_ended(step, step.after), has_ended(step, step.before)),
        calls=every_call_but("handle_timeout", "end"),
    ),
    Property(
        "late is not shorter",
        6,
        "However late a ping is sent, its pong has the whole timeout from then.",
        lambda step: deadline(step, step.after) == step.time + step.after.timeout * 1_000,
        calls=WAKING,
        given=lambda step: both(step.outcome == model.WRITE_PING, negate(step.before.stalled)),
    ),
    Property(
        "waiting is not shorter",
        6,
        "A ping that leaves late has its whole timeout from then, and no earlier deadline than before.",
        lambda step: deadline(step, step.after)
        == larger(deadline(step, step.before), step.time + step.before.timeout * 1_000),
        calls=("handle_ping_sent",),
        given=lambda step: both(step.before.phase == model.AWAITING, negate(step.before.stalled)),
    ),
    Property(
        "late loses nothing",
        6,
        "A ping that leaves late takes away nothing: not the deadline, and not what is allowed after a pause.",
        lambda step: allows_no_less(model.handle_clock(step.before, step.now), step.after),
        calls=("handle_ping_sent",),
    ),
    Property(
        "late ends no earlier",
        6,
        "Until the pong, the machine that is told that its ping leaves late never ends before one that is not told.",
        still_allows_no_less,
        calls=every_call_but("open"),
        given=may_allow_more,
    ),
    Property(
        "late is sent late",
        11,
        "A ping that leaves late awaits its pong, and measures its round trip, from then.",
        lambda step: step.after.mark == step.time,
        calls=("handle_ping_sent",),
        given=lambda step: step.before.phase == model.AWAITING,
    ),
    Property(
        "each ping is extended",
        13,
        "With `ExtendOnce`, the first packet after a ping is due, and after it leaves late, restarts T, whatever came before.",
        lambda step: first_packet_since(step) == AGAIN + step.before.timeout * 1_000,
        calls=(*WAKING, "handle_ping_sent"),
        given=lambda step: both(
            awaits_once(step.after),
            either(step.outcome == model.WRITE_PING, step.call.name == "handle_ping_sent"),
            step.time <= AGAIN,
            AGAIN <= LAST_SAFE,
        ),
    ),
    Property(
        "names its cause",
        7,
        "A machine that ends by itself says why: the application, the handshake, the close timeout, or else the silence.",
        lambda step: step.outcome == cause(step.before),
        calls=WAKING,
        given=lambda step: step.outcome >= model.PING_TIMEOUT,
    ),
    Property(
        "expired ends",
        10,
        "A machine that has expired ends when it is woken, and only one that has expired ends for the peer's silence.",
        lambda step: pick(
            model.is_expired(step.before, step.now),
            has_ended(step, step.after),
            both(step.outcome != model.PING_TIMEOUT, step.outcome != model.OPEN_TIMEOUT),
        ),
        calls=WAKING,
    ),
    Property(
        "first ping",
        0,
        "The first ping is due when the caller says, but no later than without that.",
        lambda step: step.after.timer
        == smaller(step.before.timer, lasting(step.before.clock, *step.arguments)),
        calls=("with_first_ping_after",),
        given=lambda step: step.before.phase == model.PING_DUE,
    ),
    Property(
        "capped timeout",
        0,
        "A cap that is set before the handshake is rounded up to whole milliseconds, of which there is at least one.",
        lambda step: both(
            step.after.timeout >= 1,
            step.after.timeout * 1_000 >= smaller(step.arguments[0], U32_MAX * 1_000),
            (step.after.timeout - 1) * 1_000 <= larger(step.arguments[0] - 1, 0),
        ),
        calls=("cap_timeout",),
        given=lambda step: step.before.phase == model.OPENING,
    ),
    Property(
        "no early timeout",
        6,
        "No pong is given up before the whole timeout has passed since its ping.",
        lambda step: step.time >= step.before.mark + step.before.timeout * 1_000,
        calls=WAKING,
        given=lambda step: both(
            step.before.phase == model.AWAITING, step.outcome == model.PING_TIMEOUT
        ),
    ),
    Property(
        "next ping",
        11,
        "On an EIO4 server, the ping after a pong is due at min(pong + I, ping + I + T/2), and never before now.",
        lambda step: step.after.timer
        == larger(
            step.time,
            smaller(
                step.time + step.before.interval * 1_000,
                step.before.mark + step.before.interval * 1_000 + step.before.timeout * 500,
            ),
        ),
        calls=("handle_packet",),
        given=lambda step: both(
            step.before.role == model.SERVER4,
            step.outcome == model.ANSWERED,
            negate(step.before.stalled),
        ),
    ),
    Property(
        "resumes whole",
        14,
        "Once the application reads again, the peer has a whole interval and timeout, or the whole timeout of its pong.",
        lambda step: deadline(step, step.after)
        >= step.time
        + pick(step.before.phase == model.LISTENING, whole_silence(step.before), step.before.timeout * 1_000),
        calls=("handle_reading_resumed",),
        given=lambda step: both(step.before.stalled, is_judged(step.before)),
    ),
    Property(
        "closing keeps silence",
        2,
        "Closing does not move the deadline for silence. A ping that it does not send any more counts as sent when it is due.",
        lambda step: step.after.timer == silence_of_a_closing(step),
        calls=("begin_close",),
        given=lambda step: model.is_running(step.before),
    ),
]
