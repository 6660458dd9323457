//! Silence between two real ends, and for a long time.

use eio_core::packet::Packet;
use eio_core::session::CheckSendError;
use eio_core::{DisconnectReason, Heartbeat, Instant, Liveness, Revision, ServerSession};
use eio_tests::world::{World, ms};

use super::{MESSAGE, POLICIES, client, server};

#[test]
fn a_day_of_heartbeats_ends_with_both_sides_open() {
    for revision in [Revision::V4, Revision::V3] {
        let mut world = World::connected(Heartbeat::DEFAULT).revision(revision);
        world.run_until(ms(24 * 3_600_000));
        world.server.assert_open();
        world.client.assert_open();
        let (asks, answers) = match revision {
            Revision::V4 => (&world.server, &world.client),
            Revision::V3 => (&world.client, &world.server),
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
    for revision in [Revision::V4, Revision::V3] {
        for liveness in POLICIES {
            for cut_at in [0, 24_999, 25_041, 30_000, 49_000, 51_000] {
                let mut world = World::connected(Heartbeat::DEFAULT).revision(revision).liveness(liveness);
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
fn a_client_that_was_mute_for_less_than_its_timeout_stays() {
    let mut world = World::connected(Heartbeat::DEFAULT);
    world.client.mute();
    world.run_until(ms(44_000)); // its pong is lost
    world.client.unmute();
    world.client.say(MESSAGE); // restarts the timeout, once
    world.run_until(ms(60_000));
    world.client.say(Packet::PONG);
    world.run_until(ms(100_000));
    world.server.assert_open();
    // 60 000: the ping had waited for 35 s, so the next was due at once.
    world.client.assert_heard(&[(25_000, "2"), (60_000, "2"), (85_000, "2")]);
}

#[test]
fn sending_is_refused_from_the_deadline_for_silence_on_and_not_because_a_ping_is_due() {
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
    assert_eq!(world.server.check_send(), Err(CheckSendError::Expired));
    world.server.assert_open(); // only the deadline's call ends it

    let mut world = client();
    world.client.stall(ms(1_000_000));
    world.run_until(ms(44_999));
    assert_eq!(world.client.send("hello"), Ok(()));
    world.run_until(ms(45_000));
    assert_eq!(world.client.send("hello"), Err(CheckSendError::Expired));
    world.client.assert_wrote(&[(44_999, "4hello")]);
}
