//! What a client of revision 3 makes of silence: it asks.

use eio_core::DisconnectReason;
use eio_core::packet::Packet;
use eio_tests::world::{Happened, World, ms};

use super::{MESSAGE, client};

fn eio3_client() -> World {
    client().eio3()
}

#[test]
fn it_pings_one_interval_after_the_handshake_and_gives_up_one_timeout_later() {
    let mut world = eio3_client();
    world.run_until(ms(44_999));
    world.client.assert_open();
    world.client.assert_wrote(&[(25_000, "2")]);
    world.run_until(ms(45_000));
    world.client.assert_ended_at(45_000, DisconnectReason::PingTimeout);
}

#[test]
fn a_pong_brings_the_next_ping_one_interval_later() {
    let mut world = eio3_client();
    world.run_until(ms(26_000));
    world.server.say(Packet::PONG);
    world.run_until(ms(71_000));
    world.client.assert_happened(&[Happened::Heartbeat { rtt: Some(ms(1_000)) }]);
    world.client.assert_wrote(&[(25_000, "2"), (51_000, "2"), (71_000, "1")]);
    world.client.assert_ended_at(71_000, DisconnectReason::PingTimeout);
}

#[test]
fn any_packet_while_a_ping_is_outstanding_allows_an_interval_and_a_timeout() {
    let mut world = eio3_client();
    world.run_until(ms(44_000));
    world.server.say(MESSAGE);
    world.run_until(ms(88_999));
    world.client.assert_open();
    world.run_until(ms(89_000));
    world.client.assert_ended_at(89_000, DisconnectReason::PingTimeout);
    assert_eq!(world.client.wrote("2"), 1); // without its pong none follows
}

#[test]
fn an_unawaited_pong_does_not_postpone_the_ping() {
    let mut world = eio3_client();
    for second in 1..25 {
        world.run_until(ms(second * 1_000));
        world.server.say(Packet::PONG);
    }
    world.run_until(ms(45_000));
    world.client.assert_wrote(&[(25_000, "2"), (45_000, "1")]);
    assert_eq!(world.client.rtt(), None);
}

#[test]
fn a_ping_of_the_server_is_ignored_and_counts_as_a_packet() {
    let mut world = eio3_client();
    world.run_until(ms(30_000));
    world.server.say(Packet::PING);
    world.run_until(ms(75_000));
    world.client.assert_wrote(&[(25_000, "2"), (75_000, "1")]);
}

#[test]
fn while_it_closes_any_packet_counts_and_no_ping_is_written() {
    let mut world = eio3_client();
    world.run_until(ms(20_000));
    world.client.jam();
    world.client.close_within(ms(200_000));
    world.run_until(ms(40_000));
    world.server.say(MESSAGE);
    world.run_until(ms(84_999));
    world.client.assert_not_ended();
    world.run_until(ms(85_000));
    world.client.assert_ended_at(85_000, DisconnectReason::PingTimeout);
    world.client.assert_wrote(&[]);
}

#[test]
fn while_it_closes_a_due_ping_counts_as_sent() {
    let mut world = eio3_client();
    world.run_until(ms(20_000));
    world.client.jam();
    world.client.close_within(ms(200_000));
    world.run_until(ms(45_000));
    world.client.assert_ended_at(45_000, DisconnectReason::PingTimeout);
}
