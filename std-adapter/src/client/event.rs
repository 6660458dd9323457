//! The events of a client.

use core::time::Duration;

use eio_core::handshake::Transport;
use eio_core::upgrade::UpgradeOutcome;

use crate::client::error::ConnectError;
use crate::client::handshake::HandshakeInfo;
use crate::session::end::Disconnect;
use crate::wire::message::Message;

/// An event of a client. Events come in the order in which they happened. Use them for logs, terminals and graphs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The client starts an attempt to open a session.
    Connecting,
    /// A connection to the server, including TLS, is open and will carry a request. Long-polling uses several connections,
    /// and a session that moves to WebSocket uses one more.
    Connected,
    /// The attempt did not open a session.
    ConnectFailed {
        /// The reason.
        error: ConnectError,
    },
    /// The server redirected the client, and the client [follows](crate::ClientBuilder::follow_redirects).
    Redirected {
        /// The target: a URL without its query, which may hold secrets.
        to: String,
    },
    /// The client [tries](crate::ClientBuilder::try_all_transports) the next transport.
    TryingTransport {
        /// The transport.
        transport: Transport,
    },
    /// The server chose one of the [offered subprotocols](crate::ClientBuilder::protocols) for the WebSocket that the
    /// session opens on or moves to; [`Opened`](Self::Opened) or [`UpgradeEnded`](Self::UpgradeEnded) follows.
    ProtocolChosen {
        /// The subprotocol.
        protocol: String,
    },
    /// The handshake arrived, and the session is open.
    Opened {
        /// The server's handshake.
        handshake: HandshakeInfo,
        /// The transport that carries the session.
        transport: Transport,
    },
    /// The server's ping arrived (revision 4).
    PingReceived {
        /// The time since the previous ping, or since the session opened.
        after: Duration,
        /// The time by which this exceeds the server's ping interval.
        late: Duration,
        /// The time that was left before the session would have ended.
        left: Duration,
    },
    /// The client passed its pong to the transport (revision 4).
    PongSent,
    /// The client passed its ping to the transport (revision 3).
    PingSent,
    /// The server's pong arrived (revision 3).
    PongReceived {
        /// The round trip time, if the pong answers a ping.
        rtt: Option<Duration>,
    },
    /// A message arrived.
    Message(Message),
    /// The client opens a WebSocket to which the session will move.
    UpgradeStarted,
    /// The session moved to the WebSocket, or stayed on polling.
    UpgradeEnded(UpgradeOutcome),
    /// The client could not open the WebSocket of an upgrade. [`UpgradeEnded`](Self::UpgradeEnded) follows.
    UpgradeFailed {
        /// The reason.
        error: ConnectError,
    },
    /// A polling request failed, which ends the session.
    RequestFailed {
        /// The reason.
        error: ConnectError,
    },
    /// The session ended.
    Closed(Disconnect),
    /// [`Reconnecting`](crate::Reconnecting) waits before its next attempt.
    Waiting {
        /// The time until the attempt.
        delay: Duration,
        /// The number of the next attempt: 1 after a stable session, and 2 after a first attempt that failed.
        attempt: u32,
    },
}
