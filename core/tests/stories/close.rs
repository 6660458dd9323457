//! How sessions end on purpose: on either side, in each state, within bounds, and with one `close` packet.

use eio_core::packet::{Packet, PacketType};
use eio_core::session::{CheckSendError, Violation};
use eio_core::upgrade::{UPGRADE_TIMEOUT, UpgradeFailure, UpgradeOutcome};
use eio_core::{DisconnectReason, Heartbeat, Revision};
use eio_tests::world::{End, World, ms};

const REVISIONS: [Revision; 2] = [Revision::V4, Revision::V3];

fn connected(revision: Revision) -> World {
    World::connected(Heartbeat::DEFAULT).revision(revision).latency(ms(10))
}

/// Closes, in an open session that heard nothing for a while, with writes that hang.
fn closing_server(revision: Revision) -> World {
    let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision);
    world.run_until(ms(1_000));
    world.server.jam();
    world.server.close();
    world
}

#[test]
fn a_server_that_closes_tells_its_client() {
    for revision in REVISIONS {
        let mut world = connected(revision);
        world.run_until(ms(1_000));
        world.server.close();
        world.run_until(ms(1_010));
        world.server.assert_ended_at(1_000, DisconnectReason::LocalClose);
        world.client.assert_ended_at(1_010, DisconnectReason::PeerClose);
        world.server.assert_wrote(&[(1_000, "1")]);
        world.client.assert_wrote(&[]); // nothing is owed to one who closed
    }
}

#[test]
fn a_client_that_closes_tells_its_server() {
    for revision in REVISIONS {
        let mut world = connected(revision);
        world.run_until(ms(1_000));
        world.client.close();
        world.run_until(ms(1_010));
        world.client.assert_ended_at(1_000, DisconnectReason::LocalClose);
        world.server.assert_ended_at(1_010, DisconnectReason::PeerClose);
        world.server.assert_wrote(&[]);
    }
}

#[test]
fn both_may_close_at_once() {
    for revision in REVISIONS {
        let mut world = connected(revision);
        world.run_until(ms(1_000));
        world.server.close();
        world.client.close();
        world.run_until(ms(100_000));
        world.server.assert_ended_at(1_000, DisconnectReason::LocalClose);
        world.client.assert_ended_at(1_000, DisconnectReason::LocalClose);
    }
}

#[test]
fn a_client_that_closes_while_it_opens_ends_at_once_and_says_so() {
    let mut world = World::client_opening();
    world.run_until(ms(1_000));
    world.client.close();
    world.client.assert_ended_at(1_000, DisconnectReason::LocalClose);
    world.client.assert_wrote(&[(1_000, "1")]);
}

#[test]
fn messages_that_were_queued_leave_before_the_close_packet() {
    let mut world = connected(Revision::V4);
    world.client.jam();
    assert_eq!(world.client.send("last words"), Ok(()));
    world.client.close();
    assert_eq!(world.client.send("too late"), Err(CheckSendError::Closed));
    world.run_until(ms(5_000));
    world.client.assert_not_ended();
    world.client.unjam();
    world.run_until(ms(6_000));
    world.client.assert_wrote(&[(5_000, "4last words"), (5_000, "1")]);
    world.client.assert_ended_at(5_000, DisconnectReason::LocalClose);
    assert_eq!(world.server.messages(), ["last words"]);
}

#[test]
fn closing_is_bounded_by_30_s_when_the_write_hangs() {
    for revision in REVISIONS {
        let mut world = closing_server(revision);
        world.run_until(ms(30_999));
        world.server.assert_not_ended();
        world.run_until(ms(31_000));
        world.server.assert_ended_at(31_000, DisconnectReason::LocalClose);
    }
}

#[test]
fn closing_is_bounded_by_the_silence_of_the_peer_if_that_comes_first() {
    for revision in REVISIONS {
        let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision);
        world.run_until(ms(26_000));
        world.server.jam();
        world.server.close();
        world.run_until(ms(44_999));
        world.server.assert_not_ended();
        world.run_until(ms(45_000));
        world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
    }
}

#[test]
fn when_both_bounds_come_at_once_the_peer_was_silent() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(30_000));
    world.server.jam();
    world.server.close_within(ms(15_000));
    world.run_until(ms(45_000));
    world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
}

#[test]
fn a_close_that_takes_no_time_ends_with_the_next_call() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(1_000));
    world.server.jam();
    world.server.close_within(ms(0));
    world.server.assert_not_ended();
    world.run_until(ms(1_000));
    world.server.assert_ended_at(1_000, DisconnectReason::LocalClose);
}

#[test]
fn a_close_without_any_limit_is_still_bounded() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.server.jam();
    world.server.close_within(core::time::Duration::MAX);
    world.run_until(ms(1_000_000));
    world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
}

#[test]
fn closing_twice_is_closing_once() {
    let mut world = closing_server(Revision::V4);
    world.run_until(ms(20_000));
    world.server.close(); // does not extend the 30 s
    world.run_until(ms(31_000));
    world.server.assert_ended_at(31_000, DisconnectReason::LocalClose);
    world.server.close();
    world.server.unjam();
    assert_eq!(world.server.wrote("1"), 1);
}

