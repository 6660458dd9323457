//! A session is a promise to notice silence. These stories check when it is noticed, to the millisecond: each row of
//! the tables of the heartbeat rules, in both revisions, for both roles and the three liveness policies (rule 13).
//!
//! The heartbeat is the default: I is 25 s, T is 20 s.

mod both;
mod eio3_client;
mod eio3_server;
mod eio4_client;
mod eio4_server;

use eio_core::packet::{Packet, PacketType};
use eio_core::{DisconnectReason, Heartbeat, Liveness};
use eio_tests::world::{World, ms};

const POLICIES: [Liveness; 3] = [Liveness::PongOnly, Liveness::ExtendOnce, Liveness::AnyPacket];
const MESSAGE: Packet<'_> = Packet::text(PacketType::Message, "news");

fn server(liveness: Liveness) -> World {
    World::server_alone(Heartbeat::DEFAULT).liveness(liveness)
}

fn eio3_server(liveness: Liveness) -> World {
    server(liveness).eio3()
}

/// A server that closes and is told something gives its client up then, and not before.
fn assert_closing_server_ends(mut world: World, closes: u64, (said, packet): (u64, Packet<'_>), end: u64) {
    world.run_until(ms(closes));
    world.server.jam();
    world.server.close_within(ms(100_000));
    world.run_until(ms(said));
    world.client.say(packet);
    world.run_until(ms(end - 1));
    world.server.assert_not_ended();
    assert!(world.server.messages().is_empty());
    world.run_until(ms(end));
    world.server.assert_ended_at(end, DisconnectReason::PingTimeout);
}

fn client() -> World {
    World::client_alone(Heartbeat::DEFAULT)
}
