//! Namespaces of Socket.IO 0.9: a library reports that one was left by the word by which it reports a session's end.
//!
//! The end of a session is told to each of its namespaces. A namespace alone is left by a disconnect packet that names
//! it, from either side; the session goes on, and so do its heartbeats.

use core::ops::Range;

use eio_legacy::packet::{LegacyPacket, PacketBody};
use eio_legacy::payload;

use super::{Fact, Reader, Side};
use crate::replay::plan::JITTER;
use crate::replay::transcript::{Body, Event, Kind, Micros};

/// A namespace was left.
struct Leave {
    at: Micros,
    endpoint: String,
}

/// The report that the session ended: the first that no namespace's leaving explains.
pub(super) fn end_of_session<'r>(
    reader: &Reader<'r>,
    side: &Side,
    window: Range<Micros>,
) -> Option<&'r Event> {
    let says = |event: &&Event| matches!(&event.kind, Kind::Api { event, .. } if event == "disconnect");
    let events = reader.transcript.events.iter();
    let reports = events.filter(says).filter(|event| event.who == reader.me() && window.contains(&event.at));
    let mut leaves = leaves(reader);
    let mut of_namespaces = Vec::new();
    for report in reports {
        if goes_on(side, report.at) || take_leave(&mut leaves, report) {
            of_namespaces.push(report);
        } else {
            return Some(report);
        }
    }
    // A session may end just when one of its namespaces is left, and be reported once.
    let has_end = |at: Micros| {
        let mut ends = side.inputs.iter().filter(|(_, fact)| *fact == Fact::End);
        ends.any(|(end, _)| end.abs_diff(at) <= JITTER)
    };
    of_namespaces.into_iter().rev().find(|report| has_end(report.at))
}

/// The library sent heartbeats, echoes or noops later.
fn goes_on(side: &Side, at: Micros) -> bool {
    side.recorded.emissions.iter().any(|emission| emission.at > at + JITTER)
}

/// Takes the leave that explains a report, if there is one: each explains one.
fn take_leave(leaves: &mut Vec<Leave>, report: &Event) -> bool {
    let Kind::Api { args, .. } = &report.kind else { return false };
    // Who leaves gives no reason, or is given one of these two; every other word is of a connection.
    if args["reason"].as_str().is_some_and(|word| !matches!(word, "packet" | "booted")) {
        return false;
    }
    let named = args["nsp"].as_str();
    let explains = |leave: &Leave| {
        leave.at.abs_diff(report.at) <= JITTER && named.is_none_or(|named| named == leave.endpoint)
    };
    let found = leaves.iter().position(explains);
    found.map(|index| leaves.remove(index)).is_some()
}

/// Every disconnect packet of the session that names a namespace, in both directions.
fn leaves(reader: &Reader<'_>) -> Vec<Leave> {
    let mut leaves = Vec::new();
    let mut conns = Vec::new();
    let mut requests = Vec::new();
    for event in &reader.transcript.events {
        let mut hear = |packet: &str| {
            if let Ok(packet) = LegacyPacket::decode(packet)
                && matches!(packet.body(), PacketBody::Disconnect)
                && !packet.endpoint().is_empty()
            {
                leaves.push(Leave { at: event.at, endpoint: packet.endpoint().to_owned() });
            }
        };
        match &event.kind {
            Kind::Connect { conn, url } if reader.owns(url) => conns.push(*conn),
            Kind::Frame { conn, data: Body::Text(text), .. } if conns.contains(conn) => hear(text),
            Kind::Request { id, url, body, .. } if reader.owns(url) => {
                requests.push(*id);
                if let Body::Text(text) = body {
                    payload::decode(text, 1_024).flatten().for_each(hear);
                }
            }
            Kind::Response { id, body: Body::Text(text), .. } if requests.contains(id) => {
                payload::decode(text, 1_024).flatten().for_each(hear);
            }
            _ => {}
        }
    }
    leaves
}
