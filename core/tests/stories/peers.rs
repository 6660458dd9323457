//! Failures that users of other implementations suffer from, by their number: the same situation here, and what ought
//! to happen. B11, B12, B16, B21, B22, B26 and B27 need a network adapter and are told there.

use eio_core::handshake::{Handshake, Sid};
use eio_core::packet::{Packet, PacketType};
use eio_core::settings::{HeartbeatError, Period};
use eio_core::upgrade::{UPGRADE_TIMEOUT, UpgradeFailure, UpgradeOutcome};
use eio_core::{DisconnectReason, Heartbeat, Liveness, Revision};
use eio_tests::world::{Happened, OPEN_TIMEOUT, World, ms, open_data};

/// A full upgrade, begun now on the server by a scripted client.
fn upgrade(world: &mut World) {
    world.server.begin_upgrade(UPGRADE_TIMEOUT);
    world.client.say_on_candidate("2probe");
    world.client.say_on_candidate("5");
    world.run_for(ms(0));
    world.server.assert_upgrade(UpgradeOutcome::Upgraded);
}

#[test]
fn b1_an_upgrade_while_a_ping_is_outstanding_leaves_its_deadline_armed() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(30_000));
    upgrade(&mut world);
    world.run_until(ms(44_999));
    world.server.assert_open();
    world.run_until(ms(45_000));
    world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
}

#[test]
fn b2_after_an_upgrade_a_revision_3_server_still_notices_silence() {
    for pinged_after in [false, true] {
        let mut world = World::server_alone(Heartbeat::DEFAULT).eio3();
        world.run_until(ms(10_000));
        upgrade(&mut world);
        let mut last = 0;
        if pinged_after {
            last = 35_000;
            world.run_until(ms(last));
            world.client.say(Packet::PING);
        }
        world.run_until(ms(last + 44_999));
        world.server.assert_open();
        world.run_until(ms(last + 45_000));
        world.server.assert_ended_at(last + 45_000, DisconnectReason::PingTimeout);
    }
}

#[test]
fn b3_a_loop_blocked_past_the_timeout_reads_the_waiting_pong_first() {
    let mut world = World::connected(Heartbeat::new(ms(300), ms(200)).expect("a heartbeat"));
    world = world.latency(ms(1));
    world.run_until(ms(300));
    world.server.stall(ms(450)); // 250 ms longer than the timeout
    world.run_until(ms(750));
    world.server.assert_open();
    assert_eq!(world.server.rtt(), Some(ms(450)));
}

#[test]
fn b4_a_pong_every_100_ms_does_not_keep_a_server_from_pinging() {
    for liveness in [Liveness::PongOnly, Liveness::ExtendOnce, Liveness::AnyPacket] {
        let mut world = World::server_alone(Heartbeat::DEFAULT).liveness(liveness);
        for tenth in 1..=1_000 {
            world.run_until(ms(tenth * 100));
            world.client.say(Packet::PONG);
        }
        // A real client gives up I + T after the last ping: at least one every I + T/2 keeps it.
        world.server.assert_wrote(&[(25_000, "2"), (50_000, "2"), (75_000, "2"), (100_000, "2")]);
        world.server.assert_open();
    }
}

#[test]
fn b5_a_timeout_that_overflows_a_timer_is_refused_instead_of_firing_at_once() {
    assert_eq!(Heartbeat::new(ms(25_000), ms(1 << 31)), Err(HeartbeatError::TooLong));
    assert!(Heartbeat::new(ms(1), ms((1 << 31) - 2)).is_ok());

    let mut world = World::client_opening();
    world.server.say_frame(r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":2147483648}"#);
    world.run_until(ms(0));
    let ending = world.client.ending().map(|(reason, _)| reason);
    assert!(matches!(ending, Some(DisconnectReason::BadHandshake(_))), "{ending:?}");
}

#[test]
fn b6_a_client_of_another_revision_on_the_candidate_fails_the_upgrade_alone() {
    // It came with `EIO=3` and pings, as revision 3 has it, in a session of revision 4.
    for probe in [None, Some("2probe")] {
        let mut world = World::server_alone(Heartbeat::DEFAULT);
        world.server.begin_upgrade(UPGRADE_TIMEOUT);
        if let Some(probe) = probe {
            world.client.say_on_candidate(probe);
        }
        world.client.say_on_candidate("2");
        world.run_until(ms(10));
        world.server.assert_upgrade(UpgradeOutcome::Failed(UpgradeFailure::UnexpectedPacket));
        world.server.assert_open();
        world.run_until(ms(25_010));
        world.client.say(Packet::PONG);
        world.run_until(ms(30_000));
        world.server.assert_open();
    }
}

#[test]
fn b7_a_clock_that_steps_an_hour_back_ends_no_healthy_session() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(20));
    world.run_until(ms(60_000));
    world.client.step_clock_back(ms(3_600_000));
    world.run_until(ms(600_000));
    world.client.assert_open();
    world.server.assert_open();
    assert_eq!(world.client.wrote("3"), world.server.wrote("2"));
}

