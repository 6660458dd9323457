//! TCP and DNS by embassy-net.

use core::ops::ControlFlow;
use core::time::Duration;

use embassy_futures::yield_now;
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{ConnectError as TcpError, State as TcpState, TcpReader, TcpSocket, TcpWriter};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::with_deadline;

use crate::reconnect::{Attempt, Loss, Reconnect};
use crate::{Buffers, Client, ClientSettings, Endpoint, clock};

/// A client over the TCP of embassy-net.
pub type TcpClient<'c> = Client<'c, TcpReader<'c>, TcpWriter<'c>>;

/// Time limits for the steps before and after a session. Every field has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "built by functional update from DEFAULT")]
pub struct Limits {
    /// The time to resolve the server's name. Default: 10 s.
    ///
    /// embassy-net waits for the first name server for 10 s as well. It asks one by default; if it is built for several,
    /// it reaches the second only with a longer limit.
    pub dns_timeout: Duration,
    /// The time to establish the TCP connection. Default: 10 s.
    pub connect_timeout: Duration,
    /// The time to shut the connection down after a session: to deliver what was written and close in order, or to send
    /// a reset. Default: 2 s.
    pub shutdown_timeout: Duration,
}

impl Limits {
    /// The defaults that each field's documentation states.
    pub const DEFAULT: Self = Self {
        dns_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        shutdown_timeout: Duration::from_secs(2),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Connects to one server over TCP, and reconnects when the session ends.
///
/// It leaves TCP keep-alive off and sets no timeout on the socket, because the session itself notices a dead server. It
/// switches Nagle's algorithm off, which would delay a heartbeat behind a message.
///
/// While the board has no link or no address, it awaits [`Stack::wait_link_up`] and [`Stack::wait_config_up`]. No other
/// task should await these at the same time: in embassy-net 0.9, tasks that wait for the same one keep waking each other,
/// which keeps the processor busy until the wait is over.
///
/// ```no_run
/// use core::ops::ControlFlow;
/// use eio_core::{backoff::Backoff, packet::WebSocketMessage};
/// use eio_embassy::{Buffers, ClientSettings, Endpoint, Reconnect, State, TcpConnector};
/// use embassy_sync::{blocking_mutex::raw::NoopRawMutex, watch::Watch};
///
/// # async fn task(stack: embassy_net::Stack<'_>, mut random: impl FnMut() -> u32) {
/// let watch: Watch<NoopRawMutex, State, 2> = Watch::new();
/// let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut random, watch.dyn_sender());
///
/// let (mut tcp_rx, mut tcp_tx, mut rx, mut tx) = ([0; 1024], [0; 1024], [0; 1024], [0; 512]);
/// let mut connector = TcpConnector::new(stack, "10.0.2.2", 3000, &mut tcp_rx, &mut tcp_tx);
/// let buffers = Buffers { rx: &mut rx, tx: &mut tx };
/// let endpoint = Endpoint::engineio("10.0.2.2:3000");
/// let _: core::convert::Infallible = connector
///     .run(&mut reconnect, &endpoint, buffers, &ClientSettings::DEFAULT, async |client| {
///         if client.send(WebSocketMessage::Text("hello")).await.is_ok() {
///             while let Ok(event) = client.recv().await {
///                 let _ = event;
///             }
///         }
///         ControlFlow::Continue(())
///     })
///     .await;
/// # }
/// ```
pub struct TcpConnector<'a> {
    stack: Stack<'a>,
    name: &'a str,
    port: u16,
    limits: Limits,
    socket: TcpSocket<'a>,
}

impl<'a> TcpConnector<'a> {
    /// Creates a connector with [`Limits::DEFAULT`]. `name` is a host name or an IPv4 address.
    ///
    /// The two buffers are those of the TCP socket. `tcp_rx` is the window that the server sees. A message longer than
    /// `tcp_tx` waits for the server's acknowledgements.
    ///
    /// # Panics
    /// Panics if the stack's resources have no free socket. The connector needs one, and DNS another.
    pub fn new(
        stack: Stack<'a>,
        name: &'a str,
        port: u16,
        tcp_rx: &'a mut [u8],
        tcp_tx: &'a mut [u8],
    ) -> Self {
        let mut socket = TcpSocket::new(stack, tcp_rx, tcp_tx);
        socket.set_nagle_enabled(false);
        Self { stack, name, port, limits: Limits::DEFAULT, socket }
    }

