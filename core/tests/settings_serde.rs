//! Settings in configuration files: which names are read, which refused, and in which words.
#![cfg(feature = "serde")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use core::time::Duration;

use eio_core::settings::{ServerSettings, v1_v2};
use eio_core::{Heartbeat, Liveness};
use proptest::prelude::*;
use serde::de::value::{Error, MapDeserializer};
use serde::{Deserialize, Serialize};

fn read(json: &str) -> Result<ServerSettings, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn read_old(json: &str) -> Result<ServerSettings, String> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let settings = v1_v2::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(settings)
}

#[test]
fn a_liveness_policy_has_one_name_in_files_and_in_text() {
    for policy in Liveness::ALL {
        let name = policy.to_string();
        assert_eq!(serde_json::to_string(&policy).unwrap(), format!("\"{name}\""));
        assert_eq!(name.parse(), Ok(policy));
    }
    for unknown in ["", "PongOnly", "pong_only", "any-packet "] {
        assert!(unknown.parse::<Liveness>().is_err(), "{unknown:?}");
    }
}

#[test]
fn every_setting_is_read_by_each_of_its_names() {
    let expected = ServerSettings::DEFAULT
        .with_heartbeat(Heartbeat::from_millis(300, 200).unwrap())
        .with_liveness(Liveness::PongOnly)
        .with_max_payload(1_000)
        .and_then(|settings| settings.with_max_packets(16))
        .and_then(|settings| settings.with_upgrade_timeout(Duration::from_millis(1)))
        .and_then(|settings| settings.with_close_timeout(Duration::from_millis(2)))
        .and_then(|settings| settings.with_app_stall_timeout(Duration::from_millis(3)))
        .unwrap();
    let camel = r#"{"pingInterval":300,"pingTimeout":200,"liveness":"pong-only","maxPayload":1000,"maxPackets":16,
        "upgradeTimeout":1,"closeTimeout":2,"appStallTimeout":3}"#;
    let snake = r#"{"ping_interval":300,"ping_timeout":200,"liveness":"pong-only","max_payload":1000,"max_packets":16,
        "upgrade_timeout":1,"close_timeout":2,"app_stall_timeout":3}"#;
    assert_eq!(read(camel), Ok(expected));
    assert_eq!(read(snake), Ok(expected));
    let buffer_size = camel.replace("maxPayload", "maxHttpBufferSize");
    assert_eq!(read(&buffer_size), Ok(expected));
    let buffer_size = snake.replace("max_payload", "max_http_buffer_size");
    assert_eq!(read(&buffer_size), Ok(expected));
    assert_eq!(read("{}"), Ok(ServerSettings::DEFAULT));
}