#[test]
fn a_close_packet_that_was_handed_over_is_not_owed_again_after_the_end() {
    for revision in REVISIONS {
        let mut world = closing_server(revision);
        world.run_until(ms(100_000)); // ended by its own limit; the packet waits in the outbox
        world.server.unjam();
        world.run_until(ms(200_000));
        assert_eq!(world.server.wrote("1"), 1);
    }
}

#[test]
fn while_it_closes_no_message_reaches_the_application_and_no_ping_is_answered() {
    let mut world = World::server_alone(Heartbeat::DEFAULT).eio3();
    world.server.jam();
    world.server.close();
    world.client.say(Packet::PING);
    world.client.say(Packet::text(PacketType::Message, "late"));
    world.run_until(ms(1));
    assert!(world.server.messages().is_empty());
    world.server.unjam();
    world.server.assert_wrote(&[(1, "1")]);
}

/// Something that a story does.
type Deed = fn(&mut World);

/// What may end a session that closes, besides its limits.
fn endings() -> [(&'static str, Deed); 8] {
    [
        ("its close packet left", |world| world.server.handle_closed()),
        ("the peer closes", |world| world.client.say(Packet::CLOSE)),
        ("the connection ends", |world| world.client.hang_up()),
        ("the peer sends a close frame", |world| world.client.say_close_frame(Some(4001))),
        ("the connection is reset", |world| world.client.reset()),
        ("the connection fails", |world| world.client.fail_request()),
        ("the peer sends garbage", |world| world.client.say_frame("x")),
        ("the peer breaks a rule", |world| world.server.handle_violation(Violation::PayloadTooLarge)),
    ]
}

#[test]
fn whatever_ends_a_closing_session_it_was_closed_by_this_side() {
    for revision in REVISIONS {
        for (what, end) in endings() {
            let mut world = closing_server(revision);
            world.run_until(ms(2_000));
            end(&mut world);
            world.run_until(ms(2_000));
            assert_eq!(world.server.ending().map(|end| end.0), Some(DisconnectReason::LocalClose), "{what}");
            assert_eq!(world.server.ended_at(), Some(2_000), "{what}");
        }
    }
}

#[test]
fn of_two_causes_the_first_wins() {
    let causes: [(DisconnectReason, Deed); 7] = [
        (DisconnectReason::PeerClose, |world| world.client.say(Packet::CLOSE)),
        (DisconnectReason::TransportClosed, |world| world.client.hang_up()),
        (DisconnectReason::TransportClosed, |world| world.client.say_close_frame(Some(4001))),
        (DisconnectReason::TransportReset, |world| world.client.reset()),
        (DisconnectReason::TransportError, |world| world.client.fail_request()),
        (DisconnectReason::WrongDirection, |world| world.client.say(Packet::PING)),
        (DisconnectReason::Violation(Violation::WebSocket), |world| {
            world.server.handle_violation(Violation::WebSocket);
        }),
    ];
    for (reason, first) in causes {
        for (_, second) in causes {
            let mut world = World::server_alone(Heartbeat::DEFAULT);
            first(&mut world);
            world.run_until(ms(1));
            second(&mut world);
            world.run_until(ms(100_000));
            world.server.assert_ended_at(0, reason);
            assert!(world.server.wrote("1") <= 1);
        }
    }
}

#[test]
fn the_end_of_a_connection_does_not_count_as_a_close_packet() {
    for revision in REVISIONS {
        for (end, reason, wrote) in [
            (End::hang_up as fn(&mut End), DisconnectReason::TransportClosed, 0),
            (|client| client.say_close_frame(None), DisconnectReason::TransportClosed, 0),
            (End::reset, DisconnectReason::TransportReset, 0),
            (End::fail_request, DisconnectReason::TransportError, 1), // another request may still carry it
        ] {
            let mut world = connected(revision);
            end(&mut world.client);
            world.run_until(ms(10));
            world.server.assert_ended_at(10, reason);
            assert_eq!(world.server.wrote("1"), wrote);
        }
    }
}

#[test]
fn a_connection_that_fails_while_a_client_opens_ends_it() {
    for (end, reason) in [
        (End::hang_up as fn(&mut End), DisconnectReason::TransportClosed),
        (End::reset, DisconnectReason::TransportReset),
        (End::fail_request, DisconnectReason::TransportError),
        (|server| server.say_close_frame(Some(1013)), DisconnectReason::TransportClosed),
        (|server| server.say(Packet::CLOSE), DisconnectReason::PeerClose),
    ] {
        let mut world = World::client_opening();
        end(&mut world.server);
        world.run_until(ms(0));
        world.client.assert_ended_at(0, reason);
    }
}

#[test]
fn the_end_is_reported_while_a_write_hangs() {
    for revision in REVISIONS {
        let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision);
        world.server.jam();
        world.run_until(ms(45_000));
        world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
        world.server.assert_wrote(&[]);
    }
}

#[test]
fn a_session_that_ends_takes_its_upgrade_with_it() {
    let mut world = connected(Revision::V4);
    world.begin_upgrade(UPGRADE_TIMEOUT);
    world.server.close();
    world.run_until(ms(50));
    let ended = UpgradeOutcome::Failed(UpgradeFailure::SessionEnded);
    world.server.assert_upgrade(ended);
    world.client.assert_ended(DisconnectReason::PeerClose);
}
