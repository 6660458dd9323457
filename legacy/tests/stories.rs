//! The timers of Socket.IO 0.9: each row of their tables, to the millisecond.
//!
//! The periods are the defaults: a heartbeat every 25 s, 60 s for its echo, 60 s between polls, 20 s for a poll.

#![expect(clippy::expect_used, reason = "a story that goes wrong may panic")]

use eio_core::Instant;
use eio_legacy::timers::{ClientTimers, PollingServerTimers, ServerPeriods, ServerTimers, TimerEvent};
use eio_tests::world::{Machine, ms};

fn server() -> Machine<ServerTimers> {
    Machine::new(|now| ServerTimers::new(ServerPeriods::DEFAULT, now))
}

fn polling_server() -> Machine<PollingServerTimers> {
    Machine::new(|now| PollingServerTimers::new(ServerPeriods::DEFAULT, now))
}

fn client() -> Machine<ClientTimers> {
    client_with(ServerPeriods::DEFAULT)
}

fn client_with(periods: ServerPeriods) -> Machine<ClientTimers> {
    Machine::new(|now| {
        ClientTimers::new(Some(periods.heartbeat_timeout()), periods.close_timeout(), now)
            .expect("valid timeouts")
    })
}

fn client_without_heartbeats() -> Machine<ClientTimers> {
    Machine::new(|now| {
        ClientTimers::new(None, ServerPeriods::DEFAULT.close_timeout(), now).expect("a valid timeout")
    })
}

fn periods(hi: u64, ht: u64, ct: u64, pd: u64) -> ServerPeriods {
    ServerPeriods::new(ms(hi), ms(ht), ms(ct), ms(pd)).expect("valid periods")
}

#[test]
fn a_server_beats_after_an_interval_and_gives_up_a_heartbeat_timeout_later() {
    let mut server = server();
    server.run_until(ms(24_999));
    server.assert_due(&[]);
    server.run_until(ms(84_999));
    server.assert_due(&[(25_000, TimerEvent::Heartbeat)]);
    server.run_until(ms(85_000));
    server.assert_due(&[(25_000, TimerEvent::Heartbeat), (85_000, TimerEvent::HeartbeatTimeout)]);
    assert_eq!(server.deadline(), None);
}

#[test]
fn an_echo_brings_the_next_heartbeat_one_interval_later() {
    let mut server = server();
    server.run_until(ms(84_999));
    server.call(ServerTimers::handle_heartbeat);
    server.run_until(ms(109_999));
    server.assert_due(&[(25_000, TimerEvent::Heartbeat), (109_999, TimerEvent::Heartbeat)]);
}

#[test]
fn an_early_echo_does_not_postpone_the_heartbeat() {
    let mut server = server();
    for second in 1..25 {
        server.run_until(ms(second * 1_000));
        server.call(ServerTimers::handle_heartbeat);
    }
    server.run_until(ms(25_000));
    server.assert_due(&[(25_000, TimerEvent::Heartbeat)]);
}

#[test]
fn a_server_that_wakes_up_late_gives_the_whole_timeout_from_then() {
    let mut server = server();
    server.sleep_until(ms(500_000));
    server.assert_due(&[(500_000, TimerEvent::Heartbeat)]);
    assert_eq!(server.deadline(), Some(560_000));
}

#[test]
fn an_echo_that_is_handled_before_the_late_expiry_counts() {
    let mut server = server();
    server.run_until(ms(25_000));
    server.sleep_until_call(ms(200_000), ServerTimers::handle_heartbeat); // nobody looked for 175 s
    server.run_until(ms(200_000));
    server.assert_due(&[(25_000, TimerEvent::Heartbeat)]);
    assert_eq!(server.deadline(), Some(225_000));
}

#[test]
fn a_server_that_has_ended_has_nothing_due() {
    let mut server = server();
    server.call(|server, _| server.end());
    server.call(ServerTimers::handle_heartbeat);
    server.run_until(ms(1_000_000));
    server.assert_due(&[]);
    assert_eq!(server.deadline(), None);
}

