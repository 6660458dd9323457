//! What a server of revision 3 makes of silence: it listens for pings.

use eio_core::packet::Packet;
use eio_core::{DisconnectReason, Liveness};
use eio_tests::world::ms;

use super::{MESSAGE, POLICIES, assert_closing_server_ends, eio3_server};

#[test]
fn without_a_ping_it_gives_up_an_interval_and_a_timeout_after_the_handshake() {
    for liveness in POLICIES {
        let mut world = eio3_server(liveness);
        world.run_until(ms(44_999));
        world.server.assert_open();
        world.run_until(ms(45_000));
        world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
        world.server.assert_wrote(&[(45_000, "1")]); // it never pings
    }
}

#[test]
fn a_ping_is_answered_with_a_bare_pong_and_counts() {
    for liveness in POLICIES {
        let mut world = eio3_server(liveness);
        world.run_until(ms(44_999));
        world.client.say_frame("2probe");
        world.run_until(ms(89_998));
        world.server.assert_open();
        world.server.assert_wrote(&[(44_999, "3")]);
        world.run_until(ms(89_999));
        world.server.assert_ended_at(89_999, DisconnectReason::PingTimeout);
    }
}

#[test]
fn other_packets_count_under_any_packet_only() {
    for (liveness, end) in
        [(Liveness::PongOnly, 45_000), (Liveness::ExtendOnce, 45_000), (Liveness::AnyPacket, 85_000)]
    {
        let mut world = eio3_server(liveness);
        world.run_until(ms(40_000));
        world.client.say(MESSAGE);
        world.run_until(ms(100_000));
        world.server.assert_ended_at(end, DisconnectReason::PingTimeout);
    }
}

#[test]
fn a_pong_from_a_client_is_the_wrong_direction() {
    for liveness in POLICIES {
        let mut world = eio3_server(liveness);
        world.client.say(Packet::PONG);
        world.run_until(ms(0));
        world.server.assert_ended(DisconnectReason::WrongDirection);
    }
}

#[test]
fn while_it_closes_every_packet_counts() {
    for liveness in POLICIES {
        for packet in [Packet::PING, MESSAGE] {
            assert_closing_server_ends(eio3_server(liveness), 10_000, (40_000, packet), 85_000);
        }
    }
}
