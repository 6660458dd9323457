"""Faults that are planted into the model, one at a time. Each must cost at least one property its proof."""

from heartbeat import machine as model
from logic import U32_MAX, add_millis, advance, both, choose, negate, pick, smaller

# The functions without a fault.
TRUE = {
    name: getattr(model, name)
    for name in ("expire", "handle_ping_sent", "handle_reading_paused", "open", "server3_packet")
}


def obeys_the_callers_clock(machine, now):
    return machine._replace(clock=now), now


def wakes_a_microsecond_late(machine, now):
    machine, now = advance(machine, now)
    return choose(
        machine.phase != model.PING_DUE,
        lambda: model.expire(machine, now),
        lambda: choose(
            machine.timer >= now,
            lambda: (machine, model.NOTHING),
            lambda: model.ping(machine._replace(timer=add_millis(now, machine.timeout)), now),
        ),
    )


def counts_from_the_missed_deadline(machine, now):
    machine, now = advance(machine, now)
    late = lambda: model.ping(machine._replace(timer=add_millis(machine.timer, machine.timeout)), now)
    on_time = lambda: choose(machine.timer > now, lambda: (machine, model.NOTHING), late)
    return choose(machine.phase != model.PING_DUE, lambda: model.expire(machine, now), on_time)


def sends_a_ping_twice(machine, now):
    return machine._replace(mark=now, extended=False), model.WRITE_PING


def forgets_the_close_timeout(machine):
    return pick(
        machine.phase == model.PING_DUE_STALLED, smaller(machine.timer, machine.mark), machine.timer
    )


def listens_without_a_deadline(machine, now):
    return machine._replace(phase=model.LISTENING)


def has_a_deadline_after_the_end(machine):
    return True, model.next_deadline(machine)


def ends_by_a_wrong_packet(machine, now, packet):
    after, outcome = TRUE["server3_packet"](machine, now, packet)
    return choose(
        outcome == model.WRONG_DIRECTION, lambda: (model.end(after, now), outcome), lambda: (after, outcome)
    )


def takes_any_timeout(machine, now, interval, timeout):
    return TRUE["open"](machine._replace(timeout=U32_MAX), now, interval, U32_MAX)


def ends_again(machine, now):
    machine, now = advance(machine, now)
    return machine._replace(phase=model.ENDED, stalled=False, mark=now)


def asks_nothing_of_a_stalled_machine(machine, now):
    after, due = TRUE["expire"](machine, now)
    return choose(
        both(machine.stalled, due == model.APPLICATION_STALLED),
        lambda: (model.handle_clock(machine, now), model.NOTHING),
        lambda: (after, due),
    )


def schedules_by_the_pong_alone(machine, now):
    measured, _ = model.measure(machine, now)
    return model.schedule_ping(measured, add_millis(now, machine.interval)), model.ANSWERED


def shortens_what_a_packet_has_allowed(machine, now):
    machine, now = advance(machine, now)
    sent = machine._replace(mark=now, timer=add_millis(now, machine.timeout))
    return choose(machine.phase == model.AWAITING, lambda: sent, lambda: machine)


def forgets_what_a_packet_has_allowed(machine, now):
    sent = TRUE["handle_ping_sent"](machine, now)
    moved = both(machine.phase == model.AWAITING, negate(machine.stalled), sent.timer != machine.timer)
    return sent._replace(extended=both(sent.extended, negate(moved)))


def keeps_the_extension_of_a_ping_that_leaves_in_a_pause(machine, now):
    sent = TRUE["handle_ping_sent"](machine, now)
    return sent._replace(extended=pick(machine.stalled, machine.extended, sent.extended))


def keeps_the_pings_own_deadline_when_stalled(machine, now, stall_timeout):
    paused = TRUE["handle_reading_paused"](machine, now, stall_timeout)
    return paused._replace(phase=pick(paused.phase == model.PING_DUE_STALLED, machine.phase, paused.phase))


# The function that each fault stands in for.
FAULTS = [
    ("advance", obeys_the_callers_clock),
    ("handle_timeout", wakes_a_microsecond_late),
    ("handle_timeout", counts_from_the_missed_deadline),
    ("ping", sends_a_ping_twice),
    ("next_deadline", forgets_the_close_timeout),
    ("listen", listens_without_a_deadline),
    ("poll_timeout", has_a_deadline_after_the_end),
    ("server3_packet", ends_by_a_wrong_packet),
    ("open", takes_any_timeout),
    ("end", ends_again),
    ("expire", asks_nothing_of_a_stalled_machine),
    ("handle_ping_sent", shortens_what_a_packet_has_allowed),
    ("handle_ping_sent", forgets_what_a_packet_has_allowed),
    ("handle_ping_sent", keeps_the_extension_of_a_ping_that_leaves_in_a_pause),
    ("answered_server4", schedules_by_the_pong_alone),
    ("handle_reading_paused", keeps_the_pings_own_deadline_when_stalled),
]
