//! A session is a promise to notice silence. These stories check when it is noticed, to the millisecond.

use eio_core::{DisconnectReason, Heartbeat};
use eio_tests::world::{World, ms};

#[test]
fn when_pongs_stop_the_server_gives_up_45_s_after_the_handshake() {
    let mut world = World::connected(Heartbeat::DEFAULT).latency(ms(0));
    world.client.mute();
    world.run_until(ms(44_999));
    world.server.assert_open();
    world.run_until(ms(45_000));
    world.server.assert_ended(DisconnectReason::PingTimeout);
}

#[test]
fn a_month_of_heartbeats() {
    let mut world = World::connected(Heartbeat::DEFAULT);
    world.run_until(ms(30 * 24 * 3_600_000));
    assert_eq!(world.server.wrote("2"), 30 * 24 * 3_600 / 25);
    assert_eq!(world.client.wrote("3"), 30 * 24 * 3_600 / 25);
}
