//! A server and a client, joined by links that delay and break, in every order of events up to a number of ticks.
//!
//! Each search visits every state that can be reached and checks: a session that has not ended has a deadline, a live
//! peer is never given up as long as packets and wake-ups keep to the stated limits, a dead one is noticed within the
//! bound, an upgrade strands nobody, and no state is a dead end.
//!
//! `EIO_MODEL_TICKS` adds so many ticks to the length of every search: each costs a multiple of the last.

mod search;
mod world;

use eio_core::Liveness;

use search::{Found, explore};
use world::{Revision, Setting};

/// No upgrades; one message each way; everything may break.
const PLAIN: Setting = Setting {
    revision: Revision::Four,
    liveness: Liveness::ExtendOnce,
    ping_interval: 3,
    ping_timeout: 2,
    delay: 1,
    lateness: 0,
    messages: 1,
    breaks: true,
    closes: false,
    upgrade_timeout: None,
    horizon: 16,
};

fn explored(setting: Setting) -> search::Report {
    match explore(setting) {
        Found::Nothing(report) => {
            println!("{setting:?}: {report:?}");
            report
        }
        Found::Violation(violation) => panic!("{violation}"),
    }
}

#[test]
fn an_eio4_server_and_client_never_lose_each_other_and_notice_every_death() {
    for liveness in [Liveness::ExtendOnce, Liveness::PongOnly, Liveness::AnyPacket] {
        explored(Setting { liveness, ..PLAIN });
    }
}