    /// Returns the connector with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Connects, calls `session` with the open session, and cleans up when `session` returns. Repeats this after a delay
    /// until `session` returns [`ControlFlow::Break`].
    ///
    /// `session` may return at any time. If the session is still open then, it is closed. If it ended because the server
    /// was silent, the TCP connection is reset, so that the stack keeps nothing for a dead server.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the TCP connection without a close frame. The stack still delivers what was written,
    /// and FIN, with two exceptions: calling `run` again before that is done resets the connection, and dropping the
    /// connector stops the delivery. The watch keeps its last state.
    pub async fn run<B>(
        &mut self,
        reconnect: &mut Reconnect<'_>,
        endpoint: &Endpoint<'_>,
        buffers: Buffers<'_>,
        settings: &ClientSettings,
        mut session: impl AsyncFnMut(&mut TcpClient<'_>) -> ControlFlow<B>,
    ) -> B {
        let Buffers { rx, tx } = buffers;
        let this = ClosedOnDrop(self);
        reconnect
            .run(async |attempt| {
                let buffers = Buffers { rx: &mut *rx, tx: &mut *tx };
                this.0.attempt(attempt, endpoint, buffers, settings, &mut session).await
            })
            .await
    }

    async fn attempt<B>(
        &mut self,
        attempt: &mut Attempt<'_, '_>,
        endpoint: &Endpoint<'_>,
        buffers: Buffers<'_>,
        settings: &ClientSettings,
        session: &mut impl AsyncFnMut(&mut TcpClient<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B, Loss> {
        // Both are checked: a static address stays configured without a link.
        while !(self.stack.is_link_up() && self.stack.is_config_up()) {
            attempt.report().offline();
            self.stack.wait_link_up().await;
            self.stack.wait_config_up().await;
        }
        attempt.report().connecting();
        let (flow, loss) = match self.dial().await {
            Ok(()) => self.hold(attempt, endpoint, buffers, settings, session).await,
            Err(loss) => (ControlFlow::Continue(()), loss),
        };
        attempt.report().lost(loss);
        self.shut_down(loss.is_orderly()).await;
        flow.map_continue(|()| loss)
    }

    /// Resolves the name and connects.
    async fn dial(&mut self) -> Result<(), Loss> {
        // A dropped call, or a server that never closes its half, may have left a connection, and `connect` would make
        // the socket forget it without a word to the server. So reset it. The reset wakes the stack's task, and after two
        // yields that task has run, in whatever order the executor polls.
        if self.socket.state() != TcpState::TimeWait {
            self.socket.abort();
        }
        yield_now().await;
        yield_now().await;
        let deadline = clock::after(self.limits.dns_timeout);
        let query = with_deadline(deadline, self.stack.dns_query(self.name, DnsQueryType::A)).await;
        let addresses = query.ok().and_then(Result::ok).ok_or(Loss::Unresolved)?;
        let address = *addresses.first().ok_or(Loss::Unresolved)?;
        let deadline = clock::after(self.limits.connect_timeout);
        let connect = self.socket.connect(IpEndpoint::new(address, self.port));
        match with_deadline(deadline, connect).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(TcpError::NoRoute)) => Err(Loss::NoRoute),
            Ok(Err(TcpError::ConnectionReset | TcpError::InvalidState)) => Err(Loss::Refused),
            Ok(Err(TcpError::TimedOut)) | Err(_) => Err(Loss::Unreachable),
        }
    }

    /// Opens a session and lends it to the application's closure until that returns.
    async fn hold<B>(
        &mut self,
        attempt: &mut Attempt<'_, '_>,
        endpoint: &Endpoint<'_>,
        buffers: Buffers<'_>,
        settings: &ClientSettings,
        session: &mut impl AsyncFnMut(&mut TcpClient<'_>) -> ControlFlow<B>,
    ) -> (ControlFlow<B>, Loss) {
        let (reader, writer) = self.socket.split();
        let (rng, report) = attempt.split();
        let mut client = match Client::new(reader, writer, buffers, rng, settings) {
            Ok(client) => client,
            Err(error) => return (ControlFlow::Continue(()), error.into()),
        };
        if let Err(error) = client.connect(endpoint).await {
            return (ControlFlow::Continue(()), error.into());
        }
        report.opened(&client);
        let flow = session(&mut client).await;
        let end = client.close().await;
        (flow, end.into())
    }

    /// Ends the connection: in order if the peer still responds, otherwise with a reset.
    async fn shut_down(&mut self, orderly: bool) {
        let deadline = clock::after(self.limits.shutdown_timeout);
        let mut orderly = orderly;
        loop {
            if orderly {
                self.socket.close();
            } else {
                self.socket.abort();
            }
            // A reset only has to be sent: no peer acknowledges it.
            let flushed = with_deadline(deadline, self.socket.flush()).await.is_ok();
            if flushed || !orderly {
                return;
            }
            orderly = false;
        }
    }
}

/// Closes the connection when `run` is dropped. When `run` returns, the connection is already closed.
struct ClosedOnDrop<'c, 'a>(&'c mut TcpConnector<'a>);

impl Drop for ClosedOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.socket.close();
    }
}
