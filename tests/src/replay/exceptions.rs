//! Where the reference fails, or is softer than this project wants to be: differences that are meant.
//!
//! Each is known by what happened, and each checks that the machine did what its own rules say.
//!
//! | id | observed | ours |
//! |---|---|---|
//! | `B1` | revision 4 server: a ping outstanding at packet `5`, then silence, and the session stays open | ping timeout at the deadline |
//! | `B2` | revision 3 server, 6.6: no ping timeout ever after an upgrade | the same |
//! | `B3` | server: the loop was blocked, the evidence unread, ping timeout | evidence before expiry: open |
//! | `B4` | server: unasked pongs put the next ping off, or count as its answer | a ping I after the last awaited pong; only what comes after it is its answer |
//! | `B6` | server: an upgrade in another revision is let in | refused |
//! | `B27` | server: an upgrade that was not offered is let in | refused |
//! | `B28` | client: a handshake without its upgrades never finishes opening | opens |
//! | `12.1` | client: as B3 | open, until the deadline after the ping that was unread |
//! | `12.2` | revision 3 server, any-packet rule: silence right after an upgrade is not noticed | ping timeout at the deadline |
//! | `12.4` | server, before 4.1: a heartbeat in the wrong direction is ignored | wrong direction |
//! | `12.6` | `1` over WebSocket is ignored | the session ends |
//! | `12.8` | client: unusable timing, no handshake first, or a second one | the session ends at once |
//! | `12.11` | server: the next ping counts from the pong alone | at most T/2 late |
//! | `rule 2` | 0.9 client without heartbeats: gives up at once | the close timeout counts |
//! | `rule 8` | what the reference ignores or calls a parse error, being no packet, too large, or a handshake without a sid | the reason says so |
//! | `rule 11` | revision 3 client: unasked pongs, and the next ping is put off | a ping I after the last awaited pong |
//!
//! B numbers are the failures of the peers, 12.x the protocol requirements that follow from them, rules those that
//! every session keeps.

use eio_core::handshake::{Field, HandshakeErrorKind};
use eio_core::packet::PacketType;
use eio_core::session::{DisconnectReason, Violation};
use eio_core::{Liveness, Revision};

use super::drive::micros;
use super::judge::{Difference, Differs};
use super::plan::{GRAIN, JITTER, Plan, Role, What};
use super::run::{Ignored, Run, Step};
use super::transcript::Micros;

/// A difference that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) id: &'static str,
    /// The replay goes on as if this packet had not come, as the reference did.
    pub(crate) resume: Option<Ignored>,
}

/// Everything that an exception may look at.
struct Case<'c> {
    plan: &'c Plan,
    run: &'c Run,
    difference: &'c Difference,
}

/// The exception that explains `difference`, if the machine did there what it should.
pub(crate) fn explain(plan: &Plan, run: &Run, difference: &Difference) -> Option<Exception> {
    let case = Case { plan, run, difference };
    case.ended().or_else(|| case.stayed_open()).or_else(|| case.emitted())
}

/// After this one, the rest of the session is not compared.
const fn stop(id: &'static str) -> Exception {
    Exception { id, resume: None }
}

