//! What every world checks of every session: that it keeps the bounds of [`eio_core::detect`], and that whatever ends it
//! has a cause.
//!
//! The oracle stands beside the session and sees what its program sees: what arrives, which pings are written, what the
//! clock shows. It asks the session for nothing, so a session that errs cannot excuse itself. [`Breach`] says what must
//! hold.

use core::fmt;
use core::time::Duration;

use eio_core::detect::{self, Detection};
use eio_core::packet::PacketType;
use eio_core::{DisconnectReason, Heartbeat, Liveness, Revision};

use crate::ids::SessionId;
use crate::plan::Plan;
use crate::side::Side;
use crate::time::{Micros, NEVER, Seconds, micros};

/// What a session did that the bounds of [`eio_core::detect`] do not allow. Times are by the clock of its side.
///
/// Every world checks every session that is open, as long as it is. A breach makes the run panic;
/// [`World::breach`](crate::World::breach) names the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// When, since the world began.
    pub at: Duration,
    /// Which session.
    pub session: SessionId,
    /// Which side of it.
    pub side: Side,
    /// What it did.
    pub what: Wrong,
}

/// What a [`Breach`] consists in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// The bound was passed. A session is still open, or has just ended for silence, although the time
    /// [`after_packet`](Detection::after_packet) has gone by since the peer's last packet, or
    /// [`after_heartbeat`](Detection::after_heartbeat) since its last heartbeat. Time in which the program did not run
    /// since that heartbeat does not count.
    Late {
        /// How long ago the bound was passed; zero if the session was still open at that moment.
        by: Duration,
    },
    /// The bound was undercut. A session has ended for silence, but
    ///
    /// - a side that pings had no ping outstanding for [`after_death_min`](Detection::after_death_min), or not for so
    ///   long since the first other packet that it heard meanwhile
    ///   ([`ExtendOnce`](eio_core::Liveness::ExtendOnce));
    /// - a side that waits for pings has heard one less than [`after_packet`](Detection::after_packet) ago;
    /// - a side for which any packet counts has heard one less than `after_packet` ago, and after its ping if it pings.
    Early {
        /// How much was missing.
        by: Duration,
    },
    /// A session has ended for silence although nothing silenced its peer: both machines ran, no segment was lost or held
    /// back, and the delays of the link are far below the timeout. The time that counts begins with the unanswered ping,
    /// or with the last ping heard. It does not matter whether the side that judges stalled while it waited for a pong, once
    /// its ping has left: on long-polling, a ping may have to wait for the answer to an earlier request.
    Groundless,
    /// A session has ended for this reason, which is not silence, and nothing has happened that it can be about:
    ///
    /// - for `PeerClose`, `TransportClosed` and `TransportReset`, the peer has ended or died, or the server has given up the
    ///   upgrade that the client believes complete;
    /// - for `TransportError`, this side's kernel has lost the connection;
    /// - for `OpenTimeout`, the server has died, the client did not run, or something has held up the handshake, as under
    ///   [`Groundless`](Self::Groundless).
    ///
    /// `LocalClose` is not judged. Other reasons have no cause in a world, because no session breaks the protocol.
    Unfounded(DisconnectReason),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, side, .. } = self;
        match self.what {
            Wrong::Late { by: Duration::ZERO } => {
                write!(f, "{session} is still open on the {side} at its bound")
            }
            Wrong::Late { by } => {
                write!(f, "{session} passed its bound on the {side} by {}", Seconds(micros(by)))
            }
            Wrong::Early { by } => {
                write!(f, "{session} ended on the {side} {} before its bound", Seconds(micros(by)))
            }
            Wrong::Groundless => {
                write!(f, "{session} ended on the {side} for silence, and nothing had silenced its peer")
            }
            Wrong::Unfounded(reason) => {
                write!(f, "{session} ended on the {side} for a reason without a cause: {reason}")
            }
        }
    }
}

/// How close sessions came to the bounds of [`eio_core::detect`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Margins {
    /// Ends for silence that were judged.
    pub judged: u64,
    /// Those of them for which the program had run all the time since the peer's last heartbeat.
    pub undisturbed: u64,
    /// The smallest time that was left to the latest end that the bounds allow; `None` if nothing was judged.
    pub to_latest: Option<Duration>,
    /// The smallest time since the earliest end that they allow.
    pub to_earliest: Option<Duration>,
}

