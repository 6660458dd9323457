//! Settings of 0.9 in configuration files: what they mean, and what is refused, in which words.
#![cfg(feature = "serde")]

use core::time::Duration;

use eio_legacy::settings::LegacySettings;
use eio_legacy::timers::ServerPeriods;
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::value::{Error, MapDeserializer};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn read(json: &str) -> Result<LegacySettings, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn files_are_read_as_they_were_written() {
    let settings = read(
        r#"{"heartbeats":true,"heartbeat interval":0.3,"heartbeat timeout":0.6,"close timeout":0.8,
            "polling duration":0.5,"destroy buffer size":10E7}"#,
    )
    .unwrap();
    assert_eq!(Ok(settings.periods()), ServerPeriods::new(ms(300), ms(600), ms(800), ms(500)));
    assert_eq!(settings.max_payload(), 100_000_000);
    assert!(settings.has_heartbeats());
    assert!(!read(r#"{"heartbeats":false}"#).unwrap().has_heartbeats());
    assert_eq!(read("{}"), Ok(LegacySettings::DEFAULT));
}

/// `settings_serde.rs` of `eio-core` has the other columns: 1.x and 2.x, and current settings.
#[test]
fn times_in_a_file_are_seconds_and_sizes_are_bytes() {
    let periods = |name| read(&format!(r#"{{"{name}":30}}"#)).unwrap().periods();
    assert_eq!(periods("heartbeat interval").heartbeat_interval(), ms(30_000));
    assert_eq!(periods("heartbeat timeout").heartbeat_timeout(), ms(30_000));
    assert_eq!(periods("close timeout").close_timeout(), ms(30_000));
    assert_eq!(periods("polling duration").polling_duration(), ms(30_000));
    assert_eq!(read(r#"{"destroy buffer size":30}"#).unwrap().max_payload(), 30);
}

#[test]
fn formats_without_unsigned_integers_are_read_too() {
    let map = MapDeserializer::<_, Error>::new([("heartbeat interval", 3_i64)].into_iter());
    let settings = LegacySettings::deserialize(map).unwrap();
    assert_eq!(settings.periods().heartbeat_interval(), ms(3_000));
}

#[test]
fn what_is_wrong_in_a_file_is_said() {
    for (json, sentence) in [
        (
            r#"{"heartbeat interval":0.0005}"#,
            "`heartbeat interval` has too many decimals: expected seconds, from 0.001",
        ),
        (r#"{"heartbeat interval":-1}"#, "`heartbeat interval` is negative: expected seconds"),
        (r#"{"heartbeat interval":-0.5}"#, "`heartbeat interval` is negative: expected seconds"),
        (r#"{"heartbeat interval":0.0}"#, "`heartbeat interval` is too small: expected seconds"),
        (r#"{"heartbeat interval":1e300}"#, "`heartbeat interval` is too large: expected seconds"),
        (r#"{"heartbeat interval":18446744073709551615}"#, "`heartbeat interval` is too large"),
        (r#"{"heartbeat interval":true}"#, "`heartbeat interval` is not a number: expected seconds"),
        (r#"{"heartbeats":1}"#, "`heartbeats` is neither true nor false: expected true or false"),
        (r#"{"heartbeats":"yes"}"#, "invalid type: string \"yes\", expected `heartbeats` as true or false"),
        (
            r#"{"heartbeat interval":"25"}"#,
            "invalid type: string \"25\", expected `heartbeat interval` as seconds, from 0.001 to 2147483.647, with \
             at most three decimals, without quotes",
        ),
        ("3", "invalid type: integer `3`, expected a map of settings of Socket.IO 0.9"),
    ] {
        let error = read(json).unwrap_err();
        assert!(error.starts_with(sentence), "{json}: {error}");
    }
}

proptest! {
    /// JSON passes `0.3` as a float, and 1000 times that float need not be 300.
    #[test]
    fn a_float_means_the_decimal_it_was_read_from(millis in 1_u32..=0x7fff_ffff) {
        let seconds = format!("{}.{:03}", millis / 1_000, millis % 1_000);
        let settings = read(&format!(r#"{{"close timeout":{seconds}}}"#)).unwrap();
        prop_assert_eq!(settings.periods().close_timeout(), ms(millis.into()));
        let finer = format!(r#"{{"close timeout":{seconds}5}}"#);
        let error = read(&finer).unwrap_err();
        prop_assert!(error.starts_with("`close timeout` has too many decimals"), "{}: {}", finer, error);
    }
}
