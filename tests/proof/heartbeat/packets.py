"""What is proven of what arrives at a heartbeat: packets, and parts of them."""

from heartbeat import machine as model
from logic import both, either, larger, negate, pick, same, smaller
from rules import deadline
from subject import Property


def every_call_but(*names):
    return tuple(call.name for call in model.CALLS if call.name not in names)


def whole_silence(machine):
    return (machine.interval + machine.timeout) * 1_000


def reads(step):
    return negate(step.before.stalled)


def is_judged(machine):
    """Whether the machine's own deadline is that for silence."""
    return either(machine.phase == model.LISTENING, machine.phase == model.AWAITING)


def counts(step):
    """Whether whatever arrives is a sign of life."""
    any_packet = both(serves(step.before), step.before.liveness == model.ANY_PACKET)
    return either(any_packet, both(step.before.role == model.CLIENT3, step.call.name == "handle_packet"))


def does_not_count(step):
    """Whether only a ping, or the answer to one, is a sign of life."""
    in_part = step.call.name == "handle_activity"
    once = both(step.before.liveness == model.EXTEND_ONCE, either(in_part, step.before.role == model.SERVER3))
    listens = either(in_part, step.before.phase != model.CLOSING)
    server = both(serves(step.before), listens, either(step.before.liveness == model.PONG_ONLY, once))
    client = both(step.before.role == model.CLIENT4, negate(in_part), model.is_running(step.before))
    return either(server, client)


def serves(machine):
    return either(machine.role == model.SERVER4, machine.role == model.SERVER3)


def awaits_once(machine):
    """Whether the machine awaits a pong, and one other packet may extend its timeout."""
    once = both(machine.role == model.SERVER4, machine.liveness == model.EXTEND_ONCE)
    return both(once, machine.phase == model.AWAITING)


PACKETS = [
    Property(
        "sign of life",
        0,
        "The handshake, every packet of an open or closing session, and every part of one are signs of life.",
        lambda step: step.after.last_seen == step.time,
        calls=("open", "handle_packet", "handle_activity"),
        given=lambda step: either(step.before.phase <= model.CLOSING, step.call.name == "open"),
    ),
    Property(
        "answers pings",
        0,
        "An open machine that listens answers each ping with a pong, and answers nothing else.",
        lambda step: same(
            step.outcome == model.WRITE_PONG,
            both(step.before.phase == model.LISTENING, step.arguments[0] == model.PING),
        ),
        calls=("handle_packet",),
    ),
    Property(
        "measured",
        11,
        "The awaited pong measures the time since its ping left, and nothing else measures a round trip.",
        lambda step: step.after.rtt
        == pick(
            step.outcome == model.ANSWERED,
            smaller(larger(step.time - step.before.mark, 0), model.MAX_RTT_MICROS),
            step.before.rtt,
        ),
    ),
    Property(
        "unasked moves nothing",
        11,
        "A packet that comes while no pong is awaited moves no timer, and no round trip is measured.",
        lambda step: same(step.after, step.before._replace(clock=step.time, last_seen=step.time)),
        calls=("handle_packet",),
        given=lambda step: either(
            step.before.phase == model.PING_DUE, step.before.phase == model.PING_DUE_STALLED
        ),
    ),
    Property(
        "listens whole",
        6,
        "The handshake, and each ping of the peer, allow the peer a whole interval and timeout from then.",
        lambda step: deadline(step, step.after) == step.time + whole_silence(step.after),
        calls=("open", "handle_packet"),
        given=lambda step: both(
            reads(step),
            step.after.phase == model.LISTENING,
            either(step.before.phase == model.OPENING, step.outcome == model.WRITE_PONG),
        ),
    ),
    Property(
        "any packet counts",
        13,
        "Where any packet counts, each allows a whole interval and timeout from then, also one that arrived in part.",
        lambda step: deadline(step, step.after) == step.time + whole_silence(step.before),
        calls=("handle_packet", "handle_activity"),
        given=lambda step: both(
            counts(step), step.outcome == model.NOTHING, reads(step), is_judged(step.before)
        ),
    ),
    Property(
        "closing hears",
        13,
        "While a server, or a client of revision 3, closes, each packet allows a whole interval and timeout from then.",
        lambda step: step.after.timer == step.time + whole_silence(step.before),
        calls=("handle_packet",),
        given=lambda step: both(step.before.phase == model.CLOSING, step.before.role != model.CLIENT4),
    ),
    Property(
        "no other counts",
        13,
        "Where only a pong or a ping counts, nothing else moves a timer, except in a server that closes.",
        lambda step: same(step.after.timer, step.before.timer),
        calls=("handle_packet", "handle_activity"),
        given=lambda step: both(does_not_count(step), step.outcome == model.NOTHING),
    ),
    Property(
        "extends once",
        13,
        "With `ExtendOnce`, one packet after a ping moves the deadline, and no other before the next ping or a pause.",
        lambda step: both(
            step.after.extended,
            either(
                negate(step.before.extended),
                step.before.stalled,
                step.after.stalled,
                deadline(step, step.after) == deadline(step, step.before),
            ),
        ),
        calls=every_call_but("handle_ping_sent", "begin_close", "end", "open"),
        given=lambda step: both(
            awaits_once(step.before),
            awaits_once(step.after),
            either(
                step.before.extended, both(step.call.name == "handle_packet", step.outcome == model.NOTHING)
            ),
        ),
    ),
]