impl Margins {
    fn add(&mut self, to_earliest: Micros, to_latest: Micros, ran: bool) {
        let least = |margin: Option<Duration>, other: Micros| {
            let other = Duration::from_micros(other);
            Some(margin.map_or(other, |margin| margin.min(other)))
        };
        self.judged += 1;
        self.undisturbed += u64::from(ran);
        self.to_earliest = least(self.to_earliest, to_earliest);
        self.to_latest = least(self.to_latest, to_latest);
    }
}

/// Which packets postpone the end, besides the heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    None,
    /// The first one after a ping.
    First,
    All,
}

/// The bounds of one side of the sessions of a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    after_heartbeat: Micros,
    after_packet: Micros,
    after_death_min: Micros,
    /// This side sends the pings.
    pings: bool,
    counts: Counts,
}

impl Bounds {
    pub(crate) fn of(plan: &Plan, side: Side) -> Self {
        let heartbeat = match (side, plan.client_timeout_at_most) {
            (Side::Client, Some(most)) => shortened(plan.heartbeat, most),
            _ => plan.heartbeat,
        };
        let detection = match (side, plan.revision) {
            (Side::Server, Revision::V4) => detect::eio4_server(heartbeat, plan.liveness),
            (Side::Server, Revision::V3) => detect::eio3_server(heartbeat, plan.liveness),
            (Side::Client, Revision::V4) => detect::eio4_client(heartbeat),
            (Side::Client, Revision::V3) => detect::eio3_client(heartbeat),
        };
        let pings = (side == Side::Server) == (plan.revision == Revision::V4);
        let counts = match (side, plan.revision, plan.liveness) {
            (Side::Client, Revision::V3, _) | (Side::Server, _, Liveness::AnyPacket) => Counts::All,
            (Side::Server, Revision::V4, Liveness::ExtendOnce) => Counts::First,
            _ => Counts::None,
        };
        let Detection { after_heartbeat, after_packet, after_death_min, .. } = detection;
        Self {
            after_heartbeat: after_heartbeat.map_or(NEVER, micros),
            after_packet: micros(after_packet),
            after_death_min: micros(after_death_min),
            pings,
            counts,
        }
    }

    /// The same, with less time for the session.
    pub(crate) fn shorter(self, by: Micros) -> Self {
        let less = |time: Micros| if time == NEVER { NEVER } else { time.saturating_sub(by) };
        Self { after_heartbeat: less(self.after_heartbeat), after_packet: less(self.after_packet), ..self }
    }

    /// How long the answer to a ping may take, which is how long a ping may be late.
    pub(crate) const fn patience(&self) -> Micros {
        self.after_death_min
    }

    pub(crate) const fn pings(&self) -> bool {
        self.pings
    }

    pub(crate) const fn silence(&self) -> Micros {
        self.after_packet
    }
}

/// The heartbeat of a client that is stricter than the handshake. A fraction of a millisecond counts as a whole one.
fn shortened(heartbeat: Heartbeat, most: Duration) -> Heartbeat {
    let millis = u64::try_from(most.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
    let timeout = heartbeat.ping_timeout().min(Duration::from_millis(millis));
    Heartbeat::new(heartbeat.ping_interval(), timeout).unwrap_or(heartbeat)
}

/// A moment in true time, and by the clock of this side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Micros,
    pub(crate) reading: Micros,
}

impl Moment {
    const NEVER: Self = Self { at: NEVER, reading: NEVER };
}

/// Why a session may end later than the bounds say, by the clock of its side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excuse {
    /// How long the program has not run since the last heartbeat.
    pub(crate) away: Micros,
    /// By how much the clock steps over the moment of a ping, and of the end after it.
    pub(crate) steps: Micros,
}

/// What one side of a session has seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    /// The peer's last heartbeat, or the opening.
    beat: Moment,
    /// Its last packet.
    heard: Micros,
    /// The ping that is not answered yet.
    asked: Moment,
    /// The last packet that counts, since the heartbeat or the ping; [`NEVER`] if there was none.
    counted: Micros,
    /// How long a test kept the program from running since the heartbeat.
    kept: Micros,
    /// When anything of the peer was last read, also what is no packet of the session, in true time.
    read: Micros,
    /// When the session must have ended.
    latest: Micros,
}

impl Watch {
    /// A side that is not open.
    pub(crate) const CLOSED: Self = Self {
        beat: Moment::NEVER,
        heard: NEVER,
        asked: Moment::NEVER,
        counted: NEVER,
        kept: 0,
        read: NEVER,
        latest: NEVER,
    };

    pub(crate) fn open(&mut self, now: Moment, bounds: &Bounds) {
        *self = Self { beat: now, heard: now.reading, ..Self::CLOSED };
        self.latest = self.bound(bounds);
    }

