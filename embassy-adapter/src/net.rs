//! TCP and DNS by embassy-net.

use core::ops::ControlFlow;
use core::time::Duration;

use embassy_futures::yield_now;
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{ConnectError as TcpError, State as TcpState, TcpReader, TcpSocket, TcpWriter};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::with_deadline;

use crate::reconnect::{Attempt, Loss, Reconnect};
use crate::{Buffers, Client, Endpoint, Settings, clock};

/// A session over embassy-net.
pub type TcpClient<'c> = Client<'c, TcpReader<'c>, TcpWriter<'c>>;

/// How long each step may take before the session's own settings apply. Every field has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "built by functional update from DEFAULT")]
pub struct Limits {
    /// To resolve the server's name: 10 s. For as long does embassy-net wait for the first name server: if it is built for
    /// several (by default, it asks one), the second is asked only with a longer limit.
    pub dns_timeout: Duration,
    /// To establish the TCP connection: 10 s.
    pub connect_timeout: Duration,
    /// After a session: to deliver what was written and close the connection in order, or to tell the server's machine
    /// of a reset: 2 s.
    pub shutdown_timeout: Duration,
}

impl Limits {
    /// The limits that each field's documentation states.
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

/// Connects to one server by TCP, again and again.
///
/// It works with TCP keep-alive off and no timeout on the socket, and leaves both so: the session notices a dead server
/// by itself. Nagle's algorithm is switched off, because it would hold a heartbeat back behind a message.
///
/// Without a link or an address it waits for [`Stack::wait_link_up`] and [`Stack::wait_config_up`]. Of several tasks
/// that wait for one of these, embassy-net 0.9 wakes each whenever another begins to wait, so that they keep the
/// processor busy until the wait is over: let no other task wait while it does.
///
/// ```no_run
/// use core::ops::ControlFlow;
/// use eio_core::{backoff::Backoff, packet::Frame};
/// use eio_embassy::{Buffers, Endpoint, Reconnect, Settings, State, TcpConnector};
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
///     .run(&mut reconnect, &endpoint, buffers, &Settings::DEFAULT, async |client| {
///         if client.send(Frame::Text("hello")).await.is_ok() {
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
    /// `name` is a name or an IPv4 address; the two buffers are the TCP socket's. `tcp_rx` is the window that the
    /// server sees; messages longer than `tcp_tx` wait for the server's acknowledgements.
    ///
    /// # Panics
    /// When the stack's resources have no free socket: it needs one for this, and one for DNS.
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

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Connects, calls `session` with the open session, cleans up when it returns, and does it again after a delay,
    /// until `session` returns [`ControlFlow::Break`].
    ///
    /// `session` may return at any time: a session that is still open is closed then. After one that ended for
    /// silence the TCP connection is reset, so that nothing is kept for a dead server.
    ///
    /// May be dropped, which closes the TCP connection: without a close frame, but the stack still delivers what was
    /// written, and FIN. (It resets the connection instead if `run` is called again before that is done, and sends no
    /// more once the connector itself is dropped.) The watch goes on showing what it showed.
    pub async fn run<B>(
        &mut self,
        reconnect: &mut Reconnect<'_>,
        endpoint: &Endpoint<'_>,
        buffers: Buffers<'_>,
        settings: &Settings,
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
        settings: &Settings,
        session: &mut impl AsyncFnMut(&mut TcpClient<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B, Loss> {
        // An address that was not given by DHCP stays without a link.
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
        // A call that was dropped a moment ago, or a server that never closes its half, has left a connection that
        // connecting would make the socket forget. So reset it; after two turns the stack's task, which the reset wakes,
        // has had one, whatever the executor's order.
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

    /// Opens a session and lends it to the application, until it returns.
    async fn hold<B>(
        &mut self,
        attempt: &mut Attempt<'_, '_>,
        endpoint: &Endpoint<'_>,
        buffers: Buffers<'_>,
        settings: &Settings,
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

    /// Ends the connection: in order where somebody listens, with a reset where nobody does.
    async fn shut_down(&mut self, orderly: bool) {
        let deadline = clock::after(self.limits.shutdown_timeout);
        let mut orderly = orderly;
        loop {
            if orderly {
                self.socket.close();
            } else {
                self.socket.abort();
            }
            // A reset only has to be on the wire; nobody acknowledges it.
            let flushed = with_deadline(deadline, self.socket.flush()).await.is_ok();
            if flushed || !orderly {
                return;
            }
            orderly = false;
        }
    }
}

/// Closes the connection when `run` is dropped. Otherwise that has happened already.
struct ClosedOnDrop<'c, 'a>(&'c mut TcpConnector<'a>);

impl Drop for ClosedOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.socket.close();
    }
}
