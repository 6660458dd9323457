//! TCP and DNS by embassy-net: what depends on the stack below it is here, and nowhere else.

use embassy_futures::yield_now;
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{ConnectError as TcpError, State as TcpState, TcpReader, TcpSocket, TcpWriter};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::{Instant, with_deadline};

use crate::reconnect::{Loss, Report};
use crate::{Client, Connector, Limits, clock};

/// A client over the TCP of embassy-net: the client of a [`TcpConnector`]'s sessions.
pub type TcpClient<'b, 's> = Client<'b, TcpReader<'s>, TcpWriter<'s>>;

/// Connects to one server over TCP, and reconnects when the session ends.
///
/// It leaves TCP keep-alive off and sets no timeout on the socket, because the session itself notices a dead server. It
/// switches Nagle's algorithm off, which would delay a heartbeat behind a message.
///
/// While the board has no link or no address, it awaits [`Stack::wait_link_up`] and [`Stack::wait_config_up`]. No other
/// task should await these, [`Stack::wait_link_down`] or [`Stack::wait_config_down`] meanwhile: in embassy-net 0.9, all four
/// share the place for one task to wake. Two tasks that await any two of them keep waking each other, which keeps the
/// processor busy until a wait is over. Ask [`Stack::is_link_up`] by a timer there.
///
/// ```no_run
/// use core::ops::ControlFlow;
/// use eio_core::{backoff::Backoff, packet::WebSocketMessage};
/// use eio_embassy::{Buffers, ClientSettings, Connector, Endpoint, Reconnect, State, TcpConnector};
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
    /// Creates a connector with [`Limits::DEFAULT`]. `name` is a host name or an IP address. An IPv6
    /// address may stand in brackets, as in a URL.
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

    /// Connects to one address of the server after another, until one answers.
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
        #[cfg(not(all(feature = "proto-ipv4", feature = "proto-ipv6")))]
        let found = with_deadline(deadline, self.stack.dns_query(bare(self.name), KIND)).await;
        #[cfg(not(all(feature = "proto-ipv4", feature = "proto-ipv6")))]
        let found = found.ok().and_then(Result::ok).ok_or(Loss::Unresolved)?;
        #[cfg(not(all(feature = "proto-ipv4", feature = "proto-ipv6")))]
        let mut addresses = found.iter().copied();
        // IPv6 first, which is the default policy of RFC 6724 section 2.1.
        #[cfg(all(feature = "proto-ipv4", feature = "proto-ipv6"))]
        let (v6, v4) = self.both_kinds(deadline).await?;
        #[cfg(all(feature = "proto-ipv4", feature = "proto-ipv6"))]
        let mut addresses = v6.as_ref().iter().chain(v4.as_ref()).copied();
        let deadline = clock::after(self.limits.connect_timeout);
        let mut loss = Loss::Unresolved;
        while let Some(address) = addresses.next() {
            // All but the last get half of the time that is left.
            let until = if addresses.size_hint().0 == 0 { deadline } else { halfway(deadline) };
            let connect = self.socket.connect(IpEndpoint::new(address, self.port));
            loss = match with_deadline(until, connect).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(TcpError::NoRoute)) => Loss::NoRoute,
                Ok(Err(TcpError::ConnectionReset | TcpError::InvalidState)) => Loss::Refused,
                Ok(Err(TcpError::TimedOut)) | Err(_) => Loss::Unreachable,
            };
            self.socket.abort();
        }
        Err(loss)
    }

    /// Returns the server's addresses of IPv6 and those of IPv4: of each kind, if the board has such an address itself.
    #[cfg(all(feature = "proto-ipv4", feature = "proto-ipv6"))]
    async fn both_kinds(
        &self,
        deadline: Instant,
    ) -> Result<
        (impl AsRef<[embassy_net::IpAddress]> + use<>, impl AsRef<[embassy_net::IpAddress]> + use<>),
        Loss,
    > {
        let name = bare(self.name);
        // An address needs no name server, so nobody is asked for its other kind. A name contains no colon.
        let v4 = self.stack.config_v4().is_some() && !name.contains(':');
        let v6 = self.stack.config_v6().is_some() && name.parse::<core::net::Ipv4Addr>().is_err();
        if !(v4 || v6) {
            return Err(Loss::NoRoute);
        }
        let query = async |wanted: bool, kind| {
            if wanted { self.stack.dns_query(name, kind).await.ok() } else { None }
        };
        let (v6, v4) = both(query(v6, DnsQueryType::Aaaa), query(v4, DnsQueryType::A), deadline).await;
        Ok((v6.unwrap_or_default(), v4.unwrap_or_default()))
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

impl Connector for TcpConnector<'_> {
    type Reader<'s> = TcpReader<'s>;
    type Writer<'s> = TcpWriter<'s>;

    async fn wait_online(&mut self, report: &Report<'_, '_>) {
        // Both are checked: a static address stays configured without a link.
        while !(self.stack.is_link_up() && self.stack.is_config_up()) {
            report.offline();
            self.stack.wait_link_up().await;
            self.stack.wait_config_up().await;
        }
    }

    async fn connect(
        &mut self,
        session: impl for<'s> AsyncFnOnce(TcpReader<'s>, TcpWriter<'s>) -> Loss,
    ) -> Loss {
        let this = ClosedOnDrop(self);
        if let Err(loss) = this.0.dial().await {
            return loss;
        }
        let (reader, writer) = this.0.socket.split();
        let loss = session(reader, writer).await;
        this.0.shut_down(loss.is_orderly()).await;
        loss
    }
}