impl Case<'_> {
    /// Ours ended, and the reference did not, or not for that reason.
    fn ended(&self) -> Option<Exception> {
        let Differs::End { recorded, .. } = &self.difference.kind else { return None };
        let (at, reason) = self.run.end?;
        // The reference ended no earlier, or it is another story.
        let outlived = recorded.as_ref().is_none_or(|(recorded, _)| *recorded > at + JITTER);
        let before_end =
            self.steps().rev().find(|(_, step)| !matches!(step, Step::Ended(_) | Step::Emitted { .. }));
        match (reason, before_end.map(|(_, step)| step)) {
            (DisconnectReason::PingTimeout, _) if outlived && self.deadline() == Some(at) => {
                self.unnoticed_silence(at)
            }
            (
                DisconnectReason::PeerClose,
                Some(Step::Packet { packet: PacketType::Close, input, socket: true }),
            ) => {
                let input = *input;
                let resume = Some(Ignored { input, packet: Some(PacketType::Close) });
                Some(Exception { id: "12.6", resume })
            }
            (DisconnectReason::WrongDirection, Some(Step::Packet { packet, input, .. })) if outlived => {
                let resume = Some(Ignored { input: *input, packet: Some(*packet) });
                Some(Exception { id: "12.4", resume })
            }
            (DisconnectReason::BadHandshake(error), _) if self.plan.role == Role::Client => {
                let of_sid =
                    matches!(error, HandshakeErrorKind::Missing(Field::Sid) | HandshakeErrorKind::Sid(_));
                Some(stop(if of_sid { "rule 8" } else { "12.8" }))
            }
            (DisconnectReason::UnexpectedPacket, _) if self.plan.role == Role::Client => Some(stop("12.8")),
            (DisconnectReason::ParseError(_), Some(Step::Garbage { input }))
                if outlived && self.plan.revision == Revision::V3 =>
            {
                let resume = Some(Ignored { input: *input, packet: None });
                Some(Exception { id: "rule 8", resume })
            }
            (DisconnectReason::Violation(Violation::PayloadTooLarge), _) => {
                let same_time = recorded.as_ref().is_some_and(|(recorded, word)| {
                    recorded + GRAIN >= at
                        && *recorded <= at + JITTER
                        && word.as_deref() == Some("parse error")
                });
                if same_time { Some(stop("rule 8")) } else { None }
            }
            _ => None,
        }
    }

    /// Ours noticed a silence, on time, that the reference did not.
    fn unnoticed_silence(&self, at: Micros) -> Option<Exception> {
        let upgraded = self.steps().find(|(_, step)| *step == Step::Upgraded).map(|(at, _)| *at);
        match (self.plan.role, self.plan.revision, upgraded) {
            (Role::Server, Revision::V4, Some(upgraded)) => {
                let ping = self.last(|step| matches!(step, Step::Emitted { what: What::Ping, .. }))?;
                let answered =
                    self.steps().any(|(at, step)| *at >= upgraded && is_packet(step, PacketType::Pong));
                if ping <= upgraded && upgraded < at && !answered { Some(stop("B1")) } else { None }
            }
            (Role::Server, Revision::V3, Some(upgraded)) if upgraded < at => {
                let any_packet = self.plan.liveness == Liveness::AnyPacket;
                let silent =
                    !self.steps().any(|(at, step)| *at > upgraded && matches!(step, Step::Packet { .. }));
                match (any_packet, silent) {
                    (true, true) => Some(stop("12.2")),
                    (true, false) => None,
                    (false, _) => Some(stop("B2")),
                }
            }
            (Role::Server, Revision::V4, None) if self.pong_before_its_ping() => Some(stop("B4")),
            (Role::Client, ..) if self.hangs() => Some(stop("B28")),
            _ => None,
        }
    }

    /// The ping that ours awaits an answer to was preceded by a pong, which the reference took for the answer: it read
    /// that after its ping, or takes any.
    fn pong_before_its_ping(&self) -> bool {
        let heartbeats = self.steps().rev().filter_map(|(_, step)| match step {
            Step::Emitted { what: What::Ping, .. } => Some(PacketType::Ping),
            Step::Packet { packet: PacketType::Pong, .. } => Some(PacketType::Pong),
            _ => None,
        });
        let mut heartbeats = heartbeats.peekable();
        let mut pongs = 0;
        if heartbeats.next() != Some(PacketType::Ping) {
            return false;
        }
        while heartbeats.next_if_eq(&PacketType::Pong).is_some() {
            pongs += 1;
        }
        pongs > usize::from(heartbeats.peek().is_some())
    }

    /// The reference ended for silence, with the evidence unread; ours read it first.
    fn stayed_open(&self) -> Option<Exception> {
        let end = self.plan.recorded.end.as_ref()?;
        if end.reason.as_deref() != Some("ping timeout") || self.difference.at > end.at {
            return None;
        }
        let blocked = self.plan.blocked.iter().any(|(from, to)| {
            // What came in shortly before the block may have been unread too.
            from.saturating_sub(JITTER) <= self.difference.at && (*from..=to + JITTER).contains(&end.at)
        });
        let evidence = match self.plan.role {
            Role::Server => PacketType::Pong,
            Role::Client => PacketType::Ping,
        };
        let read = self.steps().filter(|(at, step)| *at <= end.at + JITTER && is_packet(step, evidence));
        let last = read.map(|(at, _)| *at).max()?;
        let was_open = self.run.end.is_none_or(|(at, _)| at > end.at);
        let allowance = micros(self.plan.heartbeat.max_silence());
        let pings_due = self.plan.role == Role::Server || self.plan.revision == Revision::V4;
        if !(blocked && was_open && pings_due && last + allowance > end.at) {
            return None;
        }
        Some(stop(match self.plan.role {
            Role::Server => "B3",
            Role::Client => "12.1",
        }))
    }

    /// Something was sent by one of the two only, or the reference let in what ours refused.
    fn emitted(&self) -> Option<Exception> {
        match &self.difference.kind {
            Differs::Admitted if !self.plan.offers_upgrade => Some(stop("B27")),
            Differs::Admitted => Some(stop("B6")),
            Differs::Emission { ours: Some(_), .. } if self.hangs() => Some(stop("B28")),
            Differs::Emission { ours: Some((due, What::Ping)), .. } => self.unasked_pongs(*due),
            _ => None,
        }
    }

    /// The reference client got a handshake, and never opened.
    fn hangs(&self) -> bool {
        self.plan.role == Role::Client
            && !self.plan.recorded.opened
            && self.steps().any(|(_, step)| *step == Step::Opened)
    }

    /// Ours pings although unasked pongs came in, an interval after the last awaited one.
    fn unasked_pongs(&self, due: Micros) -> Option<Exception> {
        let interval = micros(self.plan.heartbeat.ping_interval());
        let half_timeout = micros(self.plan.heartbeat.ping_timeout()) / 2;
        let mut base = None;
        let mut ping = None;
        let mut unasked = false;
        for (at, step) in self.steps().take_while(|(at, _)| *at < due) {
            match step {
                Step::Opened => base = Some(*at),
                Step::Emitted { what: What::Ping, due } => ping = Some(*at.max(due)),
                Step::Packet { packet: PacketType::Pong, .. } if ping.is_some() => {
                    let latest = ping.map_or(*at, |ping| ping + half_timeout);
                    base = Some((*at).min(latest));
                    (ping, unasked) = (None, false);
                }
                Step::Packet { packet: PacketType::Pong, .. } => unasked = true,
                _ => {}
            }
        }
        if !unasked || base? + interval != due {
            return None;
        }
        match (self.plan.role, self.plan.revision) {
            (Role::Server, Revision::V4) => Some(stop("B4")),
            (Role::Client, Revision::V3) => Some(stop("rule 11")),
            _ => None,
        }
    }

    /// When silence must end the session, by the protocol's tables, counted from the trace alone.
    fn deadline(&self) -> Option<Micros> {
        let interval = micros(self.plan.heartbeat.ping_interval());
        let timeout = micros(self.plan.heartbeat.ping_timeout());
        let mut deadline = None;
        let mut extended = true;
        for (at, step) in self.steps() {
            let later = match (self.plan.role, self.plan.revision, step) {
                (Role::Server, Revision::V4, Step::Emitted { what: What::Ping, due }) => {
                    extended = false;
                    Some(at.max(due) + timeout)
                }
                (Role::Server, Revision::V4, Step::Packet { packet, .. }) => match self.plan.liveness {
                    Liveness::AnyPacket => Some(at + interval + timeout),
                    Liveness::ExtendOnce if !extended && *packet != PacketType::Pong => {
                        extended = true;
                        Some(at + timeout)
                    }
                    _ => None,
                },
                (Role::Server, Revision::V3, Step::Packet { packet, .. }) => {
                    let counts = *packet == PacketType::Ping || self.plan.liveness == Liveness::AnyPacket;
                    counts.then_some(at + interval + timeout)
                }
                (Role::Server, Revision::V3, Step::Opened) | (Role::Client, Revision::V4, Step::Opened) => {
                    Some(at + interval + timeout)
                }
                (Role::Client, Revision::V4, Step::Packet { packet: PacketType::Ping, .. })
                | (Role::Client, Revision::V3, Step::Packet { .. }) => Some(at + interval + timeout),
                (Role::Client, Revision::V3, Step::Emitted { what: What::Ping, due }) => {
                    Some(at.max(due) + timeout)
                }
                _ => None,
            };
            deadline = later.or(deadline);
        }
        deadline
    }

    fn steps(&self) -> impl DoubleEndedIterator<Item = &(Micros, Step)> {
        self.run.trace.iter()
    }

    fn last(&self, wanted: impl Fn(&Step) -> bool) -> Option<Micros> {
        self.steps().filter(|(_, step)| wanted(step)).map(|(at, _)| *at).last()
    }
}

fn is_packet(step: &Step, wanted: PacketType) -> bool {
    matches!(step, Step::Packet { packet, .. } if *packet == wanted)
}
