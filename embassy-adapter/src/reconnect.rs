//! Reconnecting: when to try again, and the states that are reported meanwhile.

use core::cell::Cell;
use core::ops::ControlFlow;

use eio_core::backoff::Backoff;
use eio_core::session::SessionEnd;
use eio_core::{DisconnectReason, Heartbeat};
use embassy_sync::watch::DynSender;
use embassy_time::{Instant, Timer};
use embedded_io_async::{Read, Write};

use crate::{Client, ConnectError, clock};

/// The state of the connection, for a display, a lamp or a log.
///
/// A watch keeps only the latest state, so a slow receiver can miss some. It also keeps that state when the future that
/// reports is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum State {
    /// The board has no link or no address. No attempt is made and no delay grows. When the board has both, the next
    /// attempt starts after a random time, up to the shortest delay of the [`Backoff`]: a network that is back is back for
    /// other boards, too.
    Offline,
    /// An attempt is in progress: DNS, TCP, HTTP, handshake.
    Connecting,
    /// A session is open, or the application's closure has not yet returned after its end: see [`State::Lost`].
    Open {
        /// The server's periods. A dead server is noticed within their sum after its last ping.
        heartbeat: Heartbeat,
        /// The longest message that the server accepts, if it has announced one.
        max_payload: Option<u32>,
        /// When the session opened.
        since: Instant,
    },
    /// The session has ended, or the attempt to open one has failed over an open stream. The connection is being cleaned
    /// up. An attempt that opened no stream (no address, refused, no TLS) or could not begin is reported only by
    /// [`Waiting`](Self::Waiting).
    ///
    /// [`TcpConnector`](crate::TcpConnector) reports this when the application's closure has returned and the session is
    /// closed, not already when [`recv`](Client::recv) fails. Until the closure returns, the state stays
    /// [`Open`](Self::Open), so return at the first error. [`silent_for`](SessionEnd::silent_for) is still measured at
    /// the end of the session.
    ///
    /// If there is nothing to clean up, [`Waiting`](Self::Waiting) follows at once. If `run` returns, this is the last
    /// state.
    Lost(Loss),
    /// The next attempt is scheduled.
    Waiting {
        /// When the next attempt starts.
        until: Instant,
        /// Why the last session or attempt ended.
        after: Loss,
    },
}

/// The reason why a session ended, or why an attempt to open one failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Loss {
    /// The server's name has no address, or no name server answered in time.
    #[error("the server's name cannot be resolved")]
    Unresolved,
    /// Nothing can be sent to the server's address: the board has no address that can reach it, the server's address is
    /// 0.0.0.0, or the port is 0. A gateway that does not exist gives [`Unreachable`](Self::Unreachable) instead.
    #[error("no route to the server")]
    NoRoute,
    /// The server's machine refused the connection: no program listens on the port.
    #[error("the connection was refused")]
    Refused,
    /// The server's machine did not answer in time.
    #[error("the server cannot be reached: no answer in time")]
    Unreachable,
    /// The connection was established, but no TLS connection opened over it.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(crate::tls::OpenError),
    /// TLS failed in an open session.
    #[cfg(feature = "tls")]
    #[error("the TLS connection failed: {0}")]
    TlsFault(crate::tls::Fault),
    /// The connection was established, but no session opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The session ended.
    #[error(transparent)]
    Session(SessionEnd),
}

impl Loss {
    /// Returns whether the connection still works, so that a [`Connector`](crate::Connector) can close it in order. If
    /// not, the connector resets it.
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        let Self::Session(end) = self else { return false };
        !matches!(
            end.reason,
            DisconnectReason::PingTimeout
                | DisconnectReason::TransportReset
                | DisconnectReason::TransportError
        )
    }
}

impl From<SessionEnd> for Loss {
    fn from(end: SessionEnd) -> Self {
        Self::Session(end)
    }
}

