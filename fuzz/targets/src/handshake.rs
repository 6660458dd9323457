//! The `open` packet's JSON, beside `serde_json`.

use eio_core::handshake::{Handshake, HandshakeErrorKind, Transport};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::recordings;

/// Reads the bytes as an `open` packet.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let is_object =
        text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
    match Handshake::parse(text) {
        Ok(handshake) => {
            assert!(is_object, "no JSON, but a handshake");
            assert_agrees(&handshake, text);
            let needed = handshake.encode(&mut []).map_or_else(|error| error.needed, |_| 0);
            assert!(needed <= Handshake::MAX_LEN);
            let mut out = vec![0; needed];
            let again = handshake.encode(&mut out).expect("room").to_owned();
            assert_eq!(Handshake::parse(&again), Ok(handshake));
        }
        Err(error) => {
            assert!(error.at <= text.len(), "{error:?}");
            assert!(!error.to_string().is_empty());
            assert!(!is_object || error.kind != HandshakeErrorKind::Json, "{error:?}");
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let opens =
        recordings::frames().into_iter().map(|frame| frame.data.to_wire()).chain(recordings::bodies());
    let mut seeds: Vec<_> = opens
        .filter_map(|open| {
            let from = open.iter().position(|byte| *byte == b'{')?;
            let to = open.iter().rposition(|byte| *byte == b'}')?;
            open.get(from..=to).map(<[u8]>::to_vec)
        })
        .collect();
    seeds.sort();
    seeds.dedup_by_key(|seed| seed.len());
    seeds
}

/// The fields are what `serde_json` finds under their names. It takes an escaped name for the name itself, and refuses
/// numbers that no double holds; ours does neither.
fn assert_agrees(handshake: &Handshake<'_>, text: &str) {
    let Ok(object) = serde_json::from_str::<Map<String, Value>>(text) else { return };
    if text.contains('\\') {
        return;
    }
    assert_eq!(object["sid"].as_str(), Some(handshake.sid.as_str()));
    let millis = |field: &str| object[field].as_f64().expect("a number");
    let heartbeat = handshake.heartbeat;
    assert_near(millis("pingInterval"), heartbeat.ping_interval().as_millis());
    assert_near(millis("pingTimeout"), heartbeat.ping_timeout().as_millis());
    let upgrades = object.get("upgrades").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for transport in Transport::ALL {
        let is_named = upgrades.iter().any(|name| name.as_str() == Some(transport.as_str()));
        assert!(is_named || !handshake.upgrades.contains(transport));
    }
}

/// A number that a double may have rounded.
fn assert_near(theirs: f64, ours: u128) {
    let ours = f64::from(u32::try_from(ours).expect("at most 2^31"));
    assert!((theirs - ours).abs() < 1e-3, "{theirs} is not {ours}");
}
