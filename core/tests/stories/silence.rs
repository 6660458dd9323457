//! A session is a promise to notice silence. These stories check when it is noticed, to the millisecond: each row of
//! the tables of the heartbeat rules, in both revisions, for both roles and the three liveness policies.
//!
//! The heartbeat is the default: I is 25 s, T is 20 s.

use eio_core::packet::{Packet, PacketType};
use eio_core::{DisconnectReason, Heartbeat, Liveness};
use eio_tests::world::{Generation, Happened, World, ms};

const POLICIES: [Liveness; 3] = [Liveness::PongOnly, Liveness::ExtendOnce, Liveness::AnyPacket];
const MESSAGE: Packet<'_> = Packet::text(PacketType::Message, "news");

fn server(liveness: Liveness) -> World {
    World::server_alone(Heartbeat::DEFAULT).liveness(liveness)
}

fn eio3_server(liveness: Liveness) -> World {
    server(liveness).eio3()
}

fn client() -> World {
    World::client_alone(Heartbeat::DEFAULT)
}

mod eio4_server {
    use super::*;

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
    fn a_closing_server_no_longer_listens_and_counts_a_due_ping_as_sent() {
        for liveness in POLICIES {
            let mut world = server(liveness);
            world.run_until(ms(20_000));
            world.server.jam();
            world.server.close_within(ms(100_000));
            world.run_until(ms(30_000));
            world.client.say(Packet::PONG);
            world.client.say(MESSAGE);
            world.run_until(ms(44_999));
            world.server.assert_not_ended();
            world.run_until(ms(45_000));
            world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
            assert!(world.server.messages().is_empty());
            world.server.assert_wrote(&[]); // its writes hang
        }
    }

    #[test]
    fn a_closing_server_keeps_the_deadline_of_an_outstanding_ping() {
        for liveness in POLICIES {
            let mut world = server(liveness);
            world.run_until(ms(26_000));
            world.server.jam();
            world.server.close_within(ms(100_000));
            world.run_until(ms(27_000));
            world.client.say(Packet::PONG);
            world.run_until(ms(45_000));
            world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
        }
    }
}

mod eio4_client {
    use super::*;

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
        for generation in [Generation::Eio4, Generation::Eio3] {
            let mut world = World::client_opening().generation(generation);
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
}

mod eio3_server {
    use super::*;

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
    fn while_it_closes_nothing_counts() {
        for liveness in POLICIES {
            let mut world = eio3_server(liveness);
            world.run_until(ms(10_000));
            world.server.jam();
            world.server.close_within(ms(100_000));
            world.run_until(ms(40_000));
            world.client.say(Packet::PING);
            world.client.say(MESSAGE);
            world.run_until(ms(45_000));
            world.server.assert_ended_at(45_000, DisconnectReason::PingTimeout);
        }
    }
}

mod eio3_client {
    use super::*;

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
}

mod both {
    use super::*;
    use eio_core::{Instant, ServerSession};

    #[test]
    fn a_day_of_heartbeats_ends_with_both_sides_open() {
        for generation in [Generation::Eio4, Generation::Eio3] {
            let mut world = World::connected(Heartbeat::DEFAULT).generation(generation);
            world.run_until(ms(24 * 3_600_000));
            world.server.assert_open();
            world.client.assert_open();
            let (asks, answers) = match generation {
                Generation::Eio4 => (&world.server, &world.client),
                Generation::Eio3 => (&world.client, &world.server),
            };
            assert_eq!(asks.wrote("2"), 24 * 3_600 / 25);
            assert_eq!(answers.wrote("3"), 24 * 3_600 / 25);
        }
    }

    #[test]
    fn a_month_of_heartbeats_is_a_matter_of_arithmetic() {
        let at = |millis: u64| Instant::from_micros(millis * 1_000);
        let mut server = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), at(0));
        let mut pings = 0;
        while let Some(deadline) = server.poll_timeout().filter(|due| *due <= at(30 * 24 * 3_600_000)) {
            server.handle_timeout(deadline);
            while server.poll_transmit().is_some() {
                pings += 1;
                server.handle_packet(deadline, Ok(Packet::PONG));
            }
        }
        assert_eq!(pings, 30 * 24 * 3_600 / 25);
        assert!(server.is_open());
    }

    #[test]
    fn a_cut_cable_is_noticed_by_both_within_an_interval_and_a_timeout() {
        for generation in [Generation::Eio4, Generation::Eio3] {
            for liveness in POLICIES {
                for cut_at in [0, 24_999, 25_041, 30_000, 49_000, 51_000] {
                    let mut world =
                        World::connected(Heartbeat::DEFAULT).generation(generation).liveness(liveness);
                    world = world.latency(ms(40));
                    world.run_until(ms(cut_at));
                    world.cut();
                    // What is under way still arrives.
                    world.run_until(ms(cut_at + 40 + 45_000));
                    world.server.assert_ended(DisconnectReason::PingTimeout);
                    world.client.assert_ended(DisconnectReason::PingTimeout);
                }
            }
        }
    }

    #[test]
    fn sending_is_refused_from_the_deadline_for_silence_on_and_not_because_a_ping_is_due() {
        use eio_core::session::SendError;
        let mut world = server(Liveness::ExtendOnce);
        world.server.stall(ms(1_000_000)); // nobody calls the deadline
        world.run_until(ms(30_000)); // a ping has been due for 5 s
        assert_eq!(world.server.check_send(), Ok(()));
        let mut world = server(Liveness::ExtendOnce);
        world.run_until(ms(25_000));
        world.server.stall(ms(1_000_000));
        world.run_until(ms(44_999));
        assert_eq!(world.server.check_send(), Ok(()));
        world.run_until(ms(45_000));
        assert_eq!(world.server.check_send(), Err(SendError::Expired));
        world.server.assert_open(); // only the deadline's call ends it

        let mut world = client();
        world.client.stall(ms(1_000_000));
        world.run_until(ms(44_999));
        assert_eq!(world.client.send("hello"), Ok(()));
        world.run_until(ms(45_000));
        assert_eq!(world.client.send("hello"), Err(SendError::Expired));
        world.client.assert_wrote(&[(44_999, "4hello")]);
    }
}
