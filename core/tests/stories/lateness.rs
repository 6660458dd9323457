//! A caller that wakes up late must not kill a live peer, and must not spare a dead one for longer than it slept.

use eio_core::packet::{Packet, PacketType};
use eio_core::{DisconnectReason, Heartbeat, Liveness, Revision};
use eio_tests::world::{World, ms};

const MESSAGE: Packet<'_> = Packet::text(PacketType::Message, "news");

#[test]
fn a_pong_that_waits_in_the_socket_counts_although_its_deadline_has_passed() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(10));
    world.run_until(ms(25_001));
    world.server.stall(ms(30_000));
    world.run_until(ms(55_001)); // the deadline was 45 000
    world.server.assert_open();
    assert_eq!(world.server.rtt(), Some(ms(30_001)));
    world.run_until(ms(200_000));
    world.server.assert_open();
    world.client.assert_open();
}

#[test]
fn a_ping_that_waits_in_the_socket_counts_although_the_client_is_past_its_deadline() {
    for revision in [Revision::V4, Revision::V3] {
        let mut world = World::client_alone(Heartbeat::DEFAULT).revision(revision);
        world.run_until(ms(25_000));
        world.client.stall(ms(80_000));
        world.run_until(ms(26_000));
        world.server.say(match revision {
            Revision::V4 => Packet::PING,
            Revision::V3 => Packet::PONG,
        });
        world.run_until(ms(149_999));
        world.client.assert_open();
        world.run_until(ms(150_000)); // an interval and a timeout after it was handled
        world.client.assert_ended_at(150_000, DisconnectReason::PingTimeout);
    }
}

/// There is no queue of pongs (rule 9).
#[test]
fn several_pings_that_were_handled_at_once_share_one_pong() {
    let mut world = World::client_alone(Heartbeat::DEFAULT);
    world.client.stall(ms(30_000));
    for second in [25, 26, 27] {
        world.run_until(ms(second * 1_000));
        world.server.say(Packet::PING);
    }
    world.run_until(ms(31_000));
    world.client.assert_wrote(&[(30_000, "3")]);
}

#[test]
fn a_dead_peer_is_noticed_as_soon_as_the_caller_wakes_up() {
    let mut world = World::server_alone(Heartbeat::DEFAULT);
    world.run_until(ms(25_000));
    world.server.stall(ms(60_000));
    world.run_until(ms(84_999));
    world.server.assert_open();
    world.run_until(ms(85_000));
    world.server.assert_ended_at(85_000, DisconnectReason::PingTimeout);
}

#[test]
fn a_ping_that_was_due_long_ago_gets_its_whole_timeout_from_now() {
    for revision in [Revision::V4, Revision::V3] {
        let mut world = World::connected(Heartbeat::DEFAULT).revision(revision);
        world.cut();
        world.server.stall(ms(44_000));
        world.client.stall(ms(44_000));
        world.run_until(ms(63_999));
        let asks = match revision {
            Revision::V4 => &world.server,
            Revision::V3 => &world.client,
        };
        asks.assert_open();
        asks.assert_wrote(&[(44_000, "2")]);
        world.run_until(ms(64_000));
        let asks = match revision {
            Revision::V4 => &world.server,
            Revision::V3 => &world.client,
        };
        asks.assert_ended_at(64_000, DisconnectReason::PingTimeout);
    }
}

#[test]
fn a_ping_is_due_and_silence_too_but_the_ping_goes_first() {
    // Under any-packet a message sets a deadline for silence while the ping is due before it.
    let mut world = World::server_alone(Heartbeat::DEFAULT).liveness(Liveness::AnyPacket);
    world.run_until(ms(1_000));
    world.client.say(MESSAGE);
    world.run_until(ms(1_000));
    world.server.stall(ms(500_000));
    world.run_until(ms(501_000));
    world.server.assert_open();
    world.server.assert_wrote(&[(501_000, "2")]);
    world.run_until(ms(521_000));
    world.server.assert_ended_at(521_000, DisconnectReason::PingTimeout);
}

