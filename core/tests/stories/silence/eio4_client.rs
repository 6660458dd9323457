//! What a client of revision 4 makes of silence: it listens for pings.

use eio_core::packet::Packet;
use eio_core::{DisconnectReason, Heartbeat, Revision};
use eio_tests::world::{World, ms};

use super::{MESSAGE, client};

#[test]
fn without_a_ping_it_gives_up_an_interval_and_a_timeout_after_the_handshake() {
    let mut world = client();
    world.run_until(ms(44_999));
    world.client.assert_open();
    world.run_until(ms(45_000));
    world.client.assert_ended_at(45_000, DisconnectReason::PingTimeout);
    world.client.assert_wrote(&[(45_000, "1")]);
}

#[test]
fn a_ping_is_answered_and_counts_for_an_interval_and_a_timeout() {
    let mut world = client();
    world.run_until(ms(25_000));
    world.server.say_frame("2whatever");
    world.run_until(ms(69_999));
    world.client.assert_open();
    world.client.assert_wrote(&[(25_000, "3")]);
    world.run_until(ms(70_000));
    world.client.assert_ended_at(70_000, DisconnectReason::PingTimeout);
}

#[test]
fn no_other_packet_counts() {
    let mut world = client();
    for second in 1..45 {
        world.run_until(ms(second * 1_000));
        for packet in [MESSAGE, Packet::PONG, Packet::NOOP, Packet::UPGRADE] {
            world.server.say(packet);
        }
    }
    world.run_until(ms(45_000));
    world.client.assert_ended_at(45_000, DisconnectReason::PingTimeout);
    world.client.assert_silent_for(ms(1_000));
}

#[test]
fn it_may_be_stricter_than_the_handshake_and_never_laxer() {
    for (at_most, end) in [(5_000, 30_000), (60_000, 45_000)] {
        let mut world = client().client_timeout_at_most(ms(at_most));
        world.run_until(ms(100_000));
        world.client.assert_ended_at(end, DisconnectReason::PingTimeout);
    }
}

#[test]
fn while_it_closes_a_ping_counts_and_is_not_answered() {
    let mut world = client();
    world.run_until(ms(20_000));
    world.client.jam();
    world.client.close_within(ms(200_000));
    world.run_until(ms(25_000));
    world.server.say(Packet::PING);
    world.run_until(ms(69_999));
    world.client.assert_not_ended();
    world.run_until(ms(70_000));
    world.client.assert_ended_at(70_000, DisconnectReason::PingTimeout);
    world.client.assert_wrote(&[]);
}

#[test]
fn without_a_handshake_it_gives_up_after_the_open_timeout() {
    for revision in [Revision::V4, Revision::V3] {
        let mut world = World::client_opening().revision(revision);
        world.run_until(ms(19_999));
        world.client.assert_not_ended();
        world.run_until(ms(20_000));
        world.client.assert_ended_at(20_000, DisconnectReason::OpenTimeout);
    }
}

#[test]
fn its_first_deadline_counts_from_the_handshake_and_not_from_the_connection() {
    let mut world = World::client_opening();
    world.run_until(ms(19_000));
    world.server.say_frame(&format!("0{}", eio_tests::world::open_data(Heartbeat::DEFAULT)));
    world.run_until(ms(63_999));
    world.client.assert_open();
    world.run_until(ms(64_000));
    world.client.assert_ended_at(64_000, DisconnectReason::PingTimeout);
}
