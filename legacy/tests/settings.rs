//! Settings of 0.9: what they mean, and what is refused, in which words.

use core::time::Duration;

use eio_core::Heartbeat;
use eio_core::settings::{OldSettingsError, ServerSettings, ValueProblem};
use eio_legacy::settings::LegacySettings;
use eio_legacy::timers::ServerPeriods;
use proptest::prelude::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn the_defaults_are_those_of_0_9() {
    let settings = LegacySettings::default();
    assert_eq!(settings.periods(), ServerPeriods::DEFAULT);
    assert_eq!(settings.periods().heartbeat_interval(), ms(25_000));
    assert_eq!(settings.periods().heartbeat_timeout(), ms(60_000));
    assert_eq!(settings.periods().close_timeout(), ms(60_000));
    assert_eq!(settings.periods().polling_duration(), ms(20_000));
    assert!(settings.has_heartbeats());
    assert_eq!(settings.max_payload(), 100_000_000);
    assert_eq!(LegacySettings::read([]), Ok(settings));
}

/// The setting of that name, in milliseconds or bytes.
fn value(settings: &LegacySettings, name: &str) -> u128 {
    let periods = settings.periods();
    match name {
        "heartbeat interval" => periods.heartbeat_interval().as_millis(),
        "heartbeat timeout" => periods.heartbeat_timeout().as_millis(),
        "close timeout" => periods.close_timeout().as_millis(),
        "polling duration" => periods.polling_duration().as_millis(),
        _ => settings.max_payload().into(),
    }
}

/// `settings.rs` of `eio-core` has the other column: what 30 means in 1.x and 2.x.
#[test]
fn times_are_seconds_and_sizes_are_bytes() {
    for (name, expected) in [
        ("heartbeat interval", 30_000),
        ("heartbeat timeout", 30_000),
        ("close timeout", 30_000),
        ("polling duration", 30_000),
        ("destroy buffer size", 30),
    ] {
        let settings = LegacySettings::read([(name, "30")]).unwrap();
        assert_eq!(value(&settings, name), expected, "{name}");
    }
}

#[test]
fn an_old_value_reaches_the_settings_of_today_unchanged_in_meaning() {
    let all = [("heartbeat interval", "25"), ("heartbeat timeout", "20"), ("destroy buffer size", "1e6")];
    assert_eq!(LegacySettings::read(all).unwrap().to_engine_io(), ServerSettings::DEFAULT);
    let heartbeat = LegacySettings::DEFAULT.to_engine_io().heartbeat();
    assert_eq!(heartbeat, Heartbeat::from_millis(25_000, 60_000).unwrap());
}

#[test]
fn heartbeats_can_be_off() {
    let settings = LegacySettings::read([("heartbeats", "false"), ("close timeout", "0.8")]).unwrap();
    assert!(!settings.has_heartbeats());
    assert_eq!(settings.periods().close_timeout(), ms(800));
    assert_eq!(settings.to_engine_io(), LegacySettings::DEFAULT.to_engine_io());
    assert!(LegacySettings::read([("heartbeats", "true")]).unwrap().has_heartbeats());
}

#[test]
fn seconds_are_exact_to_the_millisecond_and_no_finer() {
    for (text, millis) in [("25", 25_000), ("0.3", 300), ("1.001", 1_001), ("1e-3", 1), ("2.50", 2_500)] {
        let settings = LegacySettings::read([("close timeout", text)]).unwrap();
        assert_eq!(settings.periods().close_timeout(), ms(millis), "{text}");
    }
    let expected = "seconds, from 0.001 to 2147483.647, with at most three decimals";
    for (value, problem) in [
        ("", ValueProblem::NotANumber),
        ("25s", ValueProblem::NotANumber),
        (" 25", ValueProblem::NotANumber),
        ("\"25\"", ValueProblem::NotANumber),
        ("025", ValueProblem::NotANumber),
        ("0x19", ValueProblem::NotANumber),
        ("Infinity", ValueProblem::NotANumber),
        ("true", ValueProblem::NotANumber),
        ("-25", ValueProblem::Negative),
        ("0", ValueProblem::TooSmall),
        ("0.0005", ValueProblem::TooFine),
        ("2147483.648", ValueProblem::TooLarge),
        ("1e400", ValueProblem::TooLarge),
    ] {
        for name in ["heartbeat interval", "heartbeat timeout", "close timeout", "polling duration"] {
            let error = LegacySettings::read([(name, value)]);
            assert_eq!(error, Err(OldSettingsError::Value { name, problem, expected }), "{value:?}");
        }
    }
}

#[test]
fn refusals_are_sentences() {
    for (pairs, sentence) in [
        (
            vec![("heartbeat interval", "25 s")],
            "`heartbeat interval` is not a number: expected seconds, from 0.001 to 2147483.647, with at most three \
             decimals",
        ),
        (vec![("heartbeats", "1")], "`heartbeats` is neither true nor false: expected true or false"),
        (
            vec![("pingTimeout", "20000")],
            "`pingTimeout` is a current setting, not one of Socket.IO 0.9: expected `heartbeat timeout`, in \
             seconds",
        ),
        (
            vec![("maxHttpBufferSize", "1e6")],
            "`maxHttpBufferSize` is a current setting, not one of Socket.IO 0.9: expected `destroy buffer \
             size`, in bytes",
        ),
        (
            vec![("heartbeat-interval", "25")],
            "`heartbeat-interval` is not a setting of Socket.IO 0.9: expected `heartbeat interval`, \
             `heartbeat timeout`, `heartbeats`, `close timeout`, `polling duration` or `destroy buffer size`",
        ),
        (
            vec![("transports", "websocket")],
            "`transports` is an old setting of Socket.IO that does not concern sessions: leave it out here",
        ),
        (
            vec![("close timeout", "60"), ("close timeout", "60")],
            "`close timeout` is given twice: expected it once",
        ),
        (
            vec![("heartbeat interval", "2147483"), ("heartbeat timeout", "1")],
            "`heartbeat interval` and `heartbeat timeout` are too long together: expected at most 2147483647 ms \
             (2147483.647 s), where the reference implementations' timers overflow",
        ),
    ] {
        assert_eq!(LegacySettings::read(pairs).unwrap_err().to_string(), sentence);
    }
}

proptest! {
    #[test]
    fn every_whole_millisecond_can_be_said_in_seconds(millis in 1_u32..=0x7fff_ffff) {
        let text = format!("{}.{:03}", millis / 1_000, millis % 1_000);
        let settings = LegacySettings::read([("polling duration", text.as_str())]).unwrap();
        prop_assert_eq!(settings.periods().polling_duration(), ms(millis.into()));
    }

    #[test]
    fn no_text_panics(name in any::<String>(), value in "[-+0-9.eE ]{0,12}") {
        let _ = LegacySettings::read([(name.as_str(), value.as_str())]);
        let _ = LegacySettings::read([("close timeout", value.as_str())]);
    }
}
