//! What a server of revision 4 makes of silence: it asks.

use eio_core::packet::Packet;
use eio_core::{DisconnectReason, Heartbeat, Liveness};
use eio_tests::world::{Happened, World, ms};

use super::{MESSAGE, POLICIES, assert_closing_server_ends, eio3_server, server};

#[test]
fn when_pongs_stop_the_server_gives_up_45_s_after_the_handshake() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(0));
    world.client.mute();
    world.run_until(ms(44_999));
    world.server.assert_open();
    world.run_until(ms(45_000));
    world.server.assert_ended(DisconnectReason::PingTimeout);
    world.server.assert_silent_for(ms(45_000));
}

#[test]
fn the_first_ping_is_due_one_interval_after_the_handshake() {
    for liveness in POLICIES {
        let mut world = server(liveness);
        world.run_until(ms(24_999));
        world.server.assert_wrote(&[]);
        world.run_until(ms(25_000));
        world.server.assert_wrote(&[(25_000, "2")]);
    }
}

#[test]
fn the_first_ping_may_be_brought_forward_and_not_put_off() {
    for (delay, first) in [(0, 0), (7_000, 7_000), (25_000, 25_000), (60_000, 25_000)] {
        let mut world = server(Liveness::default()).first_ping_after(ms(delay));
        world.run_until(ms(first));
        world.client.say(Packet::PONG);
        world.run_until(ms(first + 45_000));
        let (next, end) = (first + 25_000, first + 45_000);
        world.server.assert_wrote(&[(first, "2"), (next, "2"), (end, "1")]);
    }
    let mut world = eio3_server(Liveness::default()).first_ping_after(ms(7_000));
    world.run_until(ms(45_000));
    world.server.assert_wrote(&[(45_000, "1")]);
}

#[test]
fn a_ping_allows_a_silence_of_one_timeout() {
    for liveness in POLICIES {
        let mut world = server(liveness);
        world.run_until(ms(44_999));
        world.server.assert_open();
        world.run_until(ms(45_000));
        world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
        world.server.assert_wrote(&[(25_000, "2"), (45_000, "1")]);
    }
}

#[test]
fn an_answered_ping_is_followed_by_the_next_one_interval_after_the_pong() {
    for liveness in POLICIES {
        let mut world = server(liveness);
        world.run_until(ms(25_080));
        world.client.say(Packet::PONG);
        world.run_until(ms(50_079));
        assert_eq!(world.server.rtt(), Some(ms(80)));
        world.server.assert_wrote(&[(25_000, "2")]);
        world.run_until(ms(50_080));
        world.server.assert_wrote(&[(25_000, "2"), (50_080, "2")]);
    }
}

#[test]
fn a_pong_answers_whatever_its_payload() {
    let mut world = server(Liveness::PongOnly);
    world.run_until(ms(25_080));
    world.client.say_frame("3some words");
    world.run_until(ms(25_080));
    world.server.assert_happened(&[Happened::Heartbeat { rtt: Some(ms(80)) }]);
}

#[test]
fn after_a_late_pong_the_next_ping_is_due_an_interval_and_half_a_timeout_after_the_last() {
    for liveness in POLICIES {
        let mut world = server(liveness);
        world.run_until(ms(44_000)); // 19 s after the ping
        world.client.say(Packet::PONG);
        world.run_until(ms(59_999));
        world.server.assert_wrote(&[(25_000, "2")]);
        world.run_until(ms(60_000)); // not at 69 000
        world.server.assert_wrote(&[(25_000, "2"), (60_000, "2")]);
        world.run_until(ms(80_000));
        world.server.assert_ended_at(80_000, DisconnectReason::PingTimeout);
    }
}

#[test]
fn a_ping_that_a_very_late_pong_makes_due_in_the_past_is_due_at_once() {
    let short = Heartbeat::new(ms(300), ms(1_000)).expect("a heartbeat");
    let mut world = World::server_alone(short);
    world.run_until(ms(1_200)); // pinged at 300; the next was due at 1 100 at the latest
    world.client.say(Packet::PONG);
    world.run_until(ms(1_200));
    world.server.assert_open();
    world.server.assert_wrote(&[(300, "2"), (1_200, "2")]);
}

#[test]
fn a_pong_that_no_ping_awaits_moves_no_timer_and_gives_no_round_trip() {
    for liveness in [Liveness::PongOnly, Liveness::ExtendOnce] {
        let mut world = server(liveness);
        world.run_until(ms(24_000));
        world.client.say(Packet::PONG);
        world.run_until(ms(45_000));
        world.server.assert_happened(&[]);
        world.server.assert_wrote(&[(25_000, "2"), (45_000, "1")]);
        world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
        world.server.assert_silent_for(ms(21_000)); // yet it was a sign of life
        assert_eq!(world.server.rtt(), None);
    }
}

