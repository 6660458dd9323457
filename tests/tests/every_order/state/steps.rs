//! What may happen next.

use eio_core::Instant;

use super::{Candidate, Link, Session, Setting, Side, State, Step, Ticks, Upgrade, at, lasting};

impl State {
    /// All that can happen next.
    pub(crate) fn steps(&self, setting: Setting) -> Vec<Step> {
        let mut steps = Vec::new();
        for side in Side::BOTH {
            if !self.link(side).is_empty() {
                steps.push(Step::Deliver(side));
            }
            if !self.is_up(side) {
                continue;
            }
            // Whatever must have arrived is read before anything expires.
            let deadline = either!(self.session(side), session => session.poll_timeout());
            if deadline.is_some_and(|deadline| deadline <= at(self.now))
                && !is_overdue(self.link(side), self.now, setting)
            {
                steps.push(Step::Wake(side));
            }
            if self.may_say(side) > 0 && either!(self.session(side), session => session.is_open()) {
                steps.push(Step::Say(side));
            }
            if self.may_close && self.broken_since.is_none() {
                steps.push(Step::Close(side));
            }
            if self.may_break && self.broken_since.is_none() {
                steps.push(Step::Vanish(side));
            }
        }
        if self.may_break && self.broken_since.is_none() {
            steps.push(Step::Cut);
        }
        if let Some(upgrade) = &self.upgrade {
            self.steps_of(upgrade, setting, &mut steps);
        } else if setting.upgrade_timeouts.is_some() && self.broken_since.is_none() && self.both_open() {
            steps.push(Step::OpenCandidate);
        }
        if self.may_tick(setting) {
            steps.push(Step::Tick);
        }
        steps
    }

    fn steps_of(&self, upgrade: &Upgrade, setting: Setting, steps: &mut Vec<Step>) {
        for side in Side::BOTH {
            let (link, deadline) = match side {
                Side::Server => (&upgrade.to_server, upgrade.server.poll_timeout()),
                Side::Client => (&upgrade.to_client, upgrade.client.poll_timeout()),
            };
            if !link.is_empty() {
                steps.push(Step::DeliverOnCandidate(side));
            }
            let is_due = deadline.is_some_and(|deadline| deadline <= at(self.now));
            if is_due && self.vanished != Some(side) && !is_overdue(link, self.now, setting) {
                steps.push(Step::WakeUpgrade(side));
            }
        }
        if upgrade.client.wants_pause() && self.to_server.is_empty() && self.to_client.is_empty() {
            steps.push(Step::PausePolling);
        }
        match upgrade.candidate {
            Candidate::Alive if setting.breaks => steps.extend([Step::CloseCandidate, Step::HangCandidate]),
            Candidate::Closing(_) => steps.push(Step::CloseCandidate),
            _ => {}
        }
    }

    /// Time stands still until whatever must happen in this tick has happened.
    fn may_tick(&self, setting: Setting) -> bool {
        let now = self.now;
        let is_late = |deadline: Option<Instant>| {
            deadline.is_some_and(|deadline| at(now) >= deadline.saturating_add(lasting(setting.lateness)))
        };
        let sessions = Side::BOTH.into_iter().all(|side| {
            let deadline = either!(self.session(side), session => session.poll_timeout());
            let is_settled = !self.is_up(side) || !is_late(deadline);
            is_settled && !is_overdue(self.link(side), now, setting)
        });
        let upgrade = self.upgrade.as_ref().is_none_or(|upgrade| {
            let polls_end = upgrade.pausing_since.is_none_or(|since| now <= since);
            let can_pause = self.to_server.is_empty() && self.to_client.is_empty();
            let is_closed = match upgrade.candidate {
                Candidate::Closing(since) => now < since + setting.delay,
                _ => true,
            };
            is_closed
                && !is_overdue(&upgrade.to_server, now, setting)
                && !is_overdue(&upgrade.to_client, now, setting)
                && (self.vanished == Some(Side::Server) || !is_late(upgrade.server.poll_timeout()))
                && (self.vanished == Some(Side::Client) || !is_late(upgrade.client.poll_timeout()))
                && (polls_end || !can_pause || !upgrade.client.wants_pause())
        });
        sessions && upgrade
    }
}

/// Whether a packet must have arrived by now.
fn is_overdue<P>(link: &Link<P>, now: Ticks, setting: Setting) -> bool {
    link.front().is_some_and(|&(sent, _)| now >= sent + setting.delay)
}
