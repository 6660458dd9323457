//! Peers that send what they should not. Each is a reason of its own (rule 8), and none is a panic, a hang or a second end.
//! Callers that call what they like, in any order (rule 1).

use eio_core::packet::{DecodeErrorKind, Packet, PacketType};
use eio_core::session::{CheckSendError, Violation};
use eio_core::{DisconnectReason, Heartbeat, Revision};
use eio_tests::world::{Random, World, ms, open_data};

const REVISIONS: [Revision; 2] = [Revision::V4, Revision::V3];

const UNDECODABLE: [DecodeErrorKind; 6] = [
    DecodeErrorKind::Empty,
    DecodeErrorKind::UnknownType(b'9'),
    DecodeErrorKind::InvalidUtf8,
    DecodeErrorKind::InvalidBase64,
    DecodeErrorKind::InvalidLength,
    DecodeErrorKind::TooManyPackets,
];

#[test]
fn an_undecodable_packet_ends_a_server_with_a_parse_error() {
    for revision in REVISIONS {
        for kind in UNDECODABLE {
            let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision);
            world.run_until(ms(1_000));
            world.client.say_garbage(kind);
            world.run_until(ms(1_000));
            world.server.assert_ended_at(1_000, DisconnectReason::ParseError(kind));
            world.server.assert_wrote(&[(1_000, "1")]);
            world.server.assert_silent_for(ms(0)); // garbage is a sign of life
        }
    }
}

#[test]
fn an_undecodable_packet_ends_a_client_with_a_server_error() {
    for revision in REVISIONS {
        for kind in UNDECODABLE {
            let mut world = World::client_alone(Heartbeat::DEFAULT).revision(revision);
            world.server.say_garbage(kind);
            world.run_until(ms(0));
            world.client.assert_ended(DisconnectReason::ServerError(kind));
            world.client.assert_wrote(&[(0, "1")]);

            let mut world = World::client_opening().revision(revision);
            world.server.say_garbage(kind);
            world.run_until(ms(0));
            world.client.assert_ended(DisconnectReason::ServerError(kind));
        }
    }
}

#[test]
fn frames_that_are_not_packets_are_found_by_the_decoder() {
    for (frame, kind) in [
        ("", DecodeErrorKind::Empty),
        ("9", DecodeErrorKind::UnknownType(b'9')),
        ("hello", DecodeErrorKind::UnknownType(b'h')),
    ] {
        let mut world = World::server_alone(Heartbeat::DEFAULT);
        world.client.say_frame(frame);
        world.run_until(ms(0));
        world.server.assert_ended(DisconnectReason::ParseError(kind));
    }
}

#[test]
fn the_heartbeat_packet_of_the_other_role_ends_a_server() {
    for (revision, wrong, right) in
        [(Revision::V4, Packet::PING, Packet::PONG), (Revision::V3, Packet::PONG, Packet::PING)]
    {
        let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision);
        world.client.say(right);
        world.run_until(ms(0));
        world.server.assert_open();
        world.client.say(wrong);
        world.run_until(ms(0));
        world.server.assert_ended(DisconnectReason::WrongDirection);
        assert_eq!(DisconnectReason::WrongDirection.as_str(), "transport error");
    }
}

#[test]
fn the_heartbeat_packet_of_the_other_role_does_not_end_a_client() {
    for (revision, wrong) in [(Revision::V4, Packet::PONG), (Revision::V3, Packet::PING)] {
        let mut world = World::client_alone(Heartbeat::DEFAULT).revision(revision);
        world.server.say(wrong);
        world.run_until(ms(1_000));
        world.client.assert_open();
        world.client.assert_wrote(&[]);
    }
}

#[test]
fn a_probe_on_the_sessions_own_websocket_is_a_ping() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.client.say_frame("2probe");
    world.run_until(ms(0));
    world.server.assert_ended(DisconnectReason::WrongDirection);
}

#[test]
fn a_server_ignores_open_upgrade_and_noop_packets() {
    for revision in REVISIONS {
        let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision);
        for packet in [Packet::text(PacketType::Open, "{}"), Packet::UPGRADE, Packet::NOOP] {
            world.client.say(packet);
        }
        world.run_until(ms(1_000));
        world.server.assert_open();
        world.server.assert_wrote(&[]);
        world.server.assert_happened(&[]);
    }
}

#[test]
fn a_client_expects_the_open_packet_first() {
    for revision in REVISIONS {
        for packet in [
            Packet::PING,
            Packet::PONG,
            Packet::text(PacketType::Message, "x"),
            Packet::NOOP,
            Packet::UPGRADE,
        ] {
            let mut world = World::client_opening().revision(revision);
            world.server.say(packet);
            world.run_until(ms(0));
            world.client.assert_ended(DisconnectReason::UnexpectedPacket);
            world.client.assert_wrote(&[(0, "1")]);
            world.client.assert_happened(&[]);
        }
    }
}

