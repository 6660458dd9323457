//! Settings: what is valid, what is refused and in which words, and that no old value changes its size unnoticed.

use core::time::Duration;

use eio_core::settings::{
    HeartbeatError, Limit, OldSettingsError, Period, ServerSettings, SettingsError, ValueProblem, v1_v2,
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
        .and_then(|settings| settings.with_max_packets(0x7fff_ffff))
        .and_then(|settings| settings.with_upgrade_timeout(ms(1)))
        .and_then(|settings| settings.with_close_timeout(ms(0x7fff_ffff)))
        .and_then(|settings| settings.with_app_stall_timeout(ms(7)))
        .unwrap()
        .with_liveness(Liveness::AnyPacket);
    assert_eq!(settings.max_payload(), 6);
    assert_eq!(settings.max_packets(), 0x7fff_ffff);
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
        (d.with_max_packets(u32::MAX), "maxPackets is too large: expected at most 2147483647 per payload"),
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
fn old_settings_that_are_left_out_have_the_current_defaults() {
    assert_eq!(v1_v2::read([]), Ok(ServerSettings::DEFAULT));
}

#[test]
fn old_values_are_milliseconds_and_bytes_unchanged() {
    let settings = v1_v2::read([("heartbeat interval", "30")]).unwrap();
    assert_eq!(settings.heartbeat(), Heartbeat::from_millis(30, 20_000).unwrap());
    let settings = v1_v2::read([("heartbeat timeout", "30")]).unwrap();
    assert_eq!(settings.heartbeat(), Heartbeat::from_millis(25_000, 30).unwrap());
    assert_eq!(v1_v2::read([("destroy buffer size", "30")]).unwrap().max_payload(), 30);
    let all =
        [("heartbeat interval", "25000"), ("heartbeat timeout", "20000"), ("destroy buffer size", "1e6")];
    assert_eq!(v1_v2::read(all), Ok(ServerSettings::DEFAULT));
}

/// As recorded from socket.io 2.5.1: `io.set("heartbeat interval", 567)` and its like.
#[test]
fn the_aliases_of_2_x_do_what_the_reference_does() {
    let settings = v1_v2::read([
        ("heartbeat timeout", "1234"),
        ("heartbeat interval", "567"),
        ("destroy buffer size", "999"),
    ])
    .unwrap();
    assert_eq!(settings.heartbeat(), Heartbeat::from_millis(567, 1_234).unwrap());
    assert_eq!(settings.max_payload(), 999);
    for (name, value) in
        [("close timeout", "60"), ("polling duration", "60"), ("heartbeats", "true"), ("log level", "1")]
    {
        assert_eq!(v1_v2::read([(name, value)]), Err(OldSettingsError::NotValid { name }));
    }
}

#[test]
fn milliseconds_and_bytes_are_whole() {
    for (name, expected) in [
        ("heartbeat interval", "whole milliseconds, from 1 to 2147483647"),
        ("destroy buffer size", "whole bytes, from 6 to 2147483647"),
    ] {
        assert!(v1_v2::read([(name, "1e2")]).is_ok());
        assert!(v1_v2::read([(name, "100.0")]).is_ok());
        for (value, problem) in [
            ("100.5", ValueProblem::TooFine),
            ("0", ValueProblem::TooSmall),
            ("2147483648", ValueProblem::TooLarge),
            ("-1", ValueProblem::Negative),
            ("30 s", ValueProblem::NotANumber),
        ] {
            let error = v1_v2::read([(name, value)]);
            assert_eq!(error, Err(OldSettingsError::Value { name, problem, expected }), "{value:?}");
        }
    }
}

#[test]
fn refusals_of_old_settings_are_sentences() {
    for (pairs, sentence) in [
        (
            vec![("heartbeat timeout", "0.6")],
            "`heartbeat timeout` has too many decimals: expected whole milliseconds, from 1 to 2147483647",
        ),
        (
            vec![("destroy buffer size", "0")],
            "`destroy buffer size` is too small: expected whole bytes, from 6 to 2147483647",
        ),
        (
            vec![("close timeout", "60")],
            "`close timeout` is not valid in Socket.IO 1.x and 2.x: only 0.9 had it; if this is a configuration of \
             0.9, with times in seconds, the crate eio-legacy reads it",
        ),
        (
            vec![("ping_timeout", "20000")],
            "`ping_timeout` is a current setting, not one of Socket.IO 1.x and 2.x: expected `heartbeat \
             timeout`, in milliseconds",
        ),
        (
            vec![("upgradeTimeout", "1e4")],
            "`upgradeTimeout` is a current setting, not one of Socket.IO 1.x and 2.x: expected `heartbeat \
             interval`, `heartbeat timeout` or `destroy buffer size`",
        ),
        (
            vec![("transports", "websocket")],
            "`transports` is an old setting of Socket.IO that does not concern sessions: leave it out here",
        ),
        (
            vec![("nonsense", "1")],
            "`nonsense` is not a setting of Socket.IO 1.x and 2.x: expected `heartbeat interval`, \
             `heartbeat timeout` or `destroy buffer size`",
        ),
        (
            vec![("heartbeat interval", "2147483647")],
            "`heartbeat interval` and `heartbeat timeout` are too long together: expected at most 2147483647 ms \
             (2147483.647 s), where the reference implementations' timers overflow",
        ),
    ] {
        assert_eq!(v1_v2::read(pairs).unwrap_err().to_string(), sentence);
    }
}

#[test]
fn names_of_settings_are_displayed_as_they_are_written() {
    assert_eq!(Limit::MaxPackets.to_string(), "maxPackets");
    assert_eq!(Period::PingTimeout.to_string(), "pingTimeout");
    assert_eq!(Liveness::ExtendOnce.to_string(), "extend-once");
}

proptest! {
    #[test]
    fn no_text_panics(name in any::<String>(), value in "[-+0-9.eE ]{0,12}") {
        let _ = v1_v2::read([(name.as_str(), value.as_str())]);
        let _ = v1_v2::read([("heartbeat interval", value.as_str())]);
    }
}