/// A value under a name of today is milliseconds, however small it is.
#[test]
fn nothing_is_rescaled() {
    let heartbeat = read(r#"{"pingInterval":25,"pingTimeout":20}"#).unwrap().heartbeat();
    assert_eq!(heartbeat, Heartbeat::from_millis(25, 20).unwrap());
}

#[test]
fn an_old_name_is_refused_with_its_successor_and_the_units() {
    for (old, today) in [
        ("heartbeat interval", "pingInterval"),
        ("heartbeat timeout", "pingTimeout"),
        ("destroy buffer size", "maxHttpBufferSize"),
        ("close timeout", "closeTimeout"),
        ("polling duration", "pingInterval"),
        ("heartbeats", "pingTimeout"),
    ] {
        for value in ["25", "\"25\"", "true", "[]"] {
            let sentence = read(&format!(r#"{{"{old}":{value}}}"#)).unwrap_err();
            assert!(sentence.contains(&format!("`{old}`")), "{sentence}");
            assert!(sentence.contains(&format!("`{today}`")), "{sentence}");
            assert!(
                sentence.contains("units differ: old times are seconds in 0.9, milliseconds in 1.x"),
                "{sentence}"
            );
            assert!(sentence.contains("v1_v2") && sentence.contains("eio-legacy"), "{sentence}");
        }
    }
    assert_eq!(
        read(r#"{"heartbeat interval":25}"#).unwrap_err(),
        "`heartbeat interval` is an old setting of Socket.IO: write `pingInterval`, in milliseconds. The units \
         differ: old times are seconds in 0.9, milliseconds in 1.x and 2.x. `settings::v1_v2` reads \
         these, and the crate eio-legacy reads those of 0.9 at line 1 column 21"
    );
    assert!(read(r#"{"log level":1}"#).unwrap_err().contains("does not concern sessions: leave it out here"));
}

#[test]
fn two_names_for_one_setting_are_an_error_that_names_both() {
    for (one, other) in [
        ("pingInterval", "ping_interval"),
        ("ping_timeout", "pingTimeout"),
        ("maxPayload", "maxHttpBufferSize"),
        ("maxHttpBufferSize", "max_http_buffer_size"),
        ("closeTimeout", "close_timeout"),
    ] {
        let sentence = read(&format!(r#"{{"{one}":300,"{other}":300}}"#)).unwrap_err();
        let expected = format!("`{one}` and `{other}` are two names of one setting: expected one of them");
        assert!(sentence.starts_with(&expected), "{sentence}");
    }
    let sentence = read(r#"{"liveness":"pong-only","liveness":"pong-only"}"#).unwrap_err();
    assert!(sentence.starts_with("duplicate field `liveness`"), "{sentence}");
    let sentence = read(r#"{"maxPackets":3,"maxPackets":3}"#).unwrap_err();
    assert!(sentence.starts_with("duplicate field `maxPackets`"), "{sentence}");
}

#[test]
fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
    let sentence = read(r#"{"pinginterval":300}"#).unwrap_err();
    assert!(
        sentence.starts_with(
            "unknown field `pinginterval`, expected one of `pingInterval`, `pingTimeout`, `liveness`, `maxPayload`, \
             `maxHttpBufferSize`, `maxPackets`, `upgradeTimeout`, `closeTimeout`, `appStallTimeout`"
        ),
        "{sentence}"
    );
    let sentence = serde_json::from_str::<Heartbeat>(r#"{"maxPayload":300}"#).unwrap_err().to_string();
    assert!(
        sentence.starts_with("unknown field `maxPayload`, expected `pingInterval` or `pingTimeout`"),
        "{sentence}"
    );
}

#[test]
fn values_that_are_not_whole_numbers_in_bounds_are_refused() {
    for (json, sentence) in [
        (
            r#"{"pingInterval":"25000"}"#,
            "invalid type: string \"25000\", expected `pingInterval` as a whole number of milliseconds, without \
             quotes, point or exponent",
        ),
        (
            r#"{"ping_interval":25.0}"#,
            "invalid type: floating point `25.0`, expected `ping_interval` as a whole number of milliseconds, \
             without quotes, point or exponent",
        ),
        (
            r#"{"maxHttpBufferSize":1e6}"#,
            "invalid type: floating point `1000000.0`, expected `maxHttpBufferSize` as a whole number of bytes, \
             without quotes, point or exponent",
        ),
        (r#"{"closeTimeout":null}"#, "invalid type: null, expected `closeTimeout` as a whole number"),
        (
            r#"{"maxPackets":-1}"#,
            "invalid value: integer `-1`, expected `maxPackets` as a whole number of packets",
        ),
        (r#"{"pingTimeout":0}"#, "pingTimeout is zero: expected at least 1 ms"),
        (r#"{"pingTimeout":4294967296000}"#, "pingInterval + pingTimeout is above 2147483647 ms"),
        (r#"{"maxPayload":4294967296}"#, "maxPayload is too large: expected at most 2147483647 bytes"),
        (r#"{"maxPackets":5000000000}"#, "maxPackets is too large: expected at most 2147483647 per payload"),
        (r#"{"upgradeTimeout":0}"#, "upgradeTimeout is too small: expected at least 1 ms"),
        (
            r#"{"liveness":"sometimes"}"#,
            "unknown variant `sometimes`, expected one of `pong-only`, `extend-once`",
        ),
        ("[]", "invalid type: sequence, expected a map of settings"),
    ] {
        let error = read(json).unwrap_err();
        assert!(error.starts_with(sentence), "{json}: {error}");
    }
}

#[test]
fn formats_without_unsigned_integers_are_read_too() {
    let map = MapDeserializer::<_, Error>::new([("pingInterval", 300_i64), ("pingTimeout", 200)].into_iter());
    assert_eq!(Heartbeat::deserialize(map), Ok(Heartbeat::from_millis(300, 200).unwrap()));
    let map = MapDeserializer::<_, Error>::new([("heartbeat interval", 3_i64)].into_iter());
    let settings = v1_v2::deserialize(map).unwrap();
    assert_eq!(settings.heartbeat().ping_interval(), Duration::from_millis(3));
}

#[test]
fn a_name_is_text() {
    let map = MapDeserializer::<_, Error>::new([(1, 2)].into_iter());
    let error = Heartbeat::deserialize(map).unwrap_err();
    assert_eq!(error.to_string(), "invalid type: integer `1`, expected the name of a setting");
}

/// Flattened into an application's own settings, an unknown or old name is still noticed.
#[test]
fn flattening_hides_no_mistake() {
    #[derive(Debug, Deserialize)]
    struct Application {
        port: u16,
        #[serde(flatten)]
        sessions: ServerSettings,
    }
    let read = |json| serde_json::from_str::<Application>(json).map_err(|error| error.to_string());
    let application = read(r#"{"port":3000,"pingInterval":300}"#).unwrap();
    assert_eq!(application.port, 3_000);
    assert_eq!(application.sessions.heartbeat().ping_interval(), Duration::from_millis(300));
    assert!(
        read(r#"{"port":3000,"pingIntervall":300}"#).unwrap_err().contains("unknown field `pingIntervall`")
    );
    assert!(read(r#"{"port":3000,"heartbeat timeout":60}"#).unwrap_err().contains("`pingTimeout`"));
}

/// The same number under each old name, from a file: milliseconds in 1.x and 2.x, and nothing among current settings.
#[test]
fn no_value_in_a_file_changes_by_a_factor_of_1000_unnoticed() {
    for (name, expected) in [
        ("heartbeat interval", Some(Heartbeat::from_millis(30, 20_000).unwrap())),
        ("heartbeat timeout", Some(Heartbeat::from_millis(25_000, 30).unwrap())),
        ("close timeout", None),
        ("polling duration", None),
    ] {
        let json = format!(r#"{{"{name}":30}}"#);
        match read_old(&json) {
            Ok(settings) => assert_eq!(Some(settings.heartbeat()), expected, "{name}"),
            Err(error) => {
                assert_eq!(expected, None, "{name}: {error}");
                assert!(
                    error.starts_with(&format!("`{name}` is not valid in Socket.IO 1.x and 2.x")),
                    "{error}"
                );
            }
        }
        assert!(read(&json).unwrap_err().contains("eio-legacy"), "{name}");
    }
    let size = r#"{"destroy buffer size":30}"#;
    assert_eq!(read_old(size).map(|settings| settings.max_payload()), Ok(30));
}

#[test]
fn what_is_wrong_in_an_old_file_is_said() {
    for (json, sentence) in [
        (
            r#"{"heartbeat timeout":60.5}"#,
            "`heartbeat timeout` has too many decimals: expected whole milliseconds",
        ),
        (r#"{"heartbeat timeout":1,"heartbeat timeout":1}"#, "`heartbeat timeout` is given twice"),
        (r#"{"pingTimeout":1}"#, "`pingTimeout` is a current setting, not one of Socket.IO 1.x and 2.x"),
        (r#"{"log level":1}"#, "`log level` is not valid in Socket.IO 1.x and 2.x"),
        (r#"{"nonsense":1}"#, "`nonsense` is not a setting of Socket.IO 1.x and 2.x"),
        ("3", "invalid type: integer `3`, expected a map of settings of Socket.IO 1.x and 2.x"),
    ] {
        let error = read_old(json).unwrap_err();
        assert!(error.starts_with(sentence), "{json}: {error}");
    }
}

#[test]
fn settings_are_written_by_the_names_that_are_read() {
    assert_eq!(
        serde_json::to_string(&ServerSettings::DEFAULT).unwrap(),
        r#"{"pingInterval":25000,"pingTimeout":20000,"liveness":"extend-once","maxPayload":1000000,"maxPackets":16384,"upgradeTimeout":10000,"closeTimeout":30000}"#
    );
    let heartbeat = serde_json::to_string(&Heartbeat::DEFAULT).unwrap();
    assert_eq!(heartbeat, r#"{"pingInterval":25000,"pingTimeout":20000}"#);
}

fn round_trip<T: Serialize + for<'de> Deserialize<'de>>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        interval in 1_u32..0x4000_0000,
        timeout in 1_u32..0x4000_0000,
        max_payload in 6_u32..=0x7fff_ffff,
        close in 1_u64..=0x7fff_ffff,
        stall in prop::option::of(1_u64..=0x7fff_ffff),
    ) {
        let heartbeat = Heartbeat::from_millis(interval, timeout).unwrap();
        prop_assert_eq!(round_trip(&heartbeat), heartbeat);
        let mut settings = ServerSettings::DEFAULT
            .with_heartbeat(heartbeat)
            .with_max_payload(max_payload)
            .and_then(|settings| settings.with_close_timeout(Duration::from_millis(close)))
            .unwrap();
        if let Some(stall) = stall {
            settings = settings.with_app_stall_timeout(Duration::from_millis(stall)).unwrap();
        }
        prop_assert_eq!(round_trip(&settings), settings);
    }
}
