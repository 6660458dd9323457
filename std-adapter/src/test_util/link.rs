//! A client's way to a server: its conditions, and the connections over it.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use crate::test_util::connection::Connection;
use crate::test_util::listening::Listening;
use crate::test_util::stream::NetworkStream;

/// How many bytes a connection holds in each direction by default, like a small buffer of a socket.
const BUFFER: usize = 64 * 1024;

/// The first port that a client's connection has (RFC 6335 section 6).
const FIRST_PORT: u16 = 49_152;

/// A client's way to the server of a [`Network`](crate::test_util::Network): a cable that a test can cut, with an address of
/// its own.
///
/// [`ClientBuilder::link`](crate::ClientBuilder::link) makes a client use it. All connections over a link share its
/// conditions, which a test may change at any time. Cloning returns another handle to the same link.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use eio_tokio::test_util::Network;
/// use eio_tokio::{Client, DisconnectReason, Server, Socket};
/// use tokio::time::Instant;
///
/// let network = Network::new();
/// let server = Server::builder(|socket: Socket| async move { drop(socket.closed().await) }).build()?;
/// tokio::spawn({
///     let (server, listener) = (server.clone(), network.listen());
///     async move { server.serve(listener).await }
/// });
///
/// let link = network.link();
/// let client = Client::builder("http://chat.test").link(&link).build()?;
/// let socket = client.connect().await?;
///
/// link.cut();
/// let cut = Instant::now();
/// let end = socket.closed().await;
/// // A ping every 25 s, and 20 s for the answer: the defaults of the server.
/// assert_eq!(end.reason, DisconnectReason::PingTimeout);
/// assert_eq!(cut.elapsed(), Duration::from_secs(45));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    listening: Arc<Listening>,
    address: IpAddr,
    conditions: watch::Sender<Conditions>,
    /// Locked while the conditions change, so that no connection misses a change.
    connections: Mutex<Connections>,
}

#[derive(Clone, Copy, Debug)]
struct Conditions {
    delay: Duration,
    is_cut: bool,
    refuses: bool,
    buffer: usize,
}

struct Connections {
    open: Vec<Weak<Connection>>,
    next_port: u16,
}

impl Link {
    pub(super) fn new(listening: Arc<Listening>, address: IpAddr) -> Self {
        let conditions = Conditions { delay: Duration::ZERO, is_cut: false, refuses: false, buffer: BUFFER };
        Self(Arc::new(Inner {
            listening,
            address,
            conditions: watch::Sender::new(conditions),
            connections: Mutex::new(Connections { open: Vec::new(), next_port: FIRST_PORT }),
        }))
    }

    /// Sets how long everything takes in one direction. Default: zero.
    ///
    /// Opening a connection takes twice as long. What is on its way arrives when it would have. In paused time, use whole
    /// milliseconds: tokio's timers round up to them.
    pub fn set_delay(&self, delay: Duration) {
        self.change(|conditions| conditions.delay = delay, |connection| connection.set_delay(delay));
    }

    /// Sets how many bytes a connection holds in each direction until its reader takes them. Further writes wait. Default:
    /// 64 KiB. It applies to the connections that are opened from now on. Zero counts as one.
    pub fn set_buffer(&self, bytes: usize) {
        self.change(|conditions| conditions.buffer = bytes.max(1), |_| {});
    }

    /// Cuts the cable. Neither side is told. Does nothing if it is cut already.
    ///
    /// Nothing arrives any more, and what is on its way is kept. Connections that are being opened wait.
    pub fn cut(&self) {
        self.change(|conditions| conditions.is_cut = true, Connection::cut);
    }

    /// Mends the cable. What was kept arrives after one [delay](Self::set_delay), as if it were sent now. Does nothing if
    /// the cable is not cut.
    ///
    /// Only what an end sent that has since [given the connection up](Self::reset) does not arrive: nothing sends it again.
    ///
    /// TCP learns of the mending by its next attempt, and waits twice as long between attempts each time. So with real
    /// sockets, bytes can come later, by up to the time for which the cable was cut. For a test of that, mend the cable
    /// later.
    pub fn mend(&self) {
        self.change(|conditions| conditions.is_cut = false, Connection::mend);
    }

    /// Resets all connections: both ends get [`ConnectionReset`](io::ErrorKind::ConnectionReset) at once, even if the cable
    /// is cut. What has not arrived is lost. A router that forgets its connections, or a balancer that restarts, does this.
    ///
    /// New connections can be opened.
    pub fn reset(&self) {
        self.change(|_| {}, Connection::reset);
    }

    /// Sets whether new connections are refused, with [`ConnectionRefused`](io::ErrorKind::ConnectionRefused), as by a
    /// firewall. Open connections stay. Default: `false`.
    ///
    /// Connections are also refused while nobody [listens](crate::test_util::Network::listen).
    pub fn refuse(&self, refuses: bool) {
        self.change(|conditions| conditions.refuses = refuses, |_| {});
    }

    /// Returns the address of this link's clients, which the server sees. Each connection has a port of its own.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.address
    }

    /// Opens a connection to the server, for a client that is not of this crate. It takes twice the
    /// [delay](Self::set_delay), and waits while the cable is cut.
    ///
    /// # Errors
    /// Returns [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if the link [refuses](Self::refuse) connections, or
    /// if nobody listens.
    pub async fn connect(&self) -> io::Result<NetworkStream> {
        self.round_trip().await;
        let refused = |why: &str| Err(io::Error::new(io::ErrorKind::ConnectionRefused, why));
        let mut connections = self.connections();
        let conditions = *self.0.conditions.borrow();
        if conditions.refuses {
            return refused("the link refuses connections");
        }
        let connection = Arc::new(Connection::new(conditions.delay, conditions.is_cut, conditions.buffer));
        let [client, server] = NetworkStream::pair(&connection);
        let peer = SocketAddr::new(self.0.address, connections.next_port);
        if self.0.listening.hand_over((server, peer)).is_err() {
            return refused("nobody listens on the network");
        }
        connections.next_port = connections.next_port.checked_add(1).unwrap_or(FIRST_PORT);
        connections.open.retain(|connection| connection.strong_count() > 0);
        connections.open.push(Arc::downgrade(&connection));
        Ok(client)
    }

    /// Waits until a connection's opening has been there and back, undisturbed.
    async fn round_trip(&self) {
        let mut conditions = self.0.conditions.subscribe();
        loop {
            // The link holds the sender, so waiting does not fail.
            let delay = conditions.wait_for(|now| !now.is_cut).await.map_or(Duration::ZERO, |now| now.delay);
            if delay.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep(delay.saturating_mul(2)) => return,
                _ = conditions.wait_for(|now| now.is_cut) => {}
            }
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.0.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, conditions: impl FnOnce(&mut Conditions), connection: impl Fn(&Connection)) {
        let connections = self.connections();
        self.0.conditions.send_modify(conditions);
        let open: Vec<_> = connections.open.iter().filter_map(Weak::upgrade).collect();
        for open in &open {
            connection(open);
        }
        drop(connections);
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { address, conditions, .. } = &*self.0;
        f.debug_struct("Link")
            .field("address", address)
            .field("conditions", &*conditions.borrow())
            .finish_non_exhaustive()
    }
}
