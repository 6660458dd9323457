//! What a session's history amounts to: every timer that the tables name, armed or not.

use eio_core::Heartbeat;

use super::super::mistakes::Mistake;
use super::super::times::{Micros, periods};
use super::{Cause, Owed, Phase, Role, Said};

/// What the history amounts to.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) last_seen: Micros,
    pub(crate) rtt: Option<Micros>,
    pub(crate) said: Said,
    pub(crate) interval: Micros,
    pub(crate) timeout: Micros,
    /// The latest time of any input.
    pub(crate) clock: Micros,
    /// Why and when it ended.
    pub(crate) end: Option<(Cause, Micros)>,
    /// What the peer's close frame said.
    pub(crate) close_code: Option<u16>,
    pub(super) owed: Vec<Owed>,
    pub(super) open_by: Option<Micros>,
    pub(super) close_by: Option<Micros>,
    /// Why a closing session closes.
    pub(super) closing: Cause,
    pub(super) next_ping: Option<Micros>,
    /// When the ping that awaits its pong was sent.
    pub(super) unanswered: Option<Micros>,
    pub(super) extended: bool,
    pub(super) silence: Option<Silence>,
    pub(super) stalled_by: Option<Micros>,
    /// The longest `pingTimeout` that the handshake may set.
    pub(super) timeout_at_most: Option<Micros>,
    pub(super) mistake: Mistake,
}

