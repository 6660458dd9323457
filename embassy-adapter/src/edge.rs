//! TCP and DNS by any network stack that implements edge-nal's traits.

use core::net::{IpAddr, SocketAddr};

use edge_nal::{AddrType, Close, Dns, TcpConnect, TcpShutdown, TcpSplit};
use embassy_time::with_deadline;
use embedded_io_async::{Error, ErrorKind};

use crate::reconnect::Loss;
use crate::{Connector, Limits, clock};

/// Connects to one server over the TCP of a network stack that implements edge-nal's traits: that of esp-idf or of the
/// standard library, for example. Over embassy-net, [`TcpConnector`](crate::TcpConnector) can do more.
///
/// A name has one address there, which the stack chooses. Whether a connection stays without a word to the server when the
/// future of [`run`](Connector::run) is dropped is up to the stack. The reads and writes of its sockets must be futures that
/// may be dropped while they wait; see [`Client`](crate::Client#cancellation).
///
/// ```no_run
/// use core::ops::ControlFlow;
/// use eio_core::backoff::Backoff;
/// use eio_embassy::{Buffers, ClientSettings, Connector, EdgeConnector, Endpoint, Reconnect, State};
/// use embassy_sync::{blocking_mutex::raw::NoopRawMutex, watch::Watch};
/// # use edge_nal::{Dns, TcpConnect};
///
/// # async fn task<S: TcpConnect + Dns>(stack: &'static S, mut random: impl FnMut() -> u32) {
/// let watch: Watch<NoopRawMutex, State, 2> = Watch::new();
/// let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut random, watch.dyn_sender());
/// let (mut rx, mut tx) = ([0; 1024], [0; 512]);
/// let buffers = Buffers { rx: &mut rx, tx: &mut tx };
/// let endpoint = Endpoint::engineio("server.example:3000");
/// EdgeConnector::new(stack, stack, "server.example", 3000)
///     .run(&mut reconnect, &endpoint, buffers, &ClientSettings::DEFAULT, async |client| {
///         while client.recv().await.is_ok() {}
///         ControlFlow::<()>::Continue(())
///     })
///     .await;
/// # }
/// ```
#[derive(Debug)]
pub struct EdgeConnector<'a, T: 'static, D> {
    tcp: &'static T,
    dns: &'a D,
    name: &'a str,
    port: u16,
    limits: Limits,
}

impl<'a, T: TcpConnect, D: Dns> EdgeConnector<'a, T, D> {
    /// Creates a connector with [`Limits::DEFAULT`]. `tcp` and `dns` are often the same stack, in a `static`. `name` is a
    /// host name or an IP address. An IPv6 address may stand in brackets, as in a URL.
    pub const fn new(tcp: &'static T, dns: &'a D, name: &'a str, port: u16) -> Self {
        Self { tcp, dns, name, port, limits: Limits::DEFAULT }
    }

    /// Returns the connector with other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    async fn address(&self) -> Result<IpAddr, Loss> {
        let name = self.name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(self.name);
        if let Ok(address) = name.parse() {
            return Ok(address);
        }
        let query = self.dns.get_host_by_name(name, AddrType::Either);
        let found = with_deadline(clock::after(self.limits.dns_timeout), query).await;
        found.ok().and_then(Result::ok).ok_or(Loss::Unresolved)
    }

    async fn dial(&self) -> Result<T::Socket<'static>, Loss> {
        let remote = SocketAddr::new(self.address().await?, self.port);
        let deadline = clock::after(self.limits.connect_timeout);
        match with_deadline(deadline, self.tcp.connect(remote)).await {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(error)) => Err(match error.kind() {
                ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Loss::Refused,
                ErrorKind::AddrNotAvailable => Loss::NoRoute,
                _ => Loss::Unreachable,
            }),
            Err(_) => Err(Loss::Unreachable),
        }
    }
}

impl<T: TcpConnect, D: Dns> Connector for EdgeConnector<'_, T, D> {
    type Reader<'s> = <T::Socket<'static> as TcpSplit>::Read<'s>;
    type Writer<'s> = <T::Socket<'static> as TcpSplit>::Write<'s>;

    async fn connect(
        &mut self,
        session: impl for<'s> AsyncFnOnce(Self::Reader<'s>, Self::Writer<'s>) -> Loss,
    ) -> Loss {
        let mut socket = match self.dial().await {
            Ok(socket) => socket,
            Err(loss) => return loss,
        };
        let (reader, writer) = socket.split();
        let loss = session(reader, writer).await;
        let deadline = clock::after(self.limits.shutdown_timeout);
        let closed = loss.is_orderly()
            && matches!(with_deadline(deadline, socket.close(Close::Write)).await, Ok(Ok(())));
        if !closed {
            let _ = with_deadline(deadline, socket.abort()).await;
        }
        loss
    }
}