#[test]
fn b7_a_clock_that_steps_an_hour_forward_ends_no_session_whose_ping_is_there() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(20));
    world.run_until(ms(24_000));
    world.client.stall(ms(2_000));
    world.client.step_clock_forward(ms(3_600_000));
    world.run_until(ms(600_000));
    world.client.assert_open();
    world.server.assert_open();
}

#[test]
fn b8_the_first_ping_waits_an_interval_and_a_silent_peer_has_interval_and_timeout() {
    let mut world = World::server_alone(Heartbeat::new(ms(3_000), ms(2_000)).expect("a heartbeat"));
    world.run_until(ms(2_999));
    world.server.assert_wrote(&[]);
    world.run_until(ms(4_999));
    world.server.assert_open();
    world.run_until(ms(5_000));
    world.server.assert_ended_at(5_000, DisconnectReason::PingTimeout);
    world.server.assert_wrote(&[(3_000, "2"), (5_000, "1")]);
}

#[test]
fn b9_two_pongs_in_one_batch_do_not_kill_a_live_client() {
    for liveness in [Liveness::PongOnly, Liveness::ExtendOnce, Liveness::AnyPacket] {
        let mut world = World::server_alone(Heartbeat::DEFAULT).liveness(liveness);
        for period in 1..=20 {
            world.run_until(ms(period * 25_000));
            world.client.say(Packet::PONG);
            world.client.say(Packet::PONG);
        }
        world.run_until(ms(20 * 25_000 + 1));
        world.server.assert_open();
        assert_eq!(world.server.wrote("2"), 20);
    }
}

#[test]
fn b10_a_stale_pong_does_not_answer_the_next_ping() {
    for liveness in [Liveness::PongOnly, Liveness::ExtendOnce] {
        let mut world = World::server_alone(Heartbeat::DEFAULT).liveness(liveness);
        world.run_until(ms(25_000));
        world.client.say(Packet::PONG);
        world.client.say(Packet::PONG); // and then it dies
        world.run_until(ms(69_999));
        world.server.assert_open();
        world.run_until(ms(70_000)); // the ping of 50 000 and a timeout, not a period later
        world.server.assert_ended_at(70_000, DisconnectReason::PingTimeout);
    }
}

#[test]
fn b13_an_upgrade_across_a_tick_skips_no_ping() {
    for begins in [24_800, 24_900, 24_990, 25_000] {
        let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(30));
        world.run_until(ms(begins));
        world.begin_upgrade(UPGRADE_TIMEOUT);
        world.run_until(ms(25_000));
        assert_eq!(world.server.wrote("2"), 1);
        world.run_until(ms(600_000));
        world.server.assert_upgrade(UpgradeOutcome::Upgraded);
        world.client.assert_open();
        world.server.assert_open();
    }
}

#[test]
fn b14_a_stalled_probe_does_not_kill_the_healthy_polling_session() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(30));
    world.run_until(ms(20_000));
    world.server.begin_upgrade(UPGRADE_TIMEOUT); // and the probe never comes
    world.run_until(ms(30_000));
    world.server.assert_upgrade(UpgradeOutcome::Failed(UpgradeFailure::Timeout));
    world.run_until(ms(600_000));
    world.server.assert_open();
    world.client.assert_open();
}

#[test]
fn b15_pings_from_a_revision_4_client_are_the_wrong_direction() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(10_000));
    world.client.say(Packet::PING);
    world.run_until(ms(10_000));
    world.server.assert_ended_at(10_000, DisconnectReason::WrongDirection);
    assert_eq!(world.server.wrote("3"), 0);
}

#[test]
fn b17_the_close_packet_is_sent_and_no_message_follows_the_end() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(50));
    world.run_until(ms(1_000));
    world.client.send("on its way").expect("an open session");
    world.server.close();
    world.run_until(ms(2_000));
    world.server.assert_wrote(&[(1_000, "1")]);
    world.client.assert_ended_at(1_050, DisconnectReason::PeerClose);
    world.server.assert_ended_at(1_000, DisconnectReason::LocalClose);
    assert!(world.server.messages().is_empty());
}

#[test]
fn b18_a_slow_connect_handler_delays_no_heartbeat() {
    // The session is made when the open packet is handed over. The handler does not read for half a minute, and the
    // adapter stops reading; pings go out, and their deadline waits for the handler.
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(20));
    world.server.pause_reading(ms(45_000));
    world.run_until(ms(40_000));
    world.server.assert_wrote(&[(25_000, "2")]);
    world.server.assert_open();
    world.server.resume_reading();
    world.run_until(ms(40_000));
    assert_eq!(world.server.rtt(), Some(ms(15_000)));
    world.run_until(ms(600_000));
    world.server.assert_open();
    world.client.assert_open();
}

