//! What must hold in every state.

use eio_core::DisconnectReason;
use eio_core::session::CLOSE_TIMEOUT;

use super::{Session, Setting, Side, State, Step, Ticks, at};

impl State {
    /// The promises.
    pub(super) fn check(&self, setting: Setting, step: Step) -> Result<(), String> {
        for side in Side::BOTH {
            let session = self.session(side);
            let deadline = either!(session, session => session.poll_timeout());
            let end = either!(session, session => session.end());
            if deadline.is_none() != end.is_some() {
                return Err(format!("{side:?}: a session without a deadline"));
            }
            let longest = at(self.now).saturating_add(CLOSE_TIMEOUT);
            if deadline.is_some_and(|deadline| deadline > longest) {
                return Err(format!("{side:?}: a deadline too far away"));
            }
            if step == Step::Wake(side) && deadline.is_some_and(|deadline| deadline <= at(self.now)) {
                return Err(format!("{side:?}: woken in vain"));
            }
            let Some(reason) = end.map(|end| end.reason) else { continue };
            let is_allowed = match reason {
                DisconnectReason::PingTimeout | DisconnectReason::TransportClosed => {
                    self.broken_since.is_some()
                }
                DisconnectReason::LocalClose => self.closed_since.is_some(),
                // A peer that gave up says so, as far as its word still arrives.
                DisconnectReason::PeerClose => self.closed_since.is_some() || self.broken_since.is_some(),
                _ => false,
            };
            if !is_allowed {
                return Err(format!("{side:?}: a live peer was given up: {reason}"));
            }
        }
        if !setting.breaks && self.broken_since.is_some() {
            return Err("the session was lost to its upgrade".to_owned());
        }
        if let Some(since) = self.broken_since
            && self.now > since + setting.notice()
            && let Some(side) = Side::BOTH.into_iter().find(|&side| self.is_up(side))
        {
            return Err(format!("{side:?}: a dead peer went unnoticed"));
        }
        if let Some(since) = self.closed_since
            && self.broken_since.is_none()
            && self.now > since + self.longest_upgrade(setting) + setting.delay
            && let Some(side) = Side::BOTH.into_iter().find(|&side| self.is_up(side))
        {
            return Err(format!("{side:?}: a close went unheard"));
        }
        if let Some(upgrade) = &self.upgrade {
            for (deadline, outcome) in [
                (upgrade.server.poll_timeout(), upgrade.server.outcome()),
                (upgrade.client.poll_timeout(), upgrade.client.outcome()),
            ] {
                if deadline.is_none() != outcome.is_some() {
                    return Err("an upgrade without a deadline".to_owned());
                }
            }
        }
        Ok(())
    }

    /// How long packets may wait for an upgrade.
    fn longest_upgrade(&self, setting: Setting) -> Ticks {
        if self.upgrade.is_some() { 1 + 2 * setting.delay } else { 0 }
    }
}
