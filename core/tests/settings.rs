//! Settings: what is valid, what is refused and in which words, and that no old value changes its size unnoticed.

use core::time::Duration;

use eio_core::settings::{
    HeartbeatError, LegacyError, LegacySettings, Limit, Measure, OldSettings, Period, ServerSettings,
    SettingsError, ValueProblem,
};
use eio_core::{Heartbeat, Liveness};
use proptest::prelude::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn the_defaults_are_those_of_the_reference_server() {
    let settings = ServerSettings::default();
    assert_eq!(settings.heartbeat().ping_interval(), ms(25_000));
    assert_eq!(settings.heartbeat().ping_timeout(), ms(20_000));
    assert_eq!(settings.liveness(), Liveness::ExtendOnce);
    assert_eq!(settings.max_payload(), 1_000_000);
    assert_eq!(settings.max_packets(), 16_384);
    assert_eq!(settings.upgrade_timeout(), ms(10_000));
    assert_eq!(settings.close_timeout(), ms(30_000));
    assert_eq!(settings.app_stall_timeout(), ms(45_000));
}

#[test]
fn settings_can_be_a_constant_and_are_read_back_as_they_were_set() {
    const SETTINGS: Result<ServerSettings, SettingsError> = ServerSettings::DEFAULT.with_max_payload(6);
    let settings = SETTINGS
        .and_then(|settings| settings.with_max_packets(u32::MAX))
        .and_then(|settings| settings.with_upgrade_timeout(ms(1)))
        .and_then(|settings| settings.with_close_timeout(ms(0x7fff_ffff)))
        .and_then(|settings| settings.with_app_stall_timeout(ms(7)))
        .unwrap()
        .with_liveness(Liveness::AnyPacket);
    assert_eq!(settings.max_payload(), 6);
    assert_eq!(settings.max_packets(), u32::MAX);
    assert_eq!(settings.upgrade_timeout(), ms(1));
    assert_eq!(settings.close_timeout(), ms(0x7fff_ffff));
    assert_eq!(settings.app_stall_timeout(), ms(7));
    assert_eq!(settings.liveness(), Liveness::AnyPacket);
}

#[test]
fn the_stall_timeout_follows_the_heartbeat_until_it_is_set() {
    let settings = ServerSettings::DEFAULT.with_heartbeat(Heartbeat::from_millis(300, 200).unwrap());
    assert_eq!(settings.app_stall_timeout(), ms(500));
    let settings = settings.with_app_stall_timeout(ms(9)).unwrap().with_heartbeat(Heartbeat::DEFAULT);
    assert_eq!(settings.app_stall_timeout(), ms(9));
}

#[test]
fn limits_that_cannot_work_are_refused_in_words() {
    let d = ServerSettings::DEFAULT;
    for (result, sentence) in [
        (d.with_max_payload(0), "maxPayload is too small: expected at least 6 bytes"),
        (d.with_max_payload(5), "maxPayload is too small: expected at least 6 bytes"),
        (d.with_max_payload(1 << 31), "maxPayload is too large: expected at most 2147483647 bytes"),
        (d.with_max_packets(0), "maxPackets is too small: expected at least 1 per payload"),
        (d.with_upgrade_timeout(ms(0)), "upgradeTimeout is too small: expected at least 1 ms"),
        (d.with_close_timeout(ms(1 << 31)), "closeTimeout is too large: expected at most 2147483647 ms"),
        (d.with_close_timeout(ms(1 << 40)), "closeTimeout is too large: expected at most 2147483647 ms"),
        (
            d.with_app_stall_timeout(Duration::from_micros(1_500)),
            "appStallTimeout is not a whole number of milliseconds",
        ),
    ] {
        assert_eq!(result.unwrap_err().to_string(), sentence);
    }
    assert_eq!(d.with_max_packets(0), Err(SettingsError::TooSmall { limit: Limit::MaxPackets, min: 1 }));
}

#[test]
fn heartbeats_that_cannot_work_are_refused() {
    let zero = |period| Err(HeartbeatError::Zero { period });
    assert_eq!(Heartbeat::new(ms(0), ms(1)), zero(Period::PingInterval));
    assert_eq!(Heartbeat::new(ms(1), ms(0)), zero(Period::PingTimeout));
    assert_eq!(Heartbeat::new(ms(1), ms(0x7fff_ffff)), Err(HeartbeatError::TooLong));
    assert_eq!(Heartbeat::new(ms(1), Duration::from_secs(u64::MAX)), Err(HeartbeatError::TooLong));
    let fine = Duration::from_nanos(1_000_001);
    assert_eq!(Heartbeat::new(fine, ms(1)), Err(HeartbeatError::Fraction { period: Period::PingInterval }));
    assert!(Heartbeat::new(ms(1), ms(0x7fff_fffe)).is_ok());
}