#[test]
fn b19_a_clock_that_is_set_makes_no_false_timeout() {
    for back in [true, false] {
        let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(20));
        for minute in 1..10 {
            world.run_until(ms(minute * 60_000));
            if back {
                world.server.step_clock_back(ms(9_000));
            } else {
                world.server.step_clock_forward(ms(3_600_000));
            }
        }
        world.run_until(ms(700_000));
        world.server.assert_open();
        world.client.assert_open();
    }
}

#[test]
fn b19_a_clock_that_is_set_back_hides_a_dead_client_for_that_long_and_no_longer() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(25_000));
    world.server.step_clock_back(ms(9_000));
    world.run_until(ms(53_999));
    world.server.assert_open();
    world.run_until(ms(54_000));
    world.server.assert_ended_at(54_000, DisconnectReason::PingTimeout);
}

#[test]
fn b20_half_a_second_is_announced_as_500_ms_and_fractions_of_a_millisecond_are_refused() {
    let mut out = [0; Handshake::MAX_LEN];
    let heartbeat = Heartbeat::new(ms(500), ms(1_900)).expect("whole milliseconds");
    let sid = Sid::new("x").expect("a sid");
    let open = Handshake::new(sid, heartbeat).encode(&mut out).expect("room");
    assert!(open.contains(r#""pingInterval":500,"pingTimeout":1900"#), "{open}");
    let mut world = World::client_opening();
    world.server.say(Packet::text(PacketType::Open, open));
    world.run_until(ms(0));
    world.client.assert_happened(&[Happened::Opened(heartbeat)]);

    let fraction = core::time::Duration::from_micros(500_500);
    assert_eq!(
        Heartbeat::new(fraction, ms(1)),
        Err(HeartbeatError::Fraction { period: Period::PingInterval })
    );
    assert_eq!(
        Heartbeat::new(ms(1), fraction),
        Err(HeartbeatError::Fraction { period: Period::PingTimeout })
    );
}

#[test]
fn b23_with_the_defaults_the_pong_timeout_fires_in_both_revisions() {
    for revision in [Revision::V4, Revision::V3] {
        let mut world = World::connected(Heartbeat::default()).revision(revision);
        world.cut();
        world.run_until(ms(45_000));
        world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
        world.client.assert_ended_at(45_000, DisconnectReason::PingTimeout);
    }
}

#[test]
fn b24_the_open_packet_sets_a_watchdog_and_a_counter_that_wraps_does_not_break_it() {
    let announced = Heartbeat::new(ms(4_000), ms(1_500)).expect("a heartbeat");
    let mut world = World::client_opening();
    world.client.count_ticks(ms(1), u32::MAX - 3_000); // the counter of milliseconds wraps on the way
    world.server.say(Packet::text(PacketType::Open, &open_data(announced)));
    world.run_until(ms(5_499));
    world.client.assert_open();
    world.run_until(ms(5_500));
    world.client.assert_ended_at(5_500, DisconnectReason::PingTimeout);
}

#[test]
fn b24_the_move_waits_for_the_answer_to_the_probe() {
    let mut world = World::client_alone(Heartbeat::DEFAULT);
    world.client.begin_upgrade(UPGRADE_TIMEOUT);
    world.run_until(ms(9_000));
    world.client.assert_wrote(&[(0, "2probe (candidate)")]);
}

#[test]
fn b25_a_reconnect_starts_with_nothing_of_the_session_before() {
    let mut lost = World::server_alone(Heartbeat::DEFAULT);
    lost.run_until(ms(45_000));
    lost.server.assert_ended(DisconnectReason::PingTimeout);
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(20));
    assert_eq!(world.server.rtt(), None);
    world.run_until(ms(44_999));
    world.server.assert_open();
    world.run_until(ms(600_000));
    world.server.assert_open();
}

#[test]
fn b28_waiting_for_the_open_packet_and_for_the_answer_to_a_probe_is_limited() {
    let mut world = World::client_opening();
    world.run_until(OPEN_TIMEOUT);
    world.client.assert_ended_at(20_000, DisconnectReason::OpenTimeout);

    let mut world = World::client_alone(Heartbeat::DEFAULT);
    world.client.begin_upgrade(UPGRADE_TIMEOUT);
    world.run_until(ms(9_999));
    world.client.assert_upgrading();
    world.run_until(ms(10_000));
    world.client.assert_upgrade(UpgradeOutcome::Failed(UpgradeFailure::Timeout));
    world.client.assert_open();
}
