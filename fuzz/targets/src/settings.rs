//! Settings under their old names, of Socket.IO 0.9 and of 1.x and 2.x.

use eio_core::settings::{ServerSettings, v1_v2};
use eio_legacy::settings::LegacySettings;
use serde_json::{Map, Value};

/// Lines of a name, a colon and a value.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let pairs: Vec<_> = text.lines().filter_map(|line| line.split_once(':')).collect();
    let v0_9 = LegacySettings::read(pairs.iter().copied()).map_err(|error| error.to_string());
    let v1_v2 = v1_v2::read(pairs.iter().copied()).map_err(|error| error.to_string());
    if let Ok(settings) = &v0_9 {
        assert_valid(&settings.to_engine_io());
        assert_eq!(settings.max_payload(), settings.to_engine_io().max_payload());
    }
    if let Ok(settings) = &v1_v2 {
        assert_valid(settings);
    }
    for error in [v0_9.as_ref().err(), v1_v2.as_ref().err()].into_iter().flatten() {
        assert!(!error.is_empty());
    }
    let Some(file) = file(&pairs) else { return };
    // A file holds doubles, so numbers of many digits are apart.
    assert_eq!(serde_json::from_value::<LegacySettings>(file.clone()).ok(), v0_9.ok(), "{file}");
    assert_eq!(v1_v2::deserialize(file.clone()).ok(), v1_v2.ok(), "{file}");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        "heartbeat interval:25\nheartbeat timeout:60\nclose timeout:60.5\npolling duration:20\nheartbeats:true",
        "heartbeat interval:25000\nheartbeat timeout:20000\ndestroy buffer size:10E7",
        "heartbeats:false\ndestroy buffer size:6\nheartbeat interval:0.001",
        "pingInterval:25000",
        "log level:3\ntransports:1\norigins:2",
        "heartbeat interval:-1e-3\nheartbeat interval:2147483.647\nheartbeat timeout:1e400",
    ]
    .map(|lines| lines.as_bytes().to_vec())
    .into()
}

fn assert_valid(settings: &ServerSettings) {
    let heartbeat = settings.heartbeat();
    assert!(!heartbeat.ping_interval().is_zero() && !heartbeat.ping_timeout().is_zero());
    assert!(settings.max_payload() >= 6);
}

/// The pairs as a configuration file in JSON, if it can say the same: each name once, and short numbers or switches.
fn file(pairs: &[(&str, &str)]) -> Option<Value> {
    let mut file = Map::new();
    for (name, value) in pairs {
        let value = match *value {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            number if number.len() <= 15 && number.trim() == number => {
                serde_json::from_str(number).ok().filter(Value::is_number)?
            }
            _ => return None,
        };
        if file.insert((*name).to_owned(), value).is_some() {
            return None;
        }
    }
    Some(Value::Object(file))
}
