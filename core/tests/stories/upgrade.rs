//! Moving to another transport, both roles: heartbeats go on, and an upgrade by itself moves no deadline (rule 12). A failure
//! costs the candidate alone, and an upgrade always ends.

use eio_core::packet::{Packet, PacketType};
use eio_core::upgrade::{UPGRADE_TIMEOUT, UpgradeFailure, UpgradeOutcome};
use eio_core::{DisconnectReason, Heartbeat, Liveness, Revision};
use eio_tests::world::{World, ms};

const REVISIONS: [Revision; 2] = [Revision::V4, Revision::V3];

const TIMEOUT: UpgradeOutcome = UpgradeOutcome::Failed(UpgradeFailure::Timeout);
const UNEXPECTED: UpgradeOutcome = UpgradeOutcome::Failed(UpgradeFailure::UnexpectedPacket);
const CLOSED: UpgradeOutcome = UpgradeOutcome::Failed(UpgradeFailure::TransportClosed);

/// A server whose client opened a candidate after a second.
fn upgrading_server() -> World {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(1_000));
    world.server.begin_upgrade(UPGRADE_TIMEOUT);
    world
}

/// A client that opened a candidate after a second.
fn upgrading_client() -> World {
    let mut world = World::client_alone(Heartbeat::DEFAULT);
    world.run_until(ms(1_000));
    world.client.begin_upgrade(UPGRADE_TIMEOUT);
    world
}

#[test]
fn an_upgrade_probes_releases_the_poll_and_moves() {
    for revision in REVISIONS {
        let mut world = World::connected(Heartbeat::DEFAULT).revision(revision).latency(ms(10));
        world.run_until(ms(1_000));
        world.begin_upgrade(UPGRADE_TIMEOUT);
        world.run_until(ms(2_000));
        world.client.assert_wrote(&[(1_000, "2probe (candidate)"), (1_120, "5 (candidate)")]);
        world.server.assert_wrote(&[(1_010, "3probe (candidate)"), (1_110, "6")]);
        world.server.assert_upgrade(UpgradeOutcome::Upgraded);
        world.client.assert_upgrade(UpgradeOutcome::Upgraded);
        world.run_until(ms(300_000));
        world.server.assert_open();
        world.client.assert_open();
    }
}

#[test]
fn noops_come_every_100_ms_until_the_upgrade_ends() {
    let mut world = upgrading_server();
    world.client.say_on_candidate("2probe");
    world.run_until(ms(1_250));
    world.server.assert_wrote(&[(1_000, "3probe (candidate)"), (1_100, "6"), (1_200, "6")]);
    world.client.say_on_candidate("5");
    world.run_until(ms(20_000));
    assert_eq!(world.server.wrote("6"), 2);
    world.server.assert_upgrade(UpgradeOutcome::Upgraded);
}

#[test]
fn a_server_that_wakes_up_late_writes_one_noop() {
    let mut world = upgrading_server();
    world.client.say_on_candidate("2probe");
    world.run_until(ms(1_000));
    world.server.stall(ms(5_000));
    world.run_until(ms(6_050));
    assert_eq!(world.server.wrote("6"), 1);
    world.server.assert_upgrading();
}

#[test]
fn the_move_may_come_without_a_probe_and_right_behind_it() {
    for frames in [&["5"][..], &["2probe", "5"]] {
        let mut world = upgrading_server();
        for frame in frames {
            world.client.say_on_candidate(frame);
        }
        world.run_until(ms(1_000));
        world.server.assert_upgrade(UpgradeOutcome::Upgraded);
        world.server.assert_open();
        assert_eq!(world.server.wrote("3probe (candidate)"), frames.len() - 1);
    }
}

#[test]
fn anything_else_on_the_candidate_fails_the_upgrade_and_not_the_session() {
    for frame in ["2", "3", "3probe", "2probes", "1", "6", "0{}", "4hello", "", "x"] {
        let mut world = upgrading_server();
        world.client.say_on_candidate(frame);
        world.run_until(ms(1_000));
        world.server.assert_upgrade(UNEXPECTED);
        world.server.assert_open();
        assert!(world.server.messages().is_empty());
    }
    for frame in ["3", "2", "2probe", "1", "4hello", "", "x"] {
        let mut world = upgrading_client();
        world.server.say_on_candidate(frame);
        world.run_until(ms(1_000));
        world.client.assert_upgrade(UNEXPECTED);
        world.client.assert_open();
    }
}

#[test]
fn an_upgrade_that_stops_halfway_ends_after_its_timeout() {
    for answered in [false, true] {
        let mut world = upgrading_server();
        if answered {
            world.client.say_on_candidate("2probe");
        }
        world.run_until(ms(10_999));
        world.server.assert_upgrading();
        world.run_until(ms(11_000));
        world.server.assert_upgrade(TIMEOUT);
        world.server.assert_open();

        let mut world = upgrading_client();
        if answered {
            world.server.say_on_candidate("3probe"); // and the poll is never answered
        }
        world.run_until(ms(10_999));
        world.client.assert_upgrading();
        world.run_until(ms(11_000));
        world.client.assert_upgrade(TIMEOUT);
        world.client.assert_open();
    }
}

