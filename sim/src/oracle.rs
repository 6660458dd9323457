//! What every world checks of every session: that it keeps the bounds of [`eio_core::detect`], and that whatever ends it
//! has a cause.
//!
//! The oracle stands beside the session and sees what its program sees: what arrives, which pings are written, what the
//! clock shows. It asks the session for nothing, so a session that errs cannot excuse itself. [`Breach`] says what must
//! hold.

mod watch;

pub(crate) use watch::{Excuse, Moment, Watch};

use core::fmt;
use core::time::Duration;

use eio_core::detect::{self, Detection};
use eio_core::{DisconnectReason, Heartbeat, Liveness, Revision};

use crate::ids::SessionId;
use crate::plan::Plan;
use crate::side::Side;
use crate::time::{Micros, NEVER, Seconds, micros};

/// What a session did that the bounds of [`eio_core::detect`] do not allow. Times are by the clock of its side.
///
/// Every world checks every session until it ends. A breach makes the run panic;
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
    /// The bound was passed. A session has not ended, or has just ended for silence, although
    ///
    /// - it is open, and the time [`after_packet`](Detection::after_packet) has gone by since the peer's last packet, or
    ///   [`after_heartbeat`](Detection::after_heartbeat) since its last heartbeat;
    /// - it is opening, and the [open timeout](Plan::open_timeout) has gone by since the client connected;
    /// - its application does not read, and I + T have gone by since it stopped;
    /// - it is closing, and [`CLOSE_TIMEOUT`](eio_core::session::CLOSE_TIMEOUT) has gone by since it was closed.
    ///
    /// Time in which the program did not run since then does not count.
    Late {
        /// How long ago the bound was passed; zero if the session had not ended at that moment.
        by: Duration,
    },
    /// The bound was undercut. A session has ended for silence, but
    ///
    /// - a side that pings had no ping outstanding for [`after_death_min`](Detection::after_death_min), or not for so
    ///   long since the first other packet that it heard meanwhile
    ///   ([`ExtendOnce`](eio_core::Liveness::ExtendOnce));
    /// - a side that waits for pings has heard one less than [`after_packet`](Detection::after_packet) ago;
    /// - a side for which any packet counts has heard one less than `after_packet` ago, and after its ping if it pings.
    ///
    /// Or a client has waited for its handshake for less than its open timeout, a session for its application for less than
    /// I + T, or a session has ended for silence while its application did not read. Once it reads again, silence counts from
    /// then.
    Early {
        /// How much was missing.
        by: Duration,
    },
    /// A session has ended for silence although nothing silenced its peer: both machines ran, and whatever was sent arrived
    /// soon enough. A heartbeat takes up to eight trips, there and back, because on long-polling it may have to wait for
    /// requests. Soon enough is an eighth of the shortest timeout, less 2 s for an upgrade and less what the clocks are
    /// wrong by; losses and a slow link are a cause only if they hold something up for longer. If this leaves no time at all,
    /// no cause is asked for. The time that counts begins with the unanswered ping, or with the last ping heard. It does not
    /// matter whether the side that judges stalled while it waited for a pong, once its ping has left: on long-polling, a
    /// ping may have to wait for the answer to an earlier request.
    Groundless,
    /// A session has ended for this reason, which is not silence, and nothing has happened that it can be about:
    ///
    /// - for `PeerClose`, `TransportClosed` and `TransportReset`, the peer has ended or died, or the server has given up the
    ///   upgrade that the client believes complete;
    /// - for `TransportError`, this side's kernel has lost the connection;
    /// - for `ApplicationStalled`, this side's application does not read;
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
                write!(f, "{session} has not ended on the {side} at its bound")
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

#[cfg(test)]
mod tests;
