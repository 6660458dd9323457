//! Connecting again: when, and who is told.

use core::ops::ControlFlow;

use eio_core::backoff::Backoff;
use eio_core::session::Disconnect;
use eio_core::{DisconnectReason, Heartbeat};
use embassy_sync::watch::DynSender;
use embassy_time::{Instant, Timer};
use embedded_io_async::{Read, Write};

use crate::{Client, ConnectError, clock};

/// What the connection is doing, for whoever watches: a display, a lamp, a log.
///
/// A watch keeps the last state only: who looks late may miss those between. And it keeps it when the future that
/// reports is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum State {
    /// The board has no link or no address. Nothing is attempted, and no delay grows; the next attempt is made as soon as
    /// it has both.
    Offline,
    /// A connection is being made: name, TCP, HTTP, handshake.
    Connecting,
    /// A session is open, or the application has not come back from one that has ended: see [`State::Lost`].
    Open {
        /// The server's periods: a dead server is noticed after their sum, at most.
        heartbeat: Heartbeat,
        /// The longest message that the server accepts, if it has said so.
        max_payload: Option<u32>,
        /// When it opened.
        since: Instant,
    },
    /// The session has ended, or none came about; its connection is being cleaned up.
    ///
    /// With [`TcpConnector`](crate::TcpConnector) it comes when the application's closure has returned and the session
    /// is closed, not when [`recv`](Client::recv) fails: a closure that goes on after that, or that awaits something
    /// else than the client, is still seen as [`Open`](Self::Open). Let it return at the first error.
    /// [`silent_for`](Disconnect::silent_for) is counted to the end itself.
    ///
    /// When there is nothing to clean up, [`Waiting`](Self::Waiting) follows at once. It is the last state when `run`
    /// returns.
    Lost(Loss),
    /// Waiting for the next attempt.
    Waiting {
        /// When that is.
        until: Instant,
        /// Why the last one ended.
        after: Loss,
    },
}

/// Why there is no session any more, or why none came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Loss {
    /// The server's name has no address, or no name server answered in time.
    #[error("the server's name cannot be resolved")]
    Unresolved,
    /// Nothing can be sent to the server's address: none of the board's own goes with it, it is 0.0.0.0, or the port is
    /// 0. An address behind a gateway that does not exist is [`Unreachable`](Self::Unreachable).
    #[error("no route to the server")]
    NoRoute,
    /// The server's machine refused the connection: nothing listens there.
    #[error("the connection was refused")]
    Refused,
    /// Nothing answered in time.
    #[error("the server cannot be reached: no answer in time")]
    Unreachable,
    /// There was a connection, and no session.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The session ended.
    #[error(transparent)]
    Session(Disconnect),
}

impl Loss {
    /// Whether the connection still is in order, so that it can be closed in order.
    #[cfg_attr(not(feature = "embassy-net"), expect(dead_code, reason = "only TCP has two ways to end"))]
    pub(crate) fn is_orderly(&self) -> bool {
        let Self::Session(end) = self else { return false };
        !matches!(
            end.reason,
            DisconnectReason::PingTimeout
                | DisconnectReason::TransportReset
                | DisconnectReason::TransportError
        )
    }
}

impl From<Disconnect> for Loss {
    fn from(end: Disconnect) -> Self {
        Self::Session(end)
    }
}