#[test]
fn after_a_late_ping_the_next_one_counts_from_it() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(10));
    world.server.stall(ms(40_000));
    world.run_until(ms(65_020));
    world.server.assert_wrote(&[(40_000, "2"), (65_020, "2")]);
    world.client.assert_open();
}

#[test]
fn a_stall_shorter_than_half_a_timeout_kills_neither_end_wherever_it_falls() {
    for revision in [Revision::V4, Revision::V3] {
        for begins in (0..60_000).step_by(1_250) {
            let mut world = World::connected(Heartbeat::DEFAULT).revision(revision).latency(ms(50));
            world.run_until(ms(begins));
            world.server.stall(ms(9_000));
            world.client.stall(ms(9_000));
            world.run_until(ms(200_000));
            world.server.assert_open();
            world.client.assert_open();
        }
    }
}

#[test]
fn packets_that_arrive_together_are_handled_together() {
    let mut world = World::connected(Heartbeat::DEFAULT);
    world.to_client.set_bursts(ms(7_000));
    world.to_server.set_bursts(ms(7_000));
    world.run_until(ms(1_000_000));
    world.server.assert_open();
    world.client.assert_open();
}

#[test]
fn an_outage_that_ends_in_time_costs_nothing() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(10));
    world.run_until(ms(24_000));
    world.to_client.hold();
    world.to_server.hold();
    world.run_until(ms(44_990));
    world.to_client.release();
    world.run_until(ms(44_999));
    world.to_server.release();
    world.run_until(ms(100_000));
    world.server.assert_open();
    world.client.assert_open();
}

#[test]
fn a_pong_behind_a_bulk_transfer_counts_under_the_default_policy_only_once() {
    // 1 MB at 40 kB/s takes 25 s: the message is complete after the timeout, and its parts are no packets.
    let bulk = "x".repeat(1_000_000);
    for (liveness, outcome) in [(Liveness::PongOnly, true), (Liveness::ExtendOnce, true)] {
        let mut world = World::connected(Heartbeat::DEFAULT).liveness(liveness);
        world.to_server.set_bytes_per_second(40_000);
        world.run_until(ms(24_000));
        world.client.send(&bulk).expect("an open session");
        world.run_until(ms(60_000));
        assert_eq!(world.server.ending().is_some(), outcome, "{liveness:?}");
    }
    // Half of it arrives within the timeout, and extends it for the pong that queues behind the other half.
    let half = "x".repeat(500_000);
    for (liveness, dies) in
        [(Liveness::PongOnly, true), (Liveness::ExtendOnce, false), (Liveness::AnyPacket, false)]
    {
        let mut world = World::connected(Heartbeat::DEFAULT).liveness(liveness);
        world.to_server.set_bytes_per_second(40_000);
        world.run_until(ms(24_000));
        world.client.send(&half).expect("an open session");
        world.client.send(&half).expect("an open session");
        world.run_until(ms(49_000 + 45_000));
        assert_eq!(world.server.ending().is_some(), dies, "{liveness:?}");
    }
}

mod application_stall {
    //! An application that does not read is told apart from a silent peer (rule 14).

    use super::*;

    #[test]
    fn an_application_that_does_not_read_is_not_a_silent_peer() {
        let mut world = World::connected(Heartbeat::DEFAULT);
        world.run_until(ms(20_000));
        world.server.pause_reading(ms(45_000));
        world.run_until(ms(60_000)); // the ping of 25 000 would have timed out at 45 000
        world.server.assert_open();
        world.server.resume_reading();
        world.run_until(ms(200_000));
        world.server.assert_open();
        world.client.assert_open();
    }

    #[test]
    fn after_the_stall_timeout_it_is_told_apart_from_a_silent_peer() {
        for revision in [Revision::V4, Revision::V3] {
            for liveness in [Liveness::PongOnly, Liveness::ExtendOnce, Liveness::AnyPacket] {
                let mut world = World::connected(Heartbeat::DEFAULT).revision(revision).liveness(liveness);
                world.run_until(ms(20_000));
                world.server.pause_reading(ms(45_000));
                world.run_until(ms(64_999));
                world.server.assert_open();
                world.run_until(ms(65_000));
                world.server.assert_ended_at(65_000, DisconnectReason::ApplicationStalled);
                // A client of revision 3 has given up already: nobody answered its ping.
                world.client.assert_ended(match revision {
                    Revision::V4 => DisconnectReason::PeerClose,
                    Revision::V3 => DisconnectReason::PingTimeout,
                });
            }
        }
    }

