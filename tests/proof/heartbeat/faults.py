"""Faults that are planted into the model, one at a time. Each must cost a property its proof."""

from heartbeat import machine as model
from logic import U32_MAX, add_millis, advance, both, choose, either, negate, pick, smaller

# The functions without a fault.
TRUE = {
    name: getattr(model, name)
    for name in (
        "begin_close",
        "client4_packet",
        "count_packet",
        "expire",
        "handle_activity",
        "handle_ping_sent",
        "handle_reading_paused",
        "listen",
        "measure",
        "open",
        "server3_packet",
        "server4_packet",
    )
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


def listens_for_the_timeout_alone(machine, now, packet):
    heard = model.allow_silence(machine, now, machine.timeout)
    reaction = pick(machine.phase == model.CLOSING, model.NOTHING, model.WRITE_PONG)
    return choose(packet == model.PING, lambda: (heard, reaction), lambda: (machine, model.NOTHING))


def hears_nothing_while_it_closes(machine, now, packet):
    heard = TRUE["server4_packet"](machine, now, packet)
    return choose(machine.phase == model.CLOSING, lambda: (machine, model.NOTHING), lambda: heard)


def resumes_with_a_millisecond(machine, now):
    resumed = model.allow_silence(machine._replace(phase=model.LISTENING), now, 1)
    return choose(machine.phase == model.OPENING, lambda: TRUE["listen"](machine, now), lambda: resumed)


def opens_with_a_millisecond(machine, now):
    opened = model.allow_silence(machine._replace(phase=model.LISTENING), now, 1)
    return choose(machine.phase == model.OPENING, lambda: opened, lambda: TRUE["listen"](machine, now))


def counts_a_packet_for_the_timeout_alone(machine, now):
    counted = TRUE["count_packet"](machine, now)
    moved = negate(either(machine.stalled, machine.phase == model.PING_DUE))
    return counted._replace(timer=pick(moved, add_millis(now, machine.timeout), counted.timer))


def counts_nothing_in_part(machine, now):
    return TRUE["handle_activity"](machine._replace(liveness=model.PONG_ONLY), now)._replace(
        liveness=machine.liveness
    )


def counts_a_message_as_a_ping(machine, now, packet):
    after, reaction = TRUE["client4_packet"](machine, now, packet)
    return pick(packet == model.MESSAGE, model.allow_silence(after, now, model.sum_millis(after)), after), reaction


def extends_every_time(machine, now, packet):
    after, outcome = TRUE["server4_packet"](machine._replace(extended=False), now, packet)
    return after._replace(extended=either(after.extended, machine.extended)), outcome


def forgets_that_it_has_extended(machine, now, packet):
    after, outcome = TRUE["server4_packet"](machine, now, packet)
    return after._replace(extended=both(after.extended, machine.liveness != model.EXTEND_ONCE)), outcome


def postpones_its_ping_for_an_unasked_pong(machine, now, packet):
    postponed = machine._replace(timer=add_millis(now, machine.interval))
    return choose(
        both(packet == model.PONG, machine.phase == model.PING_DUE),
        lambda: (postponed, model.NOTHING),
        lambda: TRUE["server4_packet"](machine, now, packet),
    )


def gives_up_a_peer_when_it_closes(machine, now, close_timeout):
    closing = TRUE["begin_close"](machine, now, close_timeout)
    return closing._replace(timer=pick(model.is_running(machine), closing.clock, closing.timer))


def extends_one_ping_alone(machine, now):
    return machine._replace(phase=model.AWAITING, mark=now), model.WRITE_PING


def takes_a_late_ping_for_one_in_time(machine, now):
    return TRUE["handle_ping_sent"](machine, now)._replace(mark=machine.mark)


def blames_the_peer_for_a_close_timeout(machine, now):
    after, due = TRUE["expire"](machine, now)
    return after, pick(due == model.CLOSE_TIMEOUT, model.PING_TIMEOUT, due)


def expires_when_a_ping_is_due(machine, now):
    return both(machine.phase != model.ENDED, negate(machine.stalled), machine.timer <= now)


def expires_only_while_it_awaits_a_pong(machine, now):
    return both(machine.phase == model.AWAITING, negate(machine.stalled), machine.timer <= now)


def answers_pongs(machine, now, packet):
    return TRUE["client4_packet"](machine, now, pick(packet == model.PONG, model.PING, packet))


def measures_nothing(machine, now):
    return machine, TRUE["measure"](machine, now)[1]


def sees_no_life_in_a_part(machine, now):
    return TRUE["handle_activity"](machine, now)._replace(last_seen=machine.last_seen)


def pings_first_when_it_likes(machine, delay):
    return machine


def takes_no_cap(machine, limit):
    return machine


# The function that each fault stands in for, and the property that must notice it.
FAULTS = [
    ("advance", obeys_the_callers_clock, "waking makes progress"),
    ("handle_timeout", wakes_a_microsecond_late, "waking makes progress"),
    ("handle_timeout", counts_from_the_missed_deadline, "invariant"),
    ("ping", sends_a_ping_twice, "invariant"),
    ("next_deadline", forgets_the_close_timeout, "closing in bounds"),
    ("listen", listens_without_a_deadline, "invariant"),
    ("poll_timeout", has_a_deadline_after_the_end, "waking makes progress"),
    ("server3_packet", ends_by_a_wrong_packet, "evidence before expiry"),
    ("open", takes_any_timeout, "invariant"),
    ("end", ends_again, "ended for good"),
    ("expire", asks_nothing_of_a_stalled_machine, "waking makes progress"),
    ("handle_ping_sent", shortens_what_a_packet_has_allowed, "waiting is not shorter"),
    ("handle_ping_sent", forgets_what_a_packet_has_allowed, "late loses nothing"),
    ("handle_ping_sent", keeps_the_extension_of_a_ping_that_leaves_in_a_pause, "each ping is extended"),
    ("answered_server4", schedules_by_the_pong_alone, "next ping"),
    ("handle_reading_paused", keeps_the_pings_own_deadline_when_stalled, "invariant"),
    ("client4_packet", listens_for_the_timeout_alone, "listens whole"),
    ("listen", resumes_with_a_millisecond, "resumes whole"),
    ("listen", opens_with_a_millisecond, "listens whole"),
    ("count_packet", counts_a_packet_for_the_timeout_alone, "any packet counts"),
    ("handle_activity", counts_nothing_in_part, "any packet counts"),
    ("client4_packet", counts_a_message_as_a_ping, "no other counts"),
    ("server4_packet", extends_every_time, "extends once"),
    ("server4_packet", forgets_that_it_has_extended, "extends once"),
    ("server4_packet", postpones_its_ping_for_an_unasked_pong, "unasked moves nothing"),
    ("begin_close", gives_up_a_peer_when_it_closes, "closing keeps silence"),
    ("server4_packet", hears_nothing_while_it_closes, "closing hears"),
    ("ping", extends_one_ping_alone, "each ping is extended"),
    ("handle_ping_sent", takes_a_late_ping_for_one_in_time, "late is sent late"),
    ("expire", blames_the_peer_for_a_close_timeout, "names its cause"),
    ("is_expired", expires_when_a_ping_is_due, "expired ends"),
    ("is_expired", expires_only_while_it_awaits_a_pong, "expired ends"),
    ("client4_packet", answers_pongs, "answers pings"),
    ("measure", measures_nothing, "measured"),
    ("handle_activity", sees_no_life_in_a_part, "sign of life"),
    ("with_first_ping_after", pings_first_when_it_likes, "first ping"),
    ("cap_timeout", takes_no_cap, "capped timeout"),
]
