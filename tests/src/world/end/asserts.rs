//! What a story asks of an end, and what it asserts.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::session::CheckSendError;
use eio_core::upgrade::UpgradeOutcome;

use super::End;
use crate::world::lanes::Subject as _;
use crate::world::letter::{Body, Letter};
use crate::world::scene::Millis;
use crate::world::subjects::Happened;

impl End {
    /// Whether a message may be sent now.
    ///
    /// # Errors
    /// What the session says.
    #[track_caller]
    pub fn check_send(&mut self) -> Result<(), CheckSendError> {
        let now = self.read_clock();
        self.mind().session.ask(now, |session, now, _| session.check_send(now))
    }

    /// The latest round trip.
    #[must_use]
    #[track_caller]
    pub fn rtt(&self) -> Option<Duration> {
        self.mind().session.ask(0, |session, _, _| session.rtt())
    }

    /// When it ended, in milliseconds since the story began, rounded down.
    #[must_use]
    pub fn ended_at(&self) -> Option<u64> {
        self.ended_at.map(|at| at / 1_000)
    }

    /// Why it ended, and how long the peer had been silent.
    #[must_use]
    #[track_caller]
    pub fn ending(&self) -> Option<(DisconnectReason, Duration)> {
        self.mind().session.ask(0, |session, _, _| session.ending().map(|end| (end.reason, end.silent_for)))
    }

    /// When it wants to be woken, in microseconds of its own clock since the story began.
    #[must_use]
    #[track_caller]
    pub fn deadline(&self) -> Option<i64> {
        self.mind().session.poll_timeout()
    }

    /// It has not ended, and nobody closes it.
    #[track_caller]
    pub fn assert_open(&self) {
        if !self.mind().session.ask(0, |session, _, _| session.is_open()) {
            self.fail(format_args!("expected it open; it ended: {:?}", self.ending()));
        }
    }

    /// It has not ended.
    #[track_caller]
    pub fn assert_not_ended(&self) {
        if self.ending().is_some() {
            self.fail(format_args!("expected it not to have ended; it did: {:?}", self.ending()));
        }
    }

    /// It has ended, for this reason.
    #[track_caller]
    pub fn assert_ended(&self, reason: DisconnectReason) {
        if self.ending().map(|(reason, _)| reason) != Some(reason) {
            self.fail(format_args!("expected the end {reason:?}; got {:?}", self.ending()));
        }
    }

    /// It ended then, in milliseconds since the story began, for this reason.
    #[track_caller]
    pub fn assert_ended_at(&self, millis: u64, reason: DisconnectReason) {
        self.assert_ended(reason);
        if self.ended_at != Some(millis * 1_000) {
            self.fail(format_args!("expected its end at {millis} ms; got {:?} µs", self.ended_at));
        }
    }

    /// The peer had been silent for so long when it ended.
    #[track_caller]
    pub fn assert_silent_for(&self, time: Duration) {
        if self.ending().map(|(_, silent_for)| silent_for) != Some(time) {
            self.fail(format_args!("expected a silence of {time:?}; got {:?}", self.ending()));
        }
    }

    /// All that it wrote, with the milliseconds since the story began.
    #[track_caller]
    pub fn assert_wrote(&self, expected: &[(u64, &str)]) {
        self.assert_letters("wrote", &self.written, expected);
    }

    /// All that it heard, with the milliseconds since the story began.
    #[track_caller]
    pub fn assert_heard(&self, expected: &[(u64, &str)]) {
        self.assert_letters("heard", &self.heard, expected);
    }

    /// All that its session told its application, in order.
    #[track_caller]
    pub fn assert_happened(&self, expected: &[Happened]) {
        let happened: Vec<_> = self.happened.iter().map(|(_, what)| what).collect();
        if happened != expected.iter().collect::<Vec<_>>() {
            self.fail(format_args!("expected the events {expected:?}; got {happened:?}"));
        }
    }

    /// The messages that reached its application, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        let message = |(_, what): &(u64, Happened)| match what {
            Happened::Message(Body::Text(text)) => Some(text.clone()),
            _ => None,
        };
        self.happened.iter().filter_map(message).collect()
    }

    /// How often it wrote this text.
    #[must_use]
    pub fn wrote(&self, text: &str) -> usize {
        self.written.iter().filter(|(_, letter)| letter.to_string() == text).count()
    }

    /// Its upgrade ended so.
    #[track_caller]
    pub fn assert_upgrade(&self, outcome: UpgradeOutcome) {
        if self.outcome != Some(outcome) {
            self.fail(format_args!("expected the upgrade {outcome:?}; got {:?}", self.outcome));
        }
    }

    /// Its upgrade goes on.
    #[track_caller]
    pub fn assert_upgrading(&self) {
        if self.upgrade.is_none() || self.outcome.is_some() {
            self.fail(format_args!("expected it to upgrade; got {:?}", self.outcome));
        }
    }

    #[track_caller]
    fn assert_letters(&self, verb: &str, letters: &[(u64, Letter)], expected: &[(u64, &str)]) {
        let same = letters.len() == expected.len()
            && letters
                .iter()
                .zip(expected)
                .all(|((at, letter), (millis, text))| *at == millis * 1_000 && letter.to_string() == *text);
        if !same {
            let letters: Vec<_> =
                letters.iter().map(|(at, letter)| format!("{}: {letter}", Millis(*at))).collect();
            self.fail(format_args!("{verb} {letters:?}, not {expected:?}"));
        }
    }
}