/// Makes one attempt after another, with growing, jittered delays, and reports each step.
///
/// It knows nothing about networks: an attempt is a closure that connects, lets the application use the session, and
/// returns why it is over. [`TcpConnector`](crate::TcpConnector) brings such closures for embassy-net. Messages are never
/// kept from one session to the next, so nothing is sent twice.
///
/// ```no_run
/// use core::ops::ControlFlow;
/// use eio_core::backoff::Backoff;
/// use eio_embassy::{Loss, Reconnect, State};
/// use embassy_sync::{blocking_mutex::raw::NoopRawMutex, watch::Watch};
///
/// # async fn example(mut hardware_random: impl FnMut() -> u32) {
/// let watch: Watch<NoopRawMutex, State, 2> = Watch::new();
/// let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut hardware_random, watch.dyn_sender());
/// let never: core::convert::Infallible = reconnect
///     .run(async |attempt| {
///         let (rng, report) = attempt.split();
///         report.connecting();
///         // Connect a modem here, then `Client::new(.., rng, ..)`, `connect` and `report.opened(&client)`.
///         # let _ = rng;
///         ControlFlow::Continue(Loss::Unreachable)
///     })
///     .await;
/// # }
/// ```
pub struct Reconnect<'a> {
    backoff: Backoff,
    rng: &'a mut dyn FnMut() -> u32,
    watch: DynSender<'a, State>,
}

impl<'a> Reconnect<'a> {
    /// `rng` is used for the delays, and lent to the attempts; see [`Client::new`].
    pub const fn new(backoff: Backoff, rng: &'a mut dyn FnMut() -> u32, watch: DynSender<'a, State>) -> Self {
        Self { backoff, rng, watch }
    }

    /// Attempts at once, then again after every [`Loss`], until an attempt returns [`ControlFlow::Break`].
    ///
    /// May be dropped and called again; the delays go on growing where they were. But each call attempts at once: call
    /// it once and leave it running, rather than for every piece of work.
    pub async fn run<B>(
        &mut self,
        mut attempt: impl AsyncFnMut(&mut Attempt<'_, 'a>) -> ControlFlow<B, Loss>,
    ) -> B {
        loop {
            let report = Report { backoff: &mut self.backoff, watch: &self.watch };
            let loss = match attempt(&mut Attempt { rng: &mut *self.rng, report }).await {
                ControlFlow::Continue(loss) => loss,
                ControlFlow::Break(value) => return value,
            };
            let now = clock::now();
            self.backoff.handle_disconnected(now);
            let delay = self.backoff.next_delay((self.rng)());
            let until = clock::not_before(now.saturating_add(delay));
            self.watch.send(State::Waiting { until, after: loss });
            Timer::at(until).await;
        }
    }
}

/// One attempt: lends the randomness, and reports what it does.
pub struct Attempt<'r, 'a> {
    rng: &'r mut dyn FnMut() -> u32,
    report: Report<'r, 'a>,
}

impl<'r, 'a> Attempt<'r, 'a> {
    /// The caller's randomness and the reports apart, because a client keeps the one.
    pub fn split(&mut self) -> (&mut dyn FnMut() -> u32, &mut Report<'r, 'a>) {
        (self.rng, &mut self.report)
    }

    /// The reports.
    pub fn report(&mut self) -> &mut Report<'r, 'a> {
        &mut self.report
    }
}

/// What an attempt reports.
pub struct Report<'r, 'a> {
    backoff: &'r mut Backoff,
    watch: &'r DynSender<'a, State>,
}

impl Report<'_, '_> {
    /// It waits for the network: [`State::Offline`].
    pub fn offline(&self) {
        self.watch.send(State::Offline);
    }

    /// It begins to connect: [`State::Connecting`].
    pub fn connecting(&self) {
        self.watch.send(State::Connecting);
    }

    /// A session is open: [`State::Open`]. Once it has lasted, the next delay is a short one again. Reports nothing of a
    /// client whose session has not opened.
    pub fn opened<R: Read, W: Write>(&mut self, client: &Client<'_, R, W>) {
        let Some(heartbeat) = client.heartbeat() else { return };
        self.backoff.handle_connected(clock::now());
        let since = Instant::now();
        let max_payload = client.max_payload();
        self.watch.send(State::Open { heartbeat, max_payload, since });
    }

    /// It is over, and is being cleaned up: [`State::Lost`].
    pub fn lost(&self, loss: Loss) {
        self.watch.send(State::Lost(loss));
    }
}
