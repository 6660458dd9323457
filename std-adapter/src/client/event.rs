//! What a client tells whoever watches it.

use core::time::Duration;

use eio_core::upgrade::UpgradeOutcome;

use crate::client::error::ConnectError;
use crate::client::handshake::HandshakeInfo;
use crate::message::Message;
use crate::socket::{Disconnect, Transport};

/// Something that happened to a client, in the order of its happening. For logs, terminals and graphs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// An attempt to open a session begins.
    Connecting,
    /// A connection to the server is open, TLS included, and a request goes out on it. Long-polling has several, and a
    /// session that moves to WebSocket one more.
    Connected,
    /// No session came about.
    ConnectFailed {
        /// Why.
        error: ConnectError,
    },
    /// The server sent the client elsewhere, and the client [follows](crate::ClientBuilder::follow_redirects).
    Redirected {
        /// Where to: a URL without its query, which may hold secrets.
        to: String,
    },
    /// The next transport is [tried](crate::ClientBuilder::try_all_transports).
    TryingTransport {
        /// Which one.
        transport: Transport,
    },
    /// The server chose one of the [offered subprotocols](crate::ClientBuilder::protocols) for the WebSocket that the
    /// session opens on or moves to; [`Opened`](Self::Opened) or [`UpgradeEnded`](Self::UpgradeEnded) follows.
    ProtocolChosen {
        /// Which one.
        protocol: String,
    },
    /// The handshake arrived: the session is open.
    Opened {
        /// What the server said.
        handshake: HandshakeInfo,
        /// What carries the session.
        transport: Transport,
    },
    /// The server's ping came in (revision 4).
    PingReceived {
        /// Since the ping before it, or since the session opened.
        after: Duration,
        /// How much later than the server's ping interval that is.
        late: Duration,
        /// How much time was left until the session would have ended.
        left: Duration,
    },
    /// Our pong goes to the transport (revision 4).
    PongSent,
    /// Our ping goes to the transport (revision 3).
    PingSent,
    /// The server's pong came in (revision 3).
    PongReceived {
        /// The round trip, if a ping awaited it.
        rtt: Option<Duration>,
    },
    /// A message came in.
    Message(Message),
    /// A WebSocket is being opened for the session to move to.
    UpgradeStarted,
    /// It moved, or stayed on polling.
    UpgradeEnded(UpgradeOutcome),
    /// A WebSocket to move to could not be opened; [`UpgradeEnded`](Self::UpgradeEnded) follows.
    UpgradeFailed {
        /// Why.
        error: ConnectError,
    },
    /// A polling request failed, which ends the session.
    RequestFailed {
        /// Why.
        error: ConnectError,
    },
    /// The session ended.
    Closed(Disconnect),
    /// [`Reconnecting`](crate::Reconnecting) waits before its next attempt.
    Waiting {
        /// How long.
        delay: Duration,
        /// How many attempts have been made since the last stable session, the coming one included.
        attempt: u32,
    },
}
