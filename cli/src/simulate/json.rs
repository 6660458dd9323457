//! The result as JSON.

use eio_core::detect::Detection;
use serde_json::{Value, json};

use super::answer::Tried;
use super::cost::rounded;
use super::options::Request;
use super::report::sweep::warning;
use super::report::{WEBSOCKET_BYTES, WIRE_BYTES, detections, heartbeats_per_hour, largest_messages};
use super::sweep::Sweep;
use super::timeline::Timeline;
use crate::duration::{millis, precise_millis};
use crate::proxies;

/// Returns the result for one setting, with the members that the help lists.
pub(super) fn setting(request: &Request, outcome: Option<&Tried>, timeline: &Timeline<'_>) -> Value {
    let heartbeat = request.heartbeat;
    let [(_, server), (_, client)] = detections(heartbeat, request.liveness, request.revision);
    let messages: Vec<Value> = largest_messages(request)
        .into_iter()
        .map(|(link, bytes)| json!({ "bits_per_second": link.bits_per_second(), "largest_bytes": bytes }))
        .collect();
    let per_hour = heartbeats_per_hour(request);
    json!({
        "ping_interval_ms": millis(heartbeat.ping_interval()),
        "ping_timeout_ms": millis(heartbeat.ping_timeout()),
        "rtt_ms": precise_millis(request.rtt()),
        "eio": request.revision.number(),
        "liveness": request.liveness.as_str(),
        "warning": proxies::interval_warning(heartbeat),
        "detection": { "server": detection(&server), "client": detection(&client) },
        "messages": messages,
        "cost": {
            "heartbeats_per_hour": rounded(per_hour),
            "websocket_bytes_per_hour": rounded(per_hour * WEBSOCKET_BYTES),
            "wire_bytes_per_hour": rounded(per_hour * WIRE_BYTES),
        },
        "timeline": timeline.json(),
        "scenario": outcome.map(|_| request.scenario.json()),
        "outcome": outcome.map(|tried| tried.members(&request.scenario)),
    })
}

/// Returns the result of a sweep, with the members that the help lists.
pub(super) fn sweep(request: &Request, sweep: &Sweep) -> Value {
    let (settings, answer) = sweep.json();
    json!({
        "eio": request.revision.number(),
        "liveness": request.liveness.as_str(),
        "within_ms": sweep.within.map(precise_millis),
        "warning": warning(sweep),
        "scenario": request.scenario.json(),
        "settings": settings,
        "answer": answer,
    })
}

fn detection(detection: &Detection) -> Value {
    json!({
        "after_death_min_ms": millis(detection.after_death_min),
        "after_death_max_ms": millis(detection.after_death_max),
        "after_packet_ms": millis(detection.after_packet),
        "after_heartbeat_ms": detection.after_heartbeat.map(millis),
    })
}