#[test]
fn evidence_comes_before_expiry_in_upgrades_too() {
    let mut world = upgrading_server();
    world.server.stall(ms(30_000));
    world.run_until(ms(5_000));
    world.client.say_on_candidate("5");
    world.run_until(ms(31_000));
    world.server.assert_upgrade(UpgradeOutcome::Upgraded);
}

#[test]
fn a_candidate_that_closes_fails_the_upgrade_and_not_the_session() {
    let mut world = upgrading_server();
    world.client.hang_up_candidate();
    world.run_until(ms(1_000));
    world.server.assert_upgrade(CLOSED);
    world.server.assert_open();

    let mut world = upgrading_client();
    world.server.hang_up_candidate();
    world.run_until(ms(1_000));
    world.client.assert_upgrade(CLOSED);
    world.client.assert_open();
}

#[test]
fn a_failed_upgrade_may_be_tried_again() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(10));
    world.to_client.hold();
    world.begin_upgrade(ms(5_000));
    world.run_until(ms(5_500));
    world.server.assert_upgrade(TIMEOUT);
    world.client.assert_upgrade(TIMEOUT);
    world.to_client.release();
    world.run_until(ms(6_000));
    world.begin_upgrade(ms(5_000));
    world.run_until(ms(7_000));
    world.server.assert_upgrade(UpgradeOutcome::Upgraded);
    world.client.assert_upgrade(UpgradeOutcome::Upgraded);
    world.run_until(ms(100_000));
    world.server.assert_open();
    world.client.assert_open();
}

#[test]
fn heartbeats_go_on_while_the_session_moves() {
    for revision in REVISIONS {
        for begins in (23_000..27_000).step_by(90) {
            let mut world = World::connected(Heartbeat::DEFAULT).revision(revision).latency(ms(40));
            world.run_until(ms(begins));
            world.begin_upgrade(UPGRADE_TIMEOUT);
            world.run_until(ms(200_000));
            world.server.assert_upgrade(UpgradeOutcome::Upgraded);
            world.server.assert_open();
            world.client.assert_open();
        }
    }
}

#[test]
fn an_upgrade_moves_no_deadline() {
    for revision in REVISIONS {
        for liveness in [Liveness::PongOnly, Liveness::ExtendOnce, Liveness::AnyPacket] {
            for begins in [0, 10_000, 24_990, 25_000, 30_000] {
                let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision).liveness(liveness);
                world.run_until(ms(begins));
                world.server.begin_upgrade(UPGRADE_TIMEOUT);
                world.client.say_on_candidate("2probe");
                world.run_until(ms(begins + 120));
                world.client.say_on_candidate("5");
                world.run_until(ms(44_999));
                world.server.assert_open();
                world.server.assert_upgrade(UpgradeOutcome::Upgraded);
                world.run_until(ms(45_000));
                world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
            }
        }
    }
}

#[test]
fn silence_ends_a_session_that_upgrades_and_the_upgrade_with_it() {
    let ended = UpgradeOutcome::Failed(UpgradeFailure::SessionEnded);
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(40_000));
    world.server.begin_upgrade(UPGRADE_TIMEOUT);
    world.client.say_on_candidate("2probe");
    world.run_until(ms(45_000));
    world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
    world.server.assert_upgrade(ended);
    world.run_until(ms(100_000));
    assert_eq!(world.server.wrote("6"), 49); // none after the end
}

#[test]
fn a_pong_that_a_moving_client_owes_follows_the_move() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(10));
    world.run_until(ms(24_950));
    world.begin_upgrade(UPGRADE_TIMEOUT);
    world.run_until(ms(26_000));
    // The ping of 25 000 ends the poll, as a noop would have.
    world.client.assert_wrote(&[(24_950, "2probe (candidate)"), (25_010, "5 (candidate)"), (25_010, "3")]);
    assert_eq!(world.server.rtt(), Some(ms(20)));
}

#[test]
fn messages_written_during_the_move_arrive_in_order() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(10));
    world.begin_upgrade(UPGRADE_TIMEOUT);
    for (at, text) in [(5, "a"), (25, "b"), (60, "c"), (150, "d")] {
        world.run_until(ms(at));
        world.client.send(text).expect("an open session");
    }
    world.run_until(ms(1_000));
    assert_eq!(world.server.messages(), ["a", "b", "c", "d"]);
    world.server.assert_upgrade(UpgradeOutcome::Upgraded);
}

#[test]
fn an_upgrade_packet_on_the_sessions_own_transport_is_an_ordinary_packet() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(40_000));
    world.client.say(Packet::text(PacketType::Upgrade, ""));
    world.run_until(ms(59_999));
    world.server.assert_open();
    world.run_until(ms(60_000));
    world.server.assert_ended_at(60_000, DisconnectReason::PingTimeout);
}

#[test]
fn after_an_upgrade_has_ended_nothing_changes_it() {
    let mut world = upgrading_server();
    world.client.say_on_candidate("2");
    world.run_until(ms(1_001));
    for frame in ["2probe", "5", "x"] {
        world.client.say_on_candidate(frame);
    }
    world.client.hang_up_candidate();
    world.run_until(ms(20_000));
    world.server.assert_upgrade(UNEXPECTED);
    assert_eq!(world.server.wrote("3probe (candidate)"), 0);
}
