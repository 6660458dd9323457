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
use eio_core::{Heartbeat, Liveness};
use eio_tests::world::World;

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