#[test]
fn old_settings_have_the_defaults_of_their_generation() {
    let old = LegacySettings::V0_9.defaults();
    assert_eq!(old.dialect(), LegacySettings::V0_9);
    assert_eq!(old.heartbeat(), Heartbeat::from_millis(25_000, 60_000).unwrap());
    assert!(old.has_heartbeats());
    assert_eq!(old.close_timeout(), Some(ms(60_000)));
    assert_eq!(old.polling_duration(), Some(ms(20_000)));
    assert_eq!(old.max_payload(), 100_000_000);

    let old = LegacySettings::V1_V2.defaults();
    assert_eq!(old.dialect(), LegacySettings::V1_V2);
    assert_eq!(old.heartbeat(), Heartbeat::DEFAULT);
    assert!(old.has_heartbeats());
    assert_eq!((old.close_timeout(), old.polling_duration()), (None, None));
    assert_eq!(old.max_payload(), 1_000_000);

    for dialect in [LegacySettings::V0_9, LegacySettings::V1_V2] {
        assert_eq!(dialect.read([]), Ok(dialect.defaults()));
    }
}

/// The setting of that old name, in milliseconds or bytes, if these settings have it.
fn value(old: &OldSettings, name: &str) -> Option<u128> {
    match name {
        "heartbeat interval" => Some(old.heartbeat().ping_interval().as_millis()),
        "heartbeat timeout" => Some(old.heartbeat().ping_timeout().as_millis()),
        "close timeout" => old.close_timeout().map(|timeout| timeout.as_millis()),
        "polling duration" => old.polling_duration().map(|duration| duration.as_millis()),
        "destroy buffer size" => Some(old.max_payload().into()),
        _ => None,
    }
}

/// Every old name under both generations: what 30 means, or that it means nothing. (`settings_serde.rs` has the third
/// column, settings of today.)
#[test]
fn nobody_gets_a_silent_factor_of_1000() {
    for (name, v0_9, v1_v2) in [
        ("heartbeat interval", Some(30_000), Some(30)),
        ("heartbeat timeout", Some(30_000), Some(30)),
        ("close timeout", Some(30_000), None),
        ("polling duration", Some(30_000), None),
        ("destroy buffer size", Some(30), Some(30)),
    ] {
        for (dialect, expected) in [(LegacySettings::V0_9, v0_9), (LegacySettings::V1_V2, v1_v2)] {
            match dialect.read([(name, "30")]) {
                Ok(old) => assert_eq!(value(&old, name), expected, "{name} in {dialect:?}"),
                Err(error) => {
                    assert_eq!(expected, None, "{name} in {dialect:?}");
                    assert_eq!(error, LegacyError::NotValid { name }, "{dialect:?}");
                }
            }
        }
    }
}

#[test]
fn an_old_value_reaches_the_settings_of_today_unchanged_in_meaning() {
    let v0_9 = [("heartbeat interval", "25"), ("heartbeat timeout", "20"), ("destroy buffer size", "1e6")];
    let v1_v2 =
        [("heartbeat interval", "25000"), ("heartbeat timeout", "20000"), ("destroy buffer size", "1e6")];
    assert_eq!(LegacySettings::V0_9.read(v0_9).unwrap().settings(), ServerSettings::DEFAULT);
    assert_eq!(LegacySettings::V1_V2.read(v1_v2).unwrap().settings(), ServerSettings::DEFAULT);
}

/// As recorded from socket.io 2.5.1: `io.set("heartbeat interval", 567)` and its like.
#[test]
fn the_aliases_of_2_x_do_what_the_reference_does() {
    let old = LegacySettings::V1_V2
        .read([("heartbeat timeout", "1234"), ("heartbeat interval", "567"), ("destroy buffer size", "999")])
        .unwrap();
    assert_eq!(old.heartbeat(), Heartbeat::from_millis(567, 1_234).unwrap());
    assert_eq!(old.max_payload(), 999);
    for name in ["close timeout", "polling duration"] {
        assert_eq!(LegacySettings::V1_V2.read([(name, "60")]), Err(LegacyError::NotValid { name }));
    }
    let name = "log level";
    assert_eq!(LegacySettings::V1_V2.read([(name, "1")]), Err(LegacyError::NotValid { name }));
}

#[test]
fn heartbeats_of_0_9_can_be_off() {
    let old = LegacySettings::V0_9.read([("heartbeats", "false"), ("close timeout", "0.8")]).unwrap();
    assert!(!old.has_heartbeats());
    assert_eq!(old.close_timeout(), Some(ms(800)));
    assert_eq!(old.settings().heartbeat(), Heartbeat::from_millis(25_000, 60_000).unwrap());
    let name = "heartbeats";
    assert!(LegacySettings::V0_9.read([(name, "true")]).unwrap().has_heartbeats());
    assert_eq!(LegacySettings::V1_V2.read([(name, "true")]), Err(LegacyError::NotValid { name }));
}

#[test]
fn seconds_are_exact_to_the_millisecond_and_no_finer() {
    for (text, millis) in [("25", 25_000), ("0.3", 300), ("1.001", 1_001), ("1e-3", 1), ("2.50", 2_500)] {
        let old = LegacySettings::V0_9.read([("close timeout", text)]).unwrap();
        assert_eq!(old.close_timeout(), Some(ms(millis)), "{text}");
    }
    let expected = Measure::Seconds;
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
            let error = LegacySettings::V0_9.read([(name, value)]);
            assert_eq!(error, Err(LegacyError::Value { name, problem, expected }), "{value:?}");
        }
    }
}