#[test]
fn under_any_packet_a_pong_that_no_ping_awaits_is_an_ordinary_packet() {
    let mut world = server(Liveness::AnyPacket);
    world.run_until(ms(10_000));
    world.client.say(Packet::PONG);
    world.run_until(ms(45_000)); // its 45 s give way to those of the ping
    world.server.assert_wrote(&[(25_000, "2"), (45_000, "1")]);
    assert_eq!(world.server.rtt(), None);
}

#[test]
fn under_pong_only_a_message_does_not_keep_a_client_without_pongs() {
    let mut world = server(Liveness::PongOnly);
    for second in 1..45 {
        world.run_until(ms(second * 1_000));
        world.client.say(MESSAGE);
    }
    world.run_until(ms(45_000));
    world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
    world.server.assert_silent_for(ms(1_000));
}

#[test]
fn under_extend_once_the_first_packet_after_a_ping_restarts_the_timeout() {
    let mut world = server(Liveness::ExtendOnce);
    world.run_until(ms(44_999));
    world.client.say(MESSAGE);
    world.run_until(ms(64_998));
    world.server.assert_open();
    world.run_until(ms(64_999)); // I + 2T at most
    world.server.assert_ended_at(64_999, DisconnectReason::PingTimeout);
    world.server.assert_silent_for(ms(20_000));
}

#[test]
fn under_extend_once_the_second_packet_after_a_ping_restarts_nothing() {
    let mut world = server(Liveness::ExtendOnce);
    world.run_until(ms(30_000));
    world.client.say(MESSAGE);
    world.run_until(ms(45_000));
    world.client.say(MESSAGE);
    world.run_until(ms(50_000));
    world.server.assert_ended_at(50_000, DisconnectReason::PingTimeout);
}

#[test]
fn under_extend_once_each_ping_can_be_extended() {
    let mut world = server(Liveness::ExtendOnce);
    world.run_until(ms(40_000));
    world.client.say(MESSAGE);
    world.run_until(ms(55_000));
    world.client.say(Packet::PONG); // 30 s after the ping
    world.run_until(ms(60_000)); // the next ping
    world.run_until(ms(79_000));
    world.client.say(MESSAGE);
    world.run_until(ms(98_999));
    world.server.assert_open();
    world.run_until(ms(99_000));
    world.server.assert_ended_at(99_000, DisconnectReason::PingTimeout);
}

#[test]
fn under_extend_once_a_packet_before_the_ping_extends_nothing() {
    let mut world = server(Liveness::ExtendOnce);
    world.run_until(ms(24_999));
    world.client.say(MESSAGE);
    world.run_until(ms(45_000));
    world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
}

#[test]
fn under_any_packet_messages_alone_keep_a_client() {
    let mut world = server(Liveness::AnyPacket);
    for second in 1..200 {
        world.run_until(ms(second * 1_000));
        world.client.say(MESSAGE);
    }
    world.run_until(ms(199_000 + 44_999));
    world.server.assert_open();
    world.run_until(ms(199_000 + 45_000)); // I + T after the last
    world.server.assert_ended_at(244_000, DisconnectReason::PingTimeout);
    assert_eq!(world.server.wrote("2"), 1); // the ping still awaits its pong
}

#[test]
fn under_any_packet_a_part_of_a_packet_is_a_packet() {
    for (liveness, end) in
        [(Liveness::PongOnly, 45_000), (Liveness::ExtendOnce, 45_000), (Liveness::AnyPacket, 85_000)]
    {
        let mut world = server(liveness);
        world.run_until(ms(40_000));
        world.server.handle_activity();
        world.run_until(ms(100_000));
        world.server.assert_ended_at(end, DisconnectReason::PingTimeout);
        world.server.assert_silent_for(ms(end - 40_000)); // a sign of life under each
    }
}

#[test]
fn a_ping_from_a_client_is_the_wrong_direction() {
    for liveness in POLICIES {
        let mut world = server(liveness);
        world.run_until(ms(1_000));
        world.client.say(Packet::PING);
        world.run_until(ms(1_000));
        world.server.assert_ended(DisconnectReason::WrongDirection);
        world.server.assert_wrote(&[(1_000, "1")]);
    }
}

#[test]
fn a_closing_server_takes_no_messages_and_counts_a_due_ping_as_sent() {
    for liveness in POLICIES {
        let mut world = server(liveness);
        world.run_until(ms(20_000));
        world.server.jam();
        world.server.close_within(ms(100_000));
        world.run_until(ms(44_999));
        world.server.assert_not_ended();
        world.run_until(ms(45_000));
        world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
        world.server.assert_wrote(&[]); // its writes hang
    }
}

#[test]
fn each_packet_keeps_a_closing_server_from_giving_up_its_client() {
    for liveness in POLICIES {
        for packet in [Packet::PONG, MESSAGE] {
            // A ping awaits its pong.
            assert_closing_server_ends(server(liveness), 26_000, (27_000, packet), 72_000);
        }
    }
}