    pub(crate) fn hear(&mut self, now: Moment, packet: PacketType, bounds: &Bounds) {
        self.heard = now.reading;
        let is_asked = self.asked.at != NEVER;
        let is_heartbeat = match packet {
            PacketType::Pong => bounds.pings && is_asked,
            PacketType::Ping => !bounds.pings,
            _ => false,
        };
        if is_heartbeat {
            (self.beat, self.asked) = (now, Moment::NEVER);
            (self.counted, self.kept) = (NEVER, 0);
        } else {
            let counts = match bounds.counts {
                Counts::None => false,
                Counts::First => is_asked && self.counted == NEVER,
                Counts::All => is_asked || !bounds.pings,
            };
            if counts {
                self.counted = now.reading;
            }
        }
        self.latest = self.bound(bounds);
    }

    pub(crate) const fn ask(&mut self, now: Moment) {
        (self.asked, self.counted) = (now, NEVER);
    }

    /// The program reads something of the peer.
    pub(crate) const fn read(&mut self, now: Micros) {
        self.read = now;
    }

    /// A ping leaves that had to wait. It is a heartbeat of the peer if the peer has let it go, which shows in something of the
    /// peer that is read at this moment. A ping that this side lets go by itself gets no more time.
    pub(crate) fn release(&mut self, now: Moment, bounds: &Bounds) {
        if self.asked.at == NEVER || self.read != now.at {
            return;
        }
        // A packet that counts may allow more time than the ping.
        if self.earliest(bounds) <= now.reading.saturating_add(bounds.after_death_min) {
            self.counted = NEVER;
        }
        (self.beat, self.heard, self.asked) = (now, now.reading, now);
        self.kept = 0;
        self.latest = self.bound(bounds);
    }

    /// The program will not run for so long.
    pub(crate) const fn keep(&mut self, time: Micros) {
        self.kept = self.kept.saturating_add(time);
    }

    /// By when the session must have ended.
    pub(crate) const fn latest(&self) -> Micros {
        self.latest
    }

    /// The peer's last heartbeat.
    pub(crate) const fn beat(&self) -> Moment {
        self.beat
    }

    /// How long a test has kept the program from running since then.
    pub(crate) const fn kept(&self) -> Micros {
        self.kept
    }

    /// Since when the peer owes something.
    pub(crate) const fn owed_since(&self, bounds: &Bounds) -> Micros {
        if bounds.pings { self.asked.at } else { self.beat.at }
    }

    /// The session is open at `reading`. Returns by how much the bound is passed.
    pub(crate) fn check_open(&mut self, reading: Micros, excuse: Excuse, bounds: &Bounds) -> Option<Micros> {
        self.latest = self.latest_with(excuse, bounds);
        reading.checked_sub(self.latest)
    }

    /// The session has ended for silence at `reading`.
    pub(crate) fn check_end(
        &self,
        reading: Micros,
        excuse: Excuse,
        bounds: &Bounds,
        margins: &mut Margins,
    ) -> Option<Wrong> {
        let latest = self.latest_with(excuse, bounds);
        if reading > latest {
            return Some(Wrong::Late { by: Duration::from_micros(reading - latest) });
        }
        let earliest = self.earliest(bounds);
        if reading < earliest {
            let missing = if earliest == NEVER { bounds.after_death_min } else { earliest - reading };
            return Some(Wrong::Early { by: Duration::from_micros(missing) });
        }
        margins.add(reading - earliest, latest - reading, excuse.away == 0);
        None
    }

    fn latest_with(&self, excuse: Excuse, bounds: &Bounds) -> Micros {
        self.bound(bounds).saturating_add(excuse.away).saturating_add(excuse.steps)
    }

    /// By when the session of a program that runs all the time must have ended.
    fn bound(&self, bounds: &Bounds) -> Micros {
        let by_packet = self.heard.saturating_add(bounds.after_packet);
        by_packet.min(self.beat.reading.saturating_add(bounds.after_heartbeat))
    }

    /// When the session may end for silence; [`NEVER`] while its peer owes nothing.
    fn earliest(&self, bounds: &Bounds) -> Micros {
        match (bounds.counts, self.counted) {
            (_, NEVER) if bounds.pings => self.asked.reading.saturating_add(bounds.after_death_min),
            (_, NEVER) => self.beat.reading.saturating_add(bounds.after_packet),
            (Counts::First, counted) => counted.saturating_add(bounds.after_death_min),
            (_, counted) => counted.saturating_add(bounds.after_packet),
        }
    }
}

#[cfg(test)]
mod tests;