impl State {
    /// When something is due; `None` once the session has ended.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        if self.phase == Phase::Ended {
            return None;
        }
        let silence = self.judged_silence().map(|silence| silence.by);
        [self.open_by, self.close_by, self.next_ping, silence, self.stalled_by].into_iter().flatten().min()
    }

    /// Whether the deadline for silence has passed at `now`. One that lies behind a ping still to be sent has not:
    /// the ping will set it anew.
    pub(crate) fn is_expired(&self, now: Micros) -> bool {
        let now = now.max(self.clock);
        self.next_ping.is_none() && self.judged_silence().is_some_and(|silence| silence.by <= now)
    }

    /// Silence is not judged while the application does not read.
    pub(super) fn judged_silence(&self) -> Option<Silence> {
        let is_judged = self.stalled_by.is_none() || self.mistake == Mistake::SilenceIsJudgedWhilePaused;
        self.silence.filter(|_| is_judged && self.phase != Phase::Ended)
    }

    pub(super) fn open(&mut self, role: Role, heartbeat: Heartbeat, now: Micros) {
        self.phase = Phase::Open;
        self.open_by = None;
        (self.interval, self.timeout) = periods(heartbeat);
        if let Some(most) = self.timeout_at_most {
            self.timeout = self.timeout.min(most);
        }
        if role.asks() {
            self.next_ping = Some(now.saturating_add(self.interval));
        } else {
            self.listen_for(now, self.interval + self.timeout);
        }
    }

    pub(super) fn wake(&mut self, now: Micros) -> Said {
        let due = |deadline: Option<Micros>| deadline.is_some_and(|deadline| deadline <= now);
        if due(self.open_by) {
            return self.end(now, Cause::OpenTimeout);
        }
        let judged = self.judged_silence().map(|silence| silence.by);
        if self.phase == Phase::Closing {
            // Whichever was first; silence says more when both were.
            let first = [self.close_by, judged].into_iter().flatten().min();
            if due(first) {
                let cause = if first == judged { Cause::PingTimeout } else { self.closing };
                return self.end(now, cause);
            }
            return Said::Nothing;
        }
        if due(self.stalled_by) {
            return self.end(now, Cause::Stalled);
        }
        // A ping that was due long ago is written first, and its whole timeout counts from now.
        if due(self.next_ping) && self.mistake != Mistake::SilenceIsJudgedBeforeThePing
            || due(self.next_ping) && !due(judged)
        {
            let since = match self.mistake {
                Mistake::PeriodsCountFromTheMissedDeadline => self.next_ping.expect("due"),
                _ => now,
            };
            self.next_ping = None;
            self.unanswered = Some(now);
            self.extended = false;
            self.listen_for(since, self.timeout);
            self.owe(Owed::Ping);
            return Said::PingDue;
        }
        if due(judged) {
            return self.end(now, Cause::PingTimeout);
        }
        Said::Nothing
    }

    /// The peer has its whole timeout from now to answer, but not less than it had.
    pub(super) fn ping_sent(&mut self, now: Micros) -> Said {
        if self.phase != Phase::Open || self.unanswered.is_none() {
            return Said::Nothing;
        }
        self.unanswered = Some(now);
        if self.stalled_by.is_none() || self.mistake != Mistake::LatePingStaysExtendedInAPause {
            self.extended = false;
        }
        let by = now.saturating_add(self.timeout);
        if let Some(silence) = &mut self.silence
            && silence.by <= by
            && self.mistake != Mistake::LatePingKeepsItsDeadline
        {
            silence.by = by;
            if self.mistake == Mistake::LatePingTakesAwayWhatAPacketHasAllowed {
                silence.allowance = self.timeout;
            }
        }
        Said::Nothing
    }

    pub(super) fn listen_for(&mut self, since: Micros, allowance: Micros) {
        self.silence = Some(Silence { by: since.saturating_add(allowance), allowance });
    }

    pub(super) fn answered(&mut self, rtt: Micros) -> Said {
        self.rtt = Some(rtt);
        Said::Answered(rtt)
    }

    /// Silence counts anew from now, and for as long as it was allowed to last.
    pub(super) fn resume(&mut self, now: Micros) -> Said {
        if self.stalled_by.take().is_some()
            && let Some(silence) = &mut self.silence
        {
            silence.by = now.saturating_add(silence.allowance);
        }
        Said::Nothing
    }

    pub(super) fn close(&mut self, now: Micros, allowance: Micros, cause: Cause) -> Said {
        match self.phase {
            Phase::Opening => {
                self.end(now, cause);
            }
            Phase::Open => {
                self.phase = Phase::Closing;
                self.closing = cause;
                if self.mistake != Mistake::ClosingIsNotBounded {
                    self.close_by = Some(now.saturating_add(allowance));
                }
                self.owe(Owed::Close);
                // There is no application any more that could fail to read.
                self.resume(now);
                // The ping that is not written any more would have given the peer this long.
                if let Some(ping) = self.next_ping.take() {
                    self.listen_for(ping.max(now), self.timeout);
                }
            }
            Phase::Closing | Phase::Ended => {}
        }
        Said::Nothing
    }

    pub(super) fn end(&mut self, now: Micros, cause: Cause) -> Said {
        let peer_listens =
            !matches!(cause, Cause::PeerClose | Cause::TransportClosed | Cause::TransportReset);
        let close_waits = self.owed.contains(&Owed::Close);
        let closing = self.phase == Phase::Closing;
        // Closing is the first cause of whatever follows, and silence is the word for a peer that does not take it.
        let cause = if closing && cause != Cause::PingTimeout { self.closing } else { cause };
        self.owed.clear();
        if peer_listens && (!closing || close_waits || self.mistake == Mistake::CloseIsOwedTwice) {
            self.owed.push(Owed::Close);
        }
        self.phase = Phase::Ended;
        self.end = Some((cause, now));
        Said::Ended(cause)
    }

    pub(super) fn close_frame(&mut self, now: Micros, code: u16) -> Said {
        self.last_seen = now;
        self.close_code = Some(code);
        self.end(now, Cause::TransportClosed)
    }

    /// Whether a ping is due that has not been taken.
    pub(crate) fn owes_ping(&self) -> bool {
        self.owed.contains(&Owed::Ping)
    }

    pub(super) fn owe(&mut self, packet: Owed) {
        if !self.owed.contains(&packet) {
            self.owed.push(packet);
        }
    }

    pub(super) fn take(&mut self) -> Option<Owed> {
        // The `close` packet goes last.
        let at = self.owed.iter().position(|owed| *owed != Owed::Close).or(self.owed.first().map(|_| 0))?;
        Some(self.owed.remove(at))
    }
}

/// The peer may be silent until `by`, and after a pause for `allowance`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    pub(super) by: Micros,
    pub(super) allowance: Micros,
}