/// Makes one attempt after another, with growing, jittered delays, and reports each step.
///
/// It does not depend on a network: an attempt is a closure that connects, lets the application use the session, and
/// returns why the session ended. [`TcpConnector`](crate::TcpConnector) provides these closures for embassy-net. Messages
/// are not kept from one session to the next, so nothing is sent twice.
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
    /// Creates it with the delays of `backoff`, and reports to `watch`. `rng` jitters the delays and is lent to the
    /// attempts; see [`Client::new`].
    pub const fn new(backoff: Backoff, rng: &'a mut dyn FnMut() -> u32, watch: DynSender<'a, State>) -> Self {
        Self { backoff, rng, watch }
    }

    /// Begins the first attempt at once, and another after every [`Loss`], until an attempt returns
    /// [`ControlFlow::Break`].
    ///
    /// The future may be dropped and `run` called again: the delays continue to grow from where they were. If a session is
    /// open, it counts as ended when the future is dropped. Each call makes its first attempt without a delay, so call it
    /// once and leave it running.
    pub async fn run<B>(
        &mut self,
        mut attempt: impl AsyncFnMut(&mut Attempt<'_, 'a>) -> ControlFlow<B, Loss>,
    ) -> B {
        loop {
            let was_offline = Cell::new(false);
            let report = Report { backoff: Timed(&mut self.backoff), watch: &self.watch, was_offline };
            let loss = match attempt(&mut Attempt { rng: &mut *self.rng, report }).await {
                ControlFlow::Continue(loss) => loss,
                ControlFlow::Break(value) => return value,
            };
            let until = clock::after(self.backoff.next_delay((self.rng)()));
            self.watch.send(State::Waiting { until, after: loss });
            Timer::at(until).await;
        }
    }
}

/// One attempt: lends the randomness and reports the steps.
pub struct Attempt<'r, 'a> {
    rng: &'r mut dyn FnMut() -> u32,
    report: Report<'r, 'a>,
}

impl<'r, 'a> Attempt<'r, 'a> {
    /// Returns the caller's randomness and the reports separately, because a [`Client`] borrows the randomness for as
    /// long as it lives.
    pub fn split(&mut self) -> (&mut dyn FnMut() -> u32, &mut Report<'r, 'a>) {
        (self.rng, &mut self.report)
    }

    /// Returns the reports.
    pub fn report(&mut self) -> &mut Report<'r, 'a> {
        &mut self.report
    }

    /// Returns until when to wait if the network is back that was away since the last call. Other boards behind the same
    /// switch have it back in the same second, so the time is random.
    pub(crate) fn spread_until(&mut self) -> Option<Instant> {
        let Self { rng, report } = self;
        report.was_offline.take().then(|| clock::after(report.backoff.0.spread_delay(rng())))
    }
}

/// Reports the steps of an attempt to the watch.
pub struct Report<'r, 'a> {
    backoff: Timed<'r>,
    watch: &'r DynSender<'a, State>,
    was_offline: Cell<bool>,
}

/// The delays during an attempt. When this is dropped, the attempt is over, and with it the session, if there was one.
struct Timed<'r>(&'r mut Backoff);

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.0.handle_disconnected(clock::now());
    }
}

impl Report<'_, '_> {
    /// Reports [`State::Offline`]: the attempt waits for the network.
    pub fn offline(&self) {
        self.was_offline.set(true);
        self.watch.send(State::Offline);
    }

    /// Reports [`State::Connecting`]: the attempt begins to connect.
    pub fn connecting(&self) {
        self.watch.send(State::Connecting);
    }

    /// Reports [`State::Open`]: the session of `client` is open. If the session then lasts long enough, the next delay is
    /// short again; see [`Backoff`]. Does nothing if the session has not opened.
    pub fn opened<R: Read, W: Write>(&mut self, client: &Client<'_, R, W>) {
        let Some(heartbeat) = client.heartbeat() else { return };
        self.backoff.0.handle_connected(clock::now());
        let since = Instant::now();
        let max_payload = client.max_payload();
        self.watch.send(State::Open { heartbeat, max_payload, since });
    }

    /// Reports [`State::Lost`]: the session has ended or the attempt has failed, and is being cleaned up.
    pub fn lost(&self, loss: Loss) {
        self.watch.send(State::Lost(loss));
    }
}
