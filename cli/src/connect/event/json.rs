//! Events as JSON.

use eio_tokio::{HandshakeInfo, Transport};
use serde_json::{Value, json};

use super::Event;
use crate::duration::{millis, precise_millis};
use crate::log::outcome_words;
use crate::proxies::interval_warning;
use crate::sids::SidLabel;
use crate::style::cut;

impl Event {
    /// Returns the members that this kind of event has, as the help lists them.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Connecting { url, unix, proxy } => json!({ "url": url, "unix": unix, "proxy": proxy }),
            Self::Waiting { since, is_connected, .. } => json!({
                "waited_ms": millis(*since),
                "waiting_for": if *is_connected { "handshake" } else { "connection" },
            }),
            Self::Open { handshake, label, transport, protocol } => {
                open(handshake, *label, *transport, protocol.as_deref())
            }
            Self::Redirected { to } => json!({ "to": to }),
            Self::TryingTransport { transport, error } => json!({
                "transport": transport.as_str(),
                "error": error.as_ref().map(ToString::to_string),
            }),
            Self::Upgrading | Self::Looking => json!({}),
            Self::UpgradeFailed { error, note } => json!({
                "what": "upgrade",
                "error": error.to_string(),
                "diagnosis": note.diagnosis.name,
                "hint": note.text,
            }),
            Self::RequestFailed { error } => json!({ "what": "request", "error": error.to_string() }),
            Self::Upgrade { outcome, protocol, note } => json!({
                "outcome": outcome_words(*outcome),
                "protocol": protocol,
                "diagnosis": note.as_ref().map(|note| note.diagnosis.name),
            }),
            Self::Ping { after, late, left } => json!({
                "from": "server",
                "after_ms": precise_millis(*after),
                "late_ms": precise_millis(*late),
                "left_ms": millis(*left),
            }),
            Self::PingSent | Self::PongSent => json!({ "from": "client" }),
            Self::Pong { rtt } => json!({ "from": "server", "rtt_ms": rtt.map(precise_millis) }),
            Self::Message { preview } => preview.json(),
            Self::NotSent { why } => json!({ "why": why }),
            Self::Joined { namespace, sid } => json!({ "namespace": cut(namespace), "sid": sid }),
            Self::NamespaceRefused { namespace, why } => {
                json!({ "namespace": cut(namespace), "why": why })
            }
            Self::NamespaceDisconnected { namespace } => json!({ "namespace": cut(namespace) }),
            Self::Emitted { name, arguments, ack } => {
                json!({ "name": name, "arguments": arguments.json(), "id": ack })
            }
            Self::Ack { id, arguments } => json!({ "id": id, "arguments": arguments.json() }),
            Self::End(summary) | Self::Diagnosis(summary) => summary.json(),
            Self::Lost { count } => json!({ "count": count }),
        }
    }
}

fn open(handshake: &HandshakeInfo, label: SidLabel, transport: Transport, protocol: Option<&str>) -> Value {
    let upgrades: &[&str] =
        if handshake.upgrades().contains(Transport::WebSocket) { &["websocket"] } else { &[] };
    json!({
        "sid": label.shown(handshake.sid()),
        "sid_hash": label.hash(),
        "transport": transport.as_str(),
        "ping_interval_ms": millis(handshake.heartbeat().ping_interval()),
        "ping_timeout_ms": millis(handshake.heartbeat().ping_timeout()),
        "max_payload": handshake.max_payload(),
        "upgrades": upgrades,
        "protocol": protocol,
        "warning": interval_warning(handshake.heartbeat()),
    })
}
