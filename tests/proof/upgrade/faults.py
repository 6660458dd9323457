"""Faults that are planted into the models of an upgrade, one at a time. Each must cost a property its proof."""

from logic import add_millis, advance, both, choose, negate, pick
from upgrade import client, server
from upgrade.outcome import (
    PACKETS,
    PING_PACKET,
    PONG_PACKET,
    RUNNING,
    TIMEOUT,
    TRANSPORT_CLOSED,
    UPGRADE_PACKET,
    UPGRADE_WITH_DATA,
    UPGRADED,
)

# The function that ends an upgrade.
ENDS = {server: "end", client: "fail"}
# Functions without a fault.
SERVER = {name: getattr(server, name) for name in ("end", "handle_packet", "handle_timeout")}
CLIENT = {name: getattr(client, name) for name in ("handle_packet", "handle_polling_paused")}


def obeys_the_callers_clock(upgrade, now):
    return upgrade._replace(clock=now), now


def times_out_a_microsecond_late(model):
    def times_out_a_microsecond_late(upgrade, now):
        upgrade, now = advance(upgrade, now)
        return choose(
            upgrade.deadline < now, lambda: getattr(model, ENDS[model])(upgrade, TIMEOUT), lambda: upgrade
        )

    return times_out_a_microsecond_late


def forgets_the_outcome(upgrade, outcome):
    return upgrade._replace(outcome=outcome)


def takes_the_end_of_a_session_for_that_of_a_transport(model):
    def takes_the_end_of_a_session_for_that_of_a_transport(upgrade):
        return getattr(model, ENDS[model])(upgrade, TRANSPORT_CLOSED)

    return takes_the_end_of_a_session_for_that_of_a_transport


def counts_noops_from_the_missed_one(upgrade, now):
    upgrade, now = advance(upgrade, now)
    due = both(upgrade.outcome == RUNNING, upgrade.probed, upgrade.next_noop <= now)
    noop = upgrade._replace(noop_pending=True, next_noop=add_millis(upgrade.next_noop, server.NOOP_INTERVAL_MILLIS))
    return choose(
        upgrade.deadline <= now,
        lambda: server.end(upgrade, TIMEOUT),
        lambda: choose(due, lambda: noop, lambda: upgrade),
    )


def is_upgraded_by_a_bare_five_alone(upgrade, now, packet):
    return SERVER["handle_packet"](
        upgrade, now, pick(packet == UPGRADE_WITH_DATA, PACKETS.index("unreadable"), packet)
    )


def is_upgraded_by_any_packet(upgrade, now, packet):
    return SERVER["handle_packet"](upgrade, now, pick(packet == PING_PACKET, packet, UPGRADE_PACKET))


def drops_its_answer_at_the_end(upgrade, outcome):
    return SERVER["end"](upgrade, outcome)._replace(pong_pending=False)


def upgrades_when_it_is_too_late(upgrade, now):
    ended = SERVER["handle_timeout"](upgrade, now)
    return ended._replace(outcome=pick(ended.outcome == TIMEOUT, UPGRADED, ended.outcome))


def writes_its_answer_again(upgrade):
    return upgrade, pick(upgrade.pong_pending, server.PONG_PROBE, server.NOTHING)


def has_noops_written_at_once(upgrade, now, packet):
    after = SERVER["handle_packet"](upgrade, now, packet)
    first = both(negate(upgrade.probed), after.probed)
    return after._replace(next_noop=pick(first, after.clock, after.next_noop))


def starts_the_timeout_anew(upgrade, now):
    upgrade, now = advance(upgrade, now)
    moved = upgrade._replace(pausing=False, deadline=add_millis(now, 5_000))
    return choose(upgrade.pausing, lambda: moved, lambda: upgrade)


def takes_an_answer_before_its_probe(upgrade, now, packet):
    early = both(upgrade.outcome == RUNNING, packet == PONG_PACKET)
    asked = upgrade._replace(pending=pick(early, client.NOTHING, upgrade.pending))
    return CLIENT["handle_packet"](asked, now, packet)


def forgets_its_five(upgrade, now):
    return CLIENT["handle_polling_paused"](upgrade, now)._replace(pending=client.NOTHING)


def upgrades_however_late(upgrade, now):
    upgraded = upgrade._replace(pausing=False, pending=client.UPGRADE, outcome=UPGRADED)
    return choose(upgrade.pausing, lambda: upgraded, lambda: upgrade)


def does_not_wait_for_the_pause(upgrade, now, packet):
    after = CLIENT["handle_packet"](upgrade, now, packet)
    return choose(after.pausing, lambda: client.handle_polling_paused(after, now), lambda: after)


def writes_its_packet_again(upgrade):
    return upgrade, upgrade.pending


def of_both(model):
    return [
        ("handle_timeout", times_out_a_microsecond_late(model), "waking makes progress"),
        (ENDS[model], forgets_the_outcome, "invariant"),
        ("handle_session_ended", takes_the_end_of_a_session_for_that_of_a_transport(model), "says why"),
    ]


OF_SERVER = [
    *of_both(server),
    ("advance", obeys_the_callers_clock, "invariant"),
    ("handle_timeout", counts_noops_from_the_missed_one, "waking makes progress"),
    ("handle_packet", is_upgraded_by_a_bare_five_alone, "packets decide"),
    ("handle_packet", is_upgraded_by_any_packet, "packets decide"),
    ("handle_timeout", upgrades_when_it_is_too_late, "nothing else upgrades"),
    ("end", drops_its_answer_at_the_end, "probes are answered"),
    ("poll_transmit", writes_its_answer_again, "written once"),
    ("handle_packet", has_noops_written_at_once, "noops in time"),
]
OF_CLIENT = [
    *of_both(client),
    ("advance", obeys_the_callers_clock, "waking makes progress"),
    ("handle_polling_paused", starts_the_timeout_anew, "never postponed"),
    ("handle_packet", takes_an_answer_before_its_probe, "packets decide"),
    ("handle_polling_paused", forgets_its_five, "a pause upgrades"),
    ("handle_polling_paused", upgrades_however_late, "a pause upgrades"),
    ("handle_packet", does_not_wait_for_the_pause, "nothing else upgrades"),
    ("poll_transmit", writes_its_packet_again, "written once"),
]