#[test]
fn milliseconds_and_bytes_are_whole() {
    for name in ["heartbeat interval", "destroy buffer size"] {
        let expected = if name == "destroy buffer size" { Measure::Bytes } else { Measure::Millis };
        assert!(LegacySettings::V1_V2.read([(name, "1e2")]).is_ok());
        assert!(LegacySettings::V1_V2.read([(name, "100.0")]).is_ok());
        for (value, problem) in [
            ("100.5", ValueProblem::TooFine),
            ("0", ValueProblem::TooSmall),
            ("2147483648", ValueProblem::TooLarge),
            ("-1", ValueProblem::Negative),
        ] {
            let error = LegacySettings::V1_V2.read([(name, value)]);
            assert_eq!(error, Err(LegacyError::Value { name, problem, expected }), "{value:?}");
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn refusals_of_old_settings_are_sentences() {
    let (v0_9, v1_v2) = (LegacySettings::V0_9, LegacySettings::V1_V2);
    for (dialect, pairs, sentence) in [
        (
            v0_9,
            vec![("heartbeat interval", "25 s")],
            "`heartbeat interval` is not a number: expected seconds, from 0.001 to 2147483.647, with at most three \
             decimals",
        ),
        (
            v1_v2,
            vec![("heartbeat timeout", "0.6")],
            "`heartbeat timeout` has too many decimals: expected whole milliseconds, from 1 to 2147483647",
        ),
        (
            v1_v2,
            vec![("destroy buffer size", "0")],
            "`destroy buffer size` is too small: expected whole bytes, from 6 to 2147483647",
        ),
        (v0_9, vec![("heartbeats", "1")], "`heartbeats` is neither true nor false: expected true or false"),
        (
            v1_v2,
            vec![("close timeout", "60")],
            "`close timeout` is not valid in Socket.IO 1.x and 2.x: only 0.9 had it; if this is a configuration of \
             0.9, with times in seconds, LegacySettings::V0_9 reads it",
        ),
        (
            v0_9,
            vec![("pingTimeout", "20000")],
            "`pingTimeout` is a current setting, not one of Socket.IO 0.9: expected `heartbeat timeout`, in \
             seconds",
        ),
        (
            v1_v2,
            vec![("ping_timeout", "20000")],
            "`ping_timeout` is a current setting, not one of Socket.IO 1.x and 2.x: expected `heartbeat \
             timeout`, in milliseconds",
        ),
        (
            v0_9,
            vec![("maxHttpBufferSize", "1e6")],
            "`maxHttpBufferSize` is a current setting, not one of Socket.IO 0.9: expected `destroy buffer \
             size`, in bytes",
        ),
        (
            v1_v2,
            vec![("upgradeTimeout", "1e4")],
            "`upgradeTimeout` is a current setting, not one of Socket.IO 1.x and 2.x: expected `heartbeat \
             interval`, `heartbeat timeout` or `destroy buffer size`",
        ),
        (
            v0_9,
            vec![("heartbeat-interval", "25")],
            "`heartbeat-interval` is not a setting of Socket.IO 0.9: expected `heartbeat interval`, \
             `heartbeat timeout`, `heartbeats`, `close timeout`, `polling duration` or `destroy buffer size`",
        ),
        (
            v0_9,
            vec![("transports", "websocket")],
            "`transports` is an old setting of Socket.IO that does not concern sessions: leave it out here",
        ),
        (
            v0_9,
            vec![("close timeout", "60"), ("close timeout", "60")],
            "`close timeout` is given twice: expected it once",
        ),
        (
            v0_9,
            vec![("heartbeat interval", "2147483"), ("heartbeat timeout", "1")],
            "`heartbeat interval` and `heartbeat timeout` are too long together: expected at most 2147483.647 s, \
             where the reference implementations' timers overflow",
        ),
    ] {
        assert_eq!(dialect.read(pairs).unwrap_err().to_string(), sentence);
    }
}

proptest! {
    #[test]
    fn every_whole_millisecond_can_be_said_in_seconds(millis in 1_u32..=0x7fff_ffff) {
        let text = format!("{}.{:03}", millis / 1_000, millis % 1_000);
        let old = LegacySettings::V0_9.read([("polling duration", text.as_str())]).unwrap();
        prop_assert_eq!(old.polling_duration(), Some(ms(millis.into())));
    }

    #[test]
    fn no_text_panics(name in any::<String>(), value in "[-+0-9.eE ]{0,12}") {
        let _ = LegacySettings::V0_9.read([(name.as_str(), value.as_str())]);
        let _ = LegacySettings::V0_9.read([("close timeout", value.as_str())]);
        let _ = LegacySettings::V1_V2.read([("heartbeat interval", value.as_str())]);
    }
}
