//! Socket.IO 0.9: a heartbeat of a server on WebSocket, and an event.

use core::hint::black_box;

use eio_core::Instant;
use eio_legacy::packet::{LegacyPacket, PacketBody};
use eio_legacy::timers::{ServerPeriods, ServerTimers};

use crate::Case;
use crate::heartbeats::{INTERVAL, ROUND_TRIP, START, bare, beat};
use crate::messages::repeat;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "legacy-heartbeat",
        about: "Socket.IO 0.9, ServerTimers: the heartbeat is due, its echo `2::` is decoded and handled",
        run: heartbeat,
        bare,
    },
    Case {
        name: "legacy-event",
        about: "Socket.IO 0.9: an event with two arguments, to a packet",
        run: event_decode,
        bare: bare_event,
    },
];

const EVENT: &str = r#"5:::{"name":"reading","args":[21.5,{"unit":"C"}]}"#;

#[inline(never)]
fn heartbeat(times: u64) {
    let mut server = ServerTimers::new(ServerPeriods::DEFAULT, START);
    beat(times, &mut server, ServerTimers::handle_timeout, |server, now: Instant| {
        if let Ok(PacketBody::Heartbeat) = LegacyPacket::decode(black_box("2::")).map(|packet| packet.body())
        {
            server.handle_heartbeat(now);
        }
    });
    assert!(server.poll_timeout() > Some(START.saturating_add(INTERVAL + ROUND_TRIP)));
}

#[inline(never)]
fn bare_event(times: u64) {
    repeat(times, || black_box(EVENT));
}

#[inline(never)]
fn event_decode(times: u64) {
    repeat(times, || LegacyPacket::decode(black_box(EVENT)).is_ok());
}