#[test]
fn a_held_poll_is_answered_after_the_polling_duration_and_the_client_may_stay_away_for_the_close_timeout() {
    let mut server = polling_server();
    server.run_until(ms(1_000));
    server.call(PollingServerTimers::handle_poll);
    server.run_until(ms(80_999));
    server.assert_due(&[(21_000, TimerEvent::Noop)]);
    server.run_until(ms(81_000));
    server.assert_due(&[(21_000, TimerEvent::Noop), (81_000, TimerEvent::CloseTimeout)]);
}

#[test]
fn a_client_that_never_polls_again_is_gone_after_the_close_timeout() {
    let mut server = polling_server();
    server.run_until(ms(59_999));
    server.assert_due(&[]);
    server.run_until(ms(60_000));
    server.assert_due(&[(60_000, TimerEvent::CloseTimeout)]);
}

#[test]
fn an_answered_poll_starts_the_close_timeout() {
    let mut server = polling_server();
    server.call(PollingServerTimers::handle_poll);
    server.run_until(ms(5_000));
    server.call(PollingServerTimers::handle_answered);
    server.run_until(ms(65_000));
    server.assert_due(&[(65_000, TimerEvent::CloseTimeout)]);
}

#[test]
fn a_second_poll_supersedes_the_first() {
    let mut server = polling_server();
    server.call(PollingServerTimers::handle_poll);
    server.run_until(ms(15_000));
    server.call(PollingServerTimers::handle_poll);
    server.run_until(ms(35_000));
    server.assert_due(&[(35_000, TimerEvent::Noop)]);
}

#[test]
fn a_poll_that_was_answered_already_is_not_answered_again() {
    let mut server = polling_server();
    server.run_until(ms(10_000));
    server.call(PollingServerTimers::handle_answered);
    assert_eq!(server.deadline(), Some(60_000));
}

#[test]
fn a_polling_server_that_has_ended_has_nothing_due() {
    let mut server = polling_server();
    server.call(|server, _| server.end());
    server.call(PollingServerTimers::handle_poll);
    server.call(PollingServerTimers::handle_answered);
    server.run_until(ms(1_000_000));
    server.assert_due(&[]);
}

#[test]
fn a_client_gives_up_a_heartbeat_timeout_after_the_handshake() {
    let mut client = client();
    client.run_until(ms(59_999));
    client.assert_due(&[]);
    client.run_until(ms(60_000));
    client.assert_due(&[(60_000, TimerEvent::HeartbeatTimeout)]);
}

#[test]
fn for_a_client_any_packet_counts() {
    let mut client = client_with(periods(25_000, 30_000, 60_000, 20_000));
    for second in [29, 58, 87] {
        client.run_until(ms(second * 1_000));
        client.call(ClientTimers::handle_packet);
    }
    client.run_until(ms(116_999));
    client.assert_due(&[]);
    client.run_until(ms(117_000));
    client.assert_due(&[(117_000, TimerEvent::HeartbeatTimeout)]);
}

#[test]
fn after_its_first_packet_a_client_has_two_deadlines_of_which_the_earlier_ends_it() {
    let mut client = client_with(periods(25_000, 60_000, 40_000, 20_000));
    client.run_until(ms(10_000));
    client.call(ClientTimers::handle_packet);
    client.run_until(ms(50_000));
    client.assert_due(&[(50_000, TimerEvent::CloseTimeout)]);
}

#[test]
fn a_client_without_heartbeats_still_has_the_close_timeout() {
    let mut client = client_without_heartbeats();
    client.run_until(ms(30_000));
    client.call(ClientTimers::handle_packet);
    client.run_until(ms(89_999));
    client.assert_due(&[]);
    client.run_until(ms(90_000));
    client.assert_due(&[(90_000, TimerEvent::CloseTimeout)]);
}

#[test]
fn a_client_that_has_ended_has_nothing_due() {
    let mut client = client();
    client.call(|client, _| client.end());
    client.call(ClientTimers::handle_packet);
    client.run_until(ms(1_000_000));
    client.assert_due(&[]);
}

#[test]
fn time_that_goes_backwards_stands_still() {
    let mut server = server();
    server.run_until(ms(25_000));
    server.call(|server, _| server.handle_heartbeat(Instant::from_micros(0)));
    assert_eq!(server.deadline(), Some(50_000));
}