    #[test]
    fn a_client_that_does_not_read_is_judged_alike() {
        let mut world = World::client_alone(Heartbeat::DEFAULT);
        world.run_until(ms(40_000));
        world.client.pause_reading(ms(45_000));
        world.run_until(ms(84_999));
        world.client.assert_open();
        world.run_until(ms(85_000));
        world.client.assert_ended_at(85_000, DisconnectReason::ApplicationStalled);
    }

    #[test]
    fn when_reading_resumes_silence_counts_from_then() {
        let mut world = World::server_alone(Heartbeat::DEFAULT);
        world.run_until(ms(30_000)); // the ping of 25 000 is outstanding
        world.server.pause_reading(ms(45_000));
        world.run_until(ms(70_000));
        world.server.resume_reading();
        world.run_until(ms(89_999));
        world.server.assert_open();
        world.run_until(ms(90_000));
        world.server.assert_ended_at(90_000, DisconnectReason::PingTimeout);

        let mut world = World::client_alone(Heartbeat::DEFAULT);
        world.run_until(ms(30_000));
        world.client.pause_reading(ms(45_000));
        world.run_until(ms(60_000));
        world.client.resume_reading();
        world.run_until(ms(104_999));
        world.client.assert_open();
        world.run_until(ms(105_000));
        world.client.assert_ended_at(105_000, DisconnectReason::PingTimeout);
    }

    #[test]
    fn a_pause_never_brings_the_deadline_forward() {
        // A message during the wait allows an interval and a timeout; so it does after a pause.
        let mut world = World::client_alone(Heartbeat::DEFAULT).eio3();
        world.run_until(ms(26_000));
        world.server.say(MESSAGE);
        world.run_until(ms(27_000));
        world.client.pause_reading(ms(45_000));
        world.run_until(ms(28_000));
        world.client.resume_reading();
        world.run_until(ms(72_999));
        world.client.assert_open();
        world.run_until(ms(73_000));
        world.client.assert_ended_at(73_000, DisconnectReason::PingTimeout);
    }

    #[test]
    fn pings_go_on_while_the_application_does_not_read() {
        let mut world = World::server_alone(Heartbeat::DEFAULT);
        world.run_until(ms(20_000));
        world.server.pause_reading(ms(45_000));
        world.run_until(ms(40_000));
        world.server.assert_wrote(&[(25_000, "2")]);
    }

    #[test]
    fn pausing_twice_counts_from_the_first_time() {
        let mut world = World::server_alone(Heartbeat::DEFAULT);
        world.run_until(ms(1_000));
        world.server.pause_reading(ms(45_000));
        world.run_until(ms(20_000));
        world.server.pause_reading(ms(45_000));
        world.run_until(ms(46_000));
        world.server.assert_ended_at(46_000, DisconnectReason::ApplicationStalled);
    }

    #[test]
    fn closing_ends_the_pause() {
        let mut world = World::server_alone(Heartbeat::DEFAULT);
        world.run_until(ms(30_000));
        world.server.pause_reading(ms(500_000));
        world.run_until(ms(100_000));
        world.server.jam();
        world.server.close();
        world.run_until(ms(119_999));
        world.server.assert_not_ended();
        world.run_until(ms(120_000)); // the outstanding ping's timeout, before the 30 s
        world.server.assert_ended_at(120_000, DisconnectReason::PingTimeout);
    }

    #[test]
    fn messages_may_be_sent_while_the_application_does_not_read() {
        let mut world = World::client_alone(Heartbeat::DEFAULT);
        world.client.pause_reading(ms(60_000));
        world.run_until(ms(50_000));
        assert_eq!(world.client.check_send(), Ok(())); // 45 000 has passed, but silence is not judged
    }
}
