//! Sessions, heartbeats and upgrades of the core: calls in any order, at any time, beside the models and the oracle of
//! the core's own tests.

use arbitrary::Unstructured;
use eio_core::{Liveness, Revision};

use crate::life::{self, judge};
use crate::shared::every_order::state::{Setting, State};
use crate::shared::every_order::{EIO4, UPGRADE};
use crate::shared::model::mistakes::Mistake;
use crate::shared::model::{machine, session, upgrade};

/// A life of `heartbeat::Machine`.
pub(crate) fn run_heartbeat(data: &[u8]) {
    judge(life::of_machine(&mut Unstructured::new(data)), |life| machine::compare(life, Mistake::None));
}

/// A life of `ServerSession` or `ClientSession`.
pub(crate) fn run_session(data: &[u8]) {
    judge(life::of_session(&mut Unstructured::new(data)), |life| session::compare(life, Mistake::None));
}

/// A life of `ServerUpgrade` or `ClientUpgrade`.
pub(crate) fn run_upgrade(data: &[u8]) {
    judge(life::of_upgrade(&mut Unstructured::new(data)), |life| upgrade::compare(life, Mistake::None));
}

/// A server and a client on links that delay and break. Each byte chooses one of the steps that may come next, so this
/// goes further than the search that visits every state.
pub(crate) fn run_pair(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(setting) = setting(&mut bytes) else { return };
    let mut state = State::new(setting);
    let mut taken = Vec::new();
    while !bytes.is_empty() && !state.is_over(setting) {
        let steps = state.steps(setting);
        let Ok(&step) = bytes.choose(&steps) else { panic!("a dead end after {taken:?}: {state:?}") };
        taken.push(step);
        state = match state.after(setting, step) {
            Ok(after) => after,
            Err(violation) => panic!("{violation}, after {taken:?} of {setting:?}"),
        };
    }
}

/// The periods are those of the search: with others, its promises would be others, too.
fn setting(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Setting> {
    let revision = *bytes.choose(&Revision::ALL)?;
    let horizon = 200;
    Ok(match bytes.int_in_range(0..=3)? {
        0 => Setting { revision, horizon, ..UPGRADE },
        1 => Setting { revision, horizon, breaks: false, ..UPGRADE },
        2 => {
            let setting = Setting { ping_interval: 2, ping_timeout: 4, lateness: 1, ..EIO4 };
            Setting { revision, horizon, messages: 0, ..setting }
        }
        _ => {
            let breaks = bytes.arbitrary()?;
            let liveness = *bytes.choose(&Liveness::ALL)?;
            Setting { revision, liveness, horizon, breaks, closes: !breaks, messages: 20, ..EIO4 }
        }
    })
}
