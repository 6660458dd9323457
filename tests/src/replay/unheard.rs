//! Sessions whose traffic was not recorded, because the peer was another process: only what the library under test
//! said is known. It tells which packets came in and how the session ended, but not what was sent.

use eio_core::packet::PacketType;
use eio_core::{Heartbeat, Liveness, Revision};
use serde_json::Value;

use super::plan::{End, Fact, Input, Plan, Recorded, Role, heartbeat_of};
use super::says::Says;
use super::transcript::{Body, Kind, Micros, Transcript, Who};
use super::versions::{self, Library};

/// The number that stands for the WebSocket of such a session.
const CONN: u64 = 0;

/// A server whose client was another process.
pub(crate) fn server(transcript: &Transcript, says: &Says, library: Library) -> Result<Option<Plan>, String> {
    let Some(begins) = says.connections.first().copied() else { return Ok(None) };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what does not fit is refused"
    )]
    let millis = |option, default| transcript.number(option).map_or(default, |millis| millis as u32);
    let (interval, timeout) = library.periods();
    let heartbeat = Heartbeat::from_millis(millis("pingInterval", interval), millis("pingTimeout", timeout))
        .map_err(|error| format!("the server's periods: {error}"))?;
    let protocol = transcript.events.iter().find_map(|event| match &event.kind {
        Kind::Api { args, .. } => args["protocol"].as_u64(),
        _ => None,
    });
    let revision = versions::revision(Some(library), if protocol == Some(3) { "3" } else { "4" });
    let mut inputs = packets(transcript, Who::Server);
    let end = says.server_ends.first().cloned();
    inputs.extend(end.as_ref().and_then(cause));
    Ok(Some(Plan {
        role: Role::Server,
        revision,
        liveness: library.liveness(),
        heartbeat,
        begins,
        ends: transcript.end(),
        direct: Some(CONN),
        offers_upgrade: false,
        upgrade_timeout: 0,
        inputs,
        blocked: says.blocked.clone(),
        recorded: Recorded { end, deaf: true, ..Recorded::default() },
    }))
}

/// A client whose server was another process.
pub(crate) fn client(transcript: &Transcript, says: &Says) -> Option<Plan> {
    let (begins, handshake) = transcript.events.iter().find_map(|event| match &event.kind {
        Kind::Api { event: name, args } if name == "handshake" => Some((event.at, args.clone())),
        _ => None,
    })?;
    let open = handshake.to_string();
    let revision = if handshake["maxPayload"].is_null() && transcript.generation == "eio3" {
        Revision::V3
    } else {
        Revision::V4
    };
    let data = Body::Text(format!("0{open}"));
    let mut inputs = vec![Input { at: begins, fact: Fact::Frame { conn: CONN, data } }];
    inputs.extend(packets(transcript, Who::Client));
    let end = says.client_ends.first().cloned();
    inputs.extend(end.as_ref().and_then(cause));
    Some(Plan {
        role: Role::Client,
        revision,
        liveness: Liveness::default(),
        heartbeat: heartbeat_of(&open).unwrap_or_default(),
        begins,
        ends: transcript.end(),
        direct: Some(CONN),
        offers_upgrade: false,
        upgrade_timeout: 0,
        inputs,
        blocked: says.blocked.clone(),
        recorded: Recorded { end, deaf: true, opened: true, ..Recorded::default() },
    })
}

/// The packets that a library said had come in. A client says so by the packet's name.
fn packets(transcript: &Transcript, who: Who) -> Vec<Input> {
    let packet = |at: Micros, name: &str, args: &Value| {
        let packet_type = match (name, args["type"].as_str()) {
            ("packet", Some("open")) => PacketType::Open,
            ("packet", Some("close")) => PacketType::Close,
            ("packet", Some("ping")) => PacketType::Ping,
            ("packet", Some("pong")) => PacketType::Pong,
            ("packet", Some("upgrade")) => PacketType::Upgrade,
            ("packet", Some("noop")) => PacketType::Noop,
            ("packet", Some("message")) => PacketType::Message,
            ("ping", _) if who == Who::Client && transcript.generation == "eio4" => PacketType::Ping,
            ("pong", _) if who == Who::Client && transcript.generation == "eio3" => PacketType::Pong,
            ("message", _) if who == Who::Client => PacketType::Message,
            _ => return None,
        };
        Some(Input { at, fact: Fact::Packet(packet_type) })
    };
    let said = transcript.events.iter().filter(|event| event.who == who);
    said.filter_map(|event| match &event.kind {
        Kind::Api { event: name, args } => packet(event.at, name, args),
        _ => None,
    })
    .collect()
}

/// What must have happened for a session to end so.
fn cause(end: &End) -> Option<Input> {
    let fact = match end.reason.as_deref()? {
        "forced close" => Fact::Close { at_once: true },
        "transport close" => Fact::SocketClosed { conn: CONN, failed: false },
        "transport error" => Fact::SocketClosed { conn: CONN, failed: true },
        _ => return None,
    };
    Some(Input { at: end.at, fact })
}