/// The only kind of address.
#[cfg(not(feature = "proto-ipv6"))]
const KIND: DnsQueryType = DnsQueryType::A;
#[cfg(not(feature = "proto-ipv4"))]
const KIND: DnsQueryType = DnsQueryType::Aaaa;

/// Returns the name without the brackets of an IPv6 address.
fn bare(name: &str) -> &str {
    // Without IPv6, such an address is as unknown as any other name, and costs no code.
    if cfg!(not(feature = "proto-ipv6")) {
        return name;
    }
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}

/// Returns the time in the middle between now and the deadline.
fn halfway(deadline: Instant) -> Instant {
    Instant::from_ticks(Instant::now().as_ticks().saturating_add(deadline.as_ticks()) / 2)
}

/// How long to wait for a name's addresses of one kind when those of the other are known.
#[cfg(all(feature = "proto-ipv4", feature = "proto-ipv6"))]
const RESOLUTION_DELAY: embassy_time::Duration = embassy_time::Duration::from_millis(50);

/// Waits for both queries until the deadline. Once one has found addresses, waits for the other only a little longer: a
/// name server that never answers one kind must not hold up the other (RFC 8305 section 3).
#[cfg(all(feature = "proto-ipv4", feature = "proto-ipv6"))]
async fn both<T>(
    v6: impl Future<Output = Option<T>>,
    v4: impl Future<Output = Option<T>>,
    deadline: Instant,
) -> (Option<T>, Option<T>) {
    use core::pin::pin;

    use embassy_futures::select::{Either, select};

    let until = |found: &Option<T>| {
        let soon = Instant::now().saturating_add(RESOLUTION_DELAY);
        if found.is_some() { deadline.min(soon) } else { deadline }
    };
    let (mut v6, mut v4) = (pin!(v6), pin!(v4));
    match with_deadline(deadline, select(v6.as_mut(), v4.as_mut())).await {
        Ok(Either::First(found)) => {
            let other = with_deadline(until(&found), v4).await;
            (found, other.ok().flatten())
        }
        Ok(Either::Second(found)) => {
            let other = with_deadline(until(&found), v6).await;
            (other.ok().flatten(), found)
        }
        Err(_) => (None, None),
    }
}

/// Closes the connection when `connect` is dropped. When `connect` returns, the connection is already closed.
struct ClosedOnDrop<'c, 'a>(&'c mut TcpConnector<'a>);

impl Drop for ClosedOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.socket.close();
    }
}
