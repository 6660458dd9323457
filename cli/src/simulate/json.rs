//! The result as JSON.

use eio_core::Heartbeat;
use eio_core::detect::Detection;
use serde_json::{Value, json};

use super::timeline::Timeline;
use super::{Options, WEBSOCKET_BYTES, WIRE_BYTES};
use crate::duration::{millis, precise_millis};
use crate::proxies;

impl Options {
    /// Returns the result, with the members that the help lists.
    pub(super) fn report(&self, heartbeat: Heartbeat, timeline: &Timeline) -> Value {
        let [(_, server), (_, client)] = self.detections(heartbeat);
        let messages: Vec<Value> = self
            .largest_messages(heartbeat)
            .into_iter()
            .map(|(link, bytes)| json!({ "bits_per_second": link.bits_per_second(), "largest_bytes": bytes }))
            .collect();
        let per_hour = self.heartbeats_per_hour(heartbeat);
        json!({
            "ping_interval_ms": millis(heartbeat.ping_interval()),
            "ping_timeout_ms": millis(heartbeat.ping_timeout()),
            "rtt_ms": precise_millis(self.rtt),
            "eio": self.eio.number(),
            "liveness": self.liveness().as_str(),
            "warning": proxies::interval_warning(heartbeat),
            "detection": { "server": detection(&server), "client": detection(&client) },
            "messages": messages,
            "cost": {
                "heartbeats_per_hour": rounded(per_hour),
                "websocket_bytes_per_hour": rounded(per_hour * WEBSOCKET_BYTES),
                "wire_bytes_per_hour": rounded(per_hour * WIRE_BYTES),
            },
            "timeline": timeline.json(),
        })
    }
}

fn detection(detection: &Detection) -> Value {
    json!({
        "after_death_min_ms": millis(detection.after_death_min),
        "after_death_max_ms": millis(detection.after_death_max),
        "after_packet_ms": millis(detection.after_packet),
        "after_heartbeat_ms": detection.after_heartbeat.map(millis),
    })
}

/// Rounds to a tenth.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