#[test]
fn a_client_expects_one_open_packet() {
    for revision in REVISIONS {
        let mut world = World::client_alone(Heartbeat::DEFAULT).revision(revision);
        world.run_until(ms(1_000));
        world.server.say(Packet::text(PacketType::Open, &open_data(Heartbeat::DEFAULT)));
        world.run_until(ms(1_000));
        world.client.assert_ended_at(1_000, DisconnectReason::UnexpectedPacket);
    }
}

#[test]
fn a_handshake_that_cannot_be_used_ends_a_client_at_once() {
    for open in [
        "",
        "{}",
        "no JSON",
        r#"{"sid":"x"}"#,
        r#"{"sid":"x","pingInterval":25000}"#,
        r#"{"sid":"x","pingInterval":"25000","pingTimeout":20000}"#,
        r#"{"sid":"x","pingInterval":0,"pingTimeout":20000}"#,
        r#"{"sid":"x","pingInterval":-1,"pingTimeout":20000}"#,
        r#"{"sid":"x","pingInterval":2147483647,"pingTimeout":1}"#,
        r#"{"sid":"","pingInterval":25000,"pingTimeout":20000}"#,
        r#"{"sid":"x","pingInterval":25000,"pingTimeout":20000"#,
    ] {
        for revision in REVISIONS {
            let mut world = World::client_opening().revision(revision);
            world.run_until(ms(5));
            world.server.say(Packet::text(PacketType::Open, open));
            world.run_until(ms(5));
            let ending = world.client.ending().map(|(reason, _)| reason);
            assert!(matches!(ending, Some(DisconnectReason::BadHandshake(_))), "{open}: {ending:?}");
            world.client.assert_wrote(&[(5, "1")]);
            world.client.assert_happened(&[]);
        }
    }
}

#[test]
fn a_violation_of_the_transport_ends_a_session_with_its_name() {
    for violation in [
        Violation::PayloadTooLarge,
        Violation::OverlappingRequests,
        Violation::ContentType,
        Violation::WebSocket,
    ] {
        for revision in REVISIONS {
            let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision);
            world.server.handle_violation(violation);
            world.server.assert_ended(DisconnectReason::Violation(violation));
            world.server.assert_wrote(&[(0, "1")]);
        }
    }
}

#[test]
fn what_follows_garbage_in_one_batch_is_not_heard() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.client.say_frame("4before");
    world.client.say_frame("x");
    world.client.say_frame("4after");
    world.run_until(ms(0));
    assert_eq!(world.server.messages(), ["before"]);
}

/// Does one of everything that can be done to a server's end.
fn anything(world: &mut World, random: &mut Random) {
    match random.below(23) {
        0 => world.client.say(Packet::PING),
        1 => world.client.say(Packet::PONG),
        2 => world.client.say(Packet::CLOSE),
        3 => world.client.say(Packet::UPGRADE),
        4 => world.client.say(Packet::NOOP),
        5 => world.client.say(Packet::text(PacketType::Open, &open_data(Heartbeat::DEFAULT))),
        6 => world.client.say_frame("4a message"),
        7 => world.client.say_garbage(DecodeErrorKind::Empty),
        8 => world.client.hang_up(),
        9 => world.client.reset(),
        10 => world.server.close(),
        11 => world.server.handle_closed(),
        12 => world.server.handle_activity(),
        13 => world.server.handle_violation(Violation::PayloadTooLarge),
        14 => world.server.pause_reading(ms(60_000)),
        15 => world.server.resume_reading(),
        16 => world.server.jam(),
        17 => world.server.unjam(),
        18 => world.server.handle_timeout(),
        19 => world.server.stall(ms(random.below(30_000))),
        20 => world.client.fail_request(),
        21 => world.client.say_close_frame(Some(4001)),
        _ => world.server.step_clock_back(ms(random.below(10_000))),
    }
}

#[test]
fn after_the_end_any_call_in_any_order_changes_nothing() {
    for revision in REVISIONS {
        for seed in 0..40 {
            let mut random = Random::new(seed);
            let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision);
            world.client.say(Packet::CLOSE);
            world.run_until(ms(1));
            world.server.assert_ended_at(0, DisconnectReason::PeerClose);
            for _ in 0..60 {
                anything(&mut world, &mut random);
                world.run_for(random.up_to(ms(20_000)));
            }
            world.server.assert_ended_at(0, DisconnectReason::PeerClose);
            assert_eq!(world.server.check_send(), Err(CheckSendError::Closed));
            world.server.assert_wrote(&[]);
            world.server.assert_happened(&[]);
        }
    }
}

#[test]
fn any_call_in_any_order_is_legal_before_the_end_too() {
    for revision in REVISIONS {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let mut world = World::server_alone(Heartbeat::DEFAULT).revision(revision);
            for _ in 0..15 {
                anything(&mut world, &mut random);
                world.run_for(random.up_to(ms(20_000)));
            }
        }
    }
}
