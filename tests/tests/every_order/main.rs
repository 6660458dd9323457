//! A server and a client, joined by links that delay and break, in every order of events up to a number of ticks.
//!
//! Each search visits every state that can be reached and checks: a session that has not ended has a deadline, a live
//! peer is never given up as long as packets and wake-ups keep to the stated limits, a dead one is noticed within the
//! bound, an upgrade strands nobody, and no state is a dead end.
//!
//! `EIO_EXTRA_TICKS` is the number of ticks to add to every search. Each makes a search several times as long.

mod search;
pub(crate) mod state;

use eio_core::{Liveness, Revision};

use search::{Found, Report, explore};
use state::Setting;

/// Nothing is woken late, nobody closes, no upgrade; one message each way; everything may break.
pub(crate) const EIO4: Setting = Setting {
    revision: Revision::V4,
    liveness: Liveness::ExtendOnce,
    ping_interval: 3,
    ping_timeout: 2,
    delay: 1,
    lateness: 0,
    messages: 1,
    breaks: true,
    closes: false,
    upgrade_timeouts: None,
    horizon: 12,
};

pub(crate) const EIO3: Setting = Setting { revision: Revision::V3, ..EIO4 };

/// As [`EIO4`], with a WebSocket that the client may open at any time. The ping timeout covers what an upgrade holds
/// back, and the client gives up early enough for its last word to reach the server in time.
pub(crate) const UPGRADE: Setting = Setting {
    ping_interval: 1,
    ping_timeout: 6,
    messages: 0,
    upgrade_timeouts: Some((5, 3)),
    horizon: 10,
    ..EIO4
};

fn explored(setting: Setting) -> Report {
    let extra = std::env::var("EIO_EXTRA_TICKS").map_or(0, |ticks| ticks.parse().expect("a number of ticks"));
    let setting = Setting { horizon: setting.horizon + extra, ..setting };
    match explore(setting) {
        Found::Nothing(report) => {
            println!("{setting:?}: {report:?}");
            report
        }
        Found::Violation(violation) => panic!("{violation}"),
    }
}

fn violation(setting: Setting) -> String {
    match explore(setting) {
        Found::Nothing(report) => panic!("nothing wrong in {report:?}"),
        Found::Violation(violation) => violation,
    }
}

#[test]
fn with_extend_once_no_live_peer_is_given_up_and_every_death_is_noticed() {
    let report = explored(EIO4);
    assert_eq!(report.noticed_after, Some(3 + 2 + 1), "the bound is reached");
}

#[test]
fn with_pong_only_no_live_peer_is_given_up_and_every_death_is_noticed() {
    explored(Setting { liveness: Liveness::PongOnly, ..EIO4 });
}

#[test]
fn with_any_packet_no_live_peer_is_given_up_and_every_death_is_noticed() {
    explored(Setting { liveness: Liveness::AnyPacket, ..EIO4 });
}

#[test]
fn late_wake_ups_cost_the_peer_nothing() {
    explored(Setting { ping_interval: 2, ping_timeout: 4, lateness: 1, messages: 0, ..EIO4 });
}

#[test]
fn in_revision_3_no_live_peer_is_given_up_and_every_death_is_noticed() {
    let report = explored(EIO3);
    assert_eq!(report.noticed_after, Some(3 + 2 + 1), "the bound is reached");
    explored(Setting { liveness: Liveness::AnyPacket, ..EIO3 });
}

#[test]
fn in_revision_3_late_wake_ups_cost_the_peer_nothing() {
    explored(Setting { ping_interval: 2, ping_timeout: 4, lateness: 1, messages: 0, ..EIO3 });
}

#[test]
fn a_close_reaches_the_other_end() {
    for setting in [EIO4, EIO3] {
        explored(Setting { breaks: false, closes: true, ..setting });
    }
}

#[test]
fn an_upgrade_strands_nobody() {
    let report = explored(UPGRADE);
    assert!(report.upgraded > 0);
    assert_eq!(report.noticed_after, Some(1 + 6 + 1), "the bound is reached");
}

#[test]
fn in_revision_3_an_upgrade_strands_nobody() {
    let report = explored(Setting { revision: Revision::V3, ..UPGRADE });
    assert!(report.upgraded > 0);
    assert_eq!(report.noticed_after, Some(1 + 6 + 1), "the bound is reached");
}

#[test]
fn an_upgrade_on_a_working_link_costs_no_session() {
    for revision in [Revision::V4, Revision::V3] {
        let setting = Setting { revision, breaks: false, horizon: 12, ..UPGRADE };
        assert!(explored(setting).upgraded > 0);
    }
}

/// A server that gives up while the client's `5` is under way closes the WebSocket that the client has moved to.
#[test]
fn a_client_that_upgrades_as_late_as_the_server_allows_may_lose_its_session() {
    let setting = Setting { breaks: false, delay: 2, upgrade_timeouts: Some((4, 4)), ..UPGRADE };
    assert!(violation(setting).contains("the session was lost to its upgrade"));
}

#[test]
fn a_link_that_is_too_slow_for_the_timeout_is_found_out() {
    for setting in [EIO4, EIO3] {
        let setting = Setting { breaks: false, delay: 2, ..setting };
        assert!(violation(setting).contains("a live peer was given up"));
    }
}
