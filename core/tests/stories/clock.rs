//! Clocks as they are: set back, suspended, close to their end, 32 bits wide. A session sees differences only, and its
//! time never goes backwards.

use eio_core::packet::Packet;
use eio_core::upgrade::{UPGRADE_TIMEOUT, UpgradeOutcome};
use eio_core::{DisconnectReason, Heartbeat, Revision};
use eio_tests::world::{LAST_NOW, World, ms};

const REVISIONS: [Revision; 2] = [Revision::V4, Revision::V3];
const HOUR: u64 = 3_600_000;
const YEAR: u64 = 365 * 24 * HOUR;

#[test]
fn a_clock_that_is_set_back_stands_still_and_ends_nothing() {
    let mut world = World::client_alone(Heartbeat::DEFAULT);
    world.run_until(ms(25_000));
    world.client.step_clock_back(ms(10_000));
    for second in [25, 50, 75, 100] {
        world.run_until(ms(second * 1_000));
        world.server.say(Packet::PING);
    }
    world.run_until(ms(110_000));
    world.client.assert_open();
    assert_eq!(world.client.wrote("3"), 4);
}

#[test]
fn a_clock_that_is_set_back_delays_the_end_by_that_much_and_no_more() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(30_000));
    world.server.step_clock_back(ms(10_000));
    world.run_until(ms(54_999));
    world.server.assert_open();
    world.run_until(ms(55_000));
    world.server.assert_ended_at(55_000, DisconnectReason::PingTimeout);
}

#[test]
fn a_clock_that_wavers_between_calls_counts_as_its_latest() {
    for revision in REVISIONS {
        let mut world = World::connected(Heartbeat::DEFAULT).revision(revision).latency(ms(30));
        for second in 1..300 {
            world.run_until(ms(second * 1_000));
            if second % 2 == 0 {
                world.server.step_clock_back(ms(400));
                world.client.step_clock_forward(ms(400));
            } else {
                world.server.step_clock_forward(ms(400));
                world.client.step_clock_back(ms(400));
            }
        }
        world.server.assert_open();
        world.client.assert_open();
    }
}

#[test]
fn a_jump_of_a_year_ends_a_session_once_and_for_silence() {
    let mut world = World::client_alone(Heartbeat::DEFAULT);
    world.run_until(ms(1_000));
    world.client.step_clock_forward(ms(YEAR));
    world.run_until(ms(1_000));
    world.client.assert_ended(DisconnectReason::PingTimeout);
    world.client.assert_silent_for(ms(YEAR + 1_000));
    world.client.assert_wrote(&[(1_000, "1")]);
}

#[test]
fn after_a_jump_of_a_year_a_server_asks_first() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(30));
    world.run_until(ms(1_000));
    world.server.step_clock_forward(ms(YEAR));
    world.run_until(ms(1_060));
    world.server.assert_wrote(&[(1_000, "2")]);
    assert_eq!(world.server.rtt(), Some(ms(60)));
    world.run_until(ms(100_000));
    world.server.assert_open();
    world.client.assert_open();
}

#[test]
fn after_a_suspend_what_waits_in_the_socket_counts() {
    let mut world = World::client_alone(Heartbeat::DEFAULT);
    world.run_until(ms(1_000));
    world.client.step_clock_forward(ms(HOUR));
    world.server.say(Packet::PING);
    world.run_until(ms(45_999)); // I + T from the ping on
    world.client.assert_open();
    world.run_until(ms(46_000));
    world.client.assert_ended_at(46_000, DisconnectReason::PingTimeout);
}

#[test]
fn sessions_live_at_the_end_of_the_clock_as_anywhere() {
    // The latest epoch that leaves room for the story.
    let story = ms(1_000_000);
    let room = u64::try_from(story.as_micros()).expect("short");
    for revision in REVISIONS {
        let mut world = World::connected(Heartbeat::DEFAULT)
            .revision(revision)
            .epochs(&[LAST_NOW - room, LAST_NOW - room - 1, (1 << 32) - 1, u64::from(u32::MAX) * 1_000, 0])
            .latency(ms(20));
        world.begin_upgrade(UPGRADE_TIMEOUT);
        world.run_until(ms(500_000));
        world.server.assert_upgrade(UpgradeOutcome::Upgraded);
        world.server.assert_open();
        world.client.assert_open();
        world.cut();
        world.run_until(story);
        world.server.assert_ended(DisconnectReason::PingTimeout);
        world.client.assert_ended(DisconnectReason::PingTimeout);
    }
}

#[test]
fn the_longest_periods_fit_at_the_end_of_the_clock() {
    let longest = Heartbeat::new(ms(0x7fff_fffe), ms(1)).expect("2^31 - 1 ms together");
    let patient = Heartbeat::new(ms(1), ms(0x7fff_fffe)).expect("2^31 - 1 ms together");
    for heartbeat in [longest, patient] {
        for revision in REVISIONS {
            let mut world = World::server_alone(heartbeat).revision(revision).epochs(&[LAST_NOW, 0, 1 << 63]);
            world.run_until(ms(0x7fff_fffe));
            world.server.assert_open();
            world.run_until(ms(0x7fff_ffff));
            world.server.assert_ended_at(0x7fff_ffff, DisconnectReason::PingTimeout);
        }
    }
}

#[test]
fn past_its_end_a_clock_ends_sessions_instead_of_wrapping() {
    use eio_core::{Instant, Liveness, ServerSession};
    let last = Instant::from_micros(u64::MAX);
    let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), last);
    assert_eq!(session.poll_timeout(), Some(last));
    session.handle_timeout(last);
    session.handle_timeout(last);
    assert_eq!(session.end().map(|end| end.reason), Some(DisconnectReason::PingTimeout));
}

#[test]
fn a_tick_of_32_bits_that_wraps_is_widened_by_the_adapter() {
    for revision in REVISIONS {
        for tick in [1, 10] {
            let mut world = World::connected(Heartbeat::DEFAULT).revision(revision).latency(ms(25));
            world.client.count_ticks(ms(tick), u32::MAX - 5_000); // wraps after 5 001 ticks
            world.server.count_ticks(ms(tick), u32::MAX);
            world.run_until(ms(300_000));
            world.server.assert_open();
            world.client.assert_open();
            world.cut();
            world.run_until(ms(360_000));
            world.server.assert_ended(DisconnectReason::PingTimeout);
            world.client.assert_ended(DisconnectReason::PingTimeout);
        }
    }
}

#[test]
fn a_coarse_tick_ends_a_session_late_by_at_most_one_tick_and_never_early() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.server.count_ticks(ms(7), 0);
    world.run_until(ms(100_000));
    let ended = world.server.ended_at().expect("silence");
    assert!((45_000..45_000 + 2 * 7).contains(&ended), "{ended}");
    world.server.assert_ended(DisconnectReason::PingTimeout);
}

#[test]
fn microseconds_are_kept() {
    let micros = core::time::Duration::from_micros;
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(micros(25_000_777));
    world.client.say(Packet::PONG);
    world.run_until(micros(25_000_777));
    assert_eq!(world.server.rtt(), Some(micros(777)));
    assert_eq!(world.server.deadline(), Some(50_000_777));
}
