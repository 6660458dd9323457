//! A connected session, as its application sees it.

use core::fmt;
use core::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use eio_core::{DisconnectReason, Heartbeat};
use http::request::Parts;

use crate::close_frame::CloseFrame;
use crate::head::Head;
use crate::message::Message;
use crate::session_id::SessionId;
use crate::state::{Outgoing, State};

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{} (after {} ms of silence, on {})", Words(.close_frame.as_ref()), .silent_for.as_millis(), .transport.as_str())]
#[non_exhaustive]
pub struct Disconnect {
    /// The first cause.
    pub reason: DisconnectReason,
    /// From the peer's last sign of life to the end.
    pub silent_for: Duration,
    /// What carried the session at its end.
    pub transport: Transport,
    /// How many messages the application had sent that no transport took as a whole; [`Socket::take_unsent`] returns
    /// them.
    pub unsent: usize,
    /// What the peer's close frame said, if a WebSocket carried the session and one came in before the end. A browser's
    /// `socket.close(4001, "bye")` and a server's arrive here; polling has no close frames.
    pub close_frame: Option<CloseFrame>,
}

/// The close frame in a sentence about the end.
struct Words<'a>(Option<&'a CloseFrame>);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |frame| write!(f, ", close frame {frame}"))
    }
}

/// A message that cannot be sent, handed back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message was not sent: {kind}")]
#[non_exhaustive]
pub struct SendError {
    /// The message, untouched.
    pub message: Message,
    /// Why.
    pub kind: SendErrorKind,
}

/// Why a message cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The session closes, has ended, or its peer is silent past its deadline.
    #[error("{0}")]
    Session(eio_core::session::SendError),
    /// Text with U+001E, to a session that is on polling in revision 4: that character separates packets there, and
    /// nothing escapes it, so that the peer would read two packets, and the second one could be any. Send it as bytes,
    /// which travel as base64 there, or without that character. A WebSocket carries it: a session that is about to
    /// upgrade takes the message once it has.
    #[error(
        "text with U+001E at byte {at} cannot be sent on polling, where it separates packets: send bytes"
    )]
    Separator {
        /// Where in the text.
        at: usize,
    },
    /// A client's message is larger than the server takes: it would have cost the session.
    #[error("the message is too large: the server takes {max_payload} bytes in one payload")]
    TooLarge {
        /// What the server said in its handshake.
        max_payload: u32,
    },
}

/// A message that cannot be sent at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrySendError {
    /// The outbox is full. Nothing is wrong with the session: try again later, or use [`Socket::send`].
    #[error("the outbox is full")]
    Full(Message),
    /// It will never be sent.
    #[error("{0}")]
    Refused(SendError),
}

/// A connected session: receives its messages, sends, closes, and tells how it ended.
///
/// Dropping it closes the session. For sending from elsewhere, take a [`Sender`].
pub struct Socket {
    sender: Sender,
    head: Option<Box<Head>>,
}

impl Socket {
    pub(crate) fn new(state: Arc<State>, head: Box<Head>) -> Self {
        state.lock().mail.listen();
        Self { sender: Sender { state }, head: Some(head) }
    }

    fn state(&self) -> &State {
        &self.sender.state
    }

    /// The next message. After the last one, how the session ended, as often as asked.
    ///
    /// Dropping the future loses nothing.
    ///
    /// An application that does not call this makes the server stop reading once its inbox is full, and the session
    /// ends with [`DisconnectReason::ApplicationStalled`] if that lasts for the stall timeout.
    ///
    /// # Errors
    /// [`Disconnect`] when the session has ended and all messages that came in before were taken.
    pub async fn recv(&mut self) -> Result<Message, Disconnect> {
        poll_fn(|cx| self.state().poll_recv(cx)).await
    }

    /// Sends a message as soon as the outbox has room. Messages arrive in the order of their sending.
    ///
    /// Dropping the future before it is ready sends nothing.
    ///
    /// # Errors
    /// [`SendError`] hands the message back when the session closes, has ended, or its peer is silent past its
    /// deadline; and when the message is text that this transport cannot carry: see [`SendErrorKind::Separator`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.state().send(message.into()).await
    }

    /// Sends a message if the outbox has room now.
    ///
    /// # Errors
    /// [`TrySendError`] hands the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.sender.try_send(message)
    }

    /// Closes the session: what was sent before still goes out, within the close timeout.
    pub fn close(&self) {
        self.sender.close();
    }

    /// The same, with a code and a reason in the WebSocket's close frame. A browser finds them in its `CloseEvent`, which
    /// engine.io-client hands on as the `context` of its `close` event.
    ///
    /// On polling there is no close frame: its client gets the `close` packet, which says no more than that the session
    /// ends. Has no effect on a session that closes already.
    ///
    /// ```
    /// use eio_core::ws::{CloseCode, CloseError};
    /// use eio_tokio::{CloseFrame, Server, Socket};
    ///
    /// let elsewhere = CloseFrame::new(CloseCode::new(4001), "signed in elsewhere")?;
    /// let builder = Server::builder(move |socket: Socket| {
    ///     let elsewhere = elsewhere.clone();
    ///     async move { socket.close_with(elsewhere) }
    /// });
    /// # let _ = builder;
    /// # Ok::<(), CloseError>(())
    /// ```
    pub fn close_with(&self, frame: CloseFrame) {
        self.sender.close_with(frame);
    }

    /// How the session ended, once it has.
    ///
    /// Messages that came in before the end can still be received.
    pub async fn closed(&self) -> Disconnect {
        self.state().closed().await
    }

    /// How the session ended, if it has.
    #[must_use]
    pub fn disconnect(&self) -> Option<Disconnect> {
        self.state().lock().end().cloned()
    }

    /// The messages that were sent and that no transport took, once the session has ended.
    pub fn take_unsent(&mut self) -> Vec<Message> {
        let mut inner = self.state().lock();
        if inner.end().is_some() { inner.mail.take_unsent() } else { Vec::new() }
    }

    /// The head of the request that opened the session; `None` after [`take_request`](Self::take_request).
    ///
    /// Kept packed until it is asked for here, a few hundred bytes for most clients; then unpacked as well.
    #[must_use]
    pub fn request(&self) -> Option<&Parts> {
        self.head.as_ref().map(|head| head.get(self.peer_addr()))
    }

    /// Takes the head of the request, so that the session does not keep it any longer.
    pub fn take_request(&mut self) -> Option<Parts> {
        let peer = self.peer_addr();
        self.head.take().map(|head| head.into_parts(peer))
    }

    /// A handle that can send and close from elsewhere.
    #[must_use]
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// The session's identifier.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.sender.id()
    }

    /// The client's address: that of the connection, or what trusted proxies say.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.sender.peer_addr()
    }

    /// What carries the session now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.sender.transport()
    }

    /// The latest round trip of the server's ping; `None` before the first, and always for clients of revision 3.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.sender.rtt()
    }

    /// How long ago the client gave its last sign of life.
    #[must_use]
    pub fn last_seen(&self) -> Duration {
        self.sender.last_seen()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.state().abandon();
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id())
            .field("transport", &self.transport())
            .finish_non_exhaustive()
    }
}

/// Sends to a session, and closes it, from anywhere. Does not keep it alive.
#[derive(Clone)]
pub struct Sender {
    pub(crate) state: Arc<State>,
}

impl Sender {
    /// As [`Socket::send`].
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.state.send(message.into()).await
    }

    /// As [`Socket::try_send`].
    ///
    /// # Errors
    /// As [`Socket::try_send`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.state.try_send(Outgoing::Message(message.into()))
    }

    /// As [`Socket::close`].
    pub fn close(&self) {
        self.state.close(None);
    }

    /// As [`Socket::close_with`].
    pub fn close_with(&self, frame: CloseFrame) {
        self.state.close(Some(frame));
    }

    /// As [`Socket::closed`].
    pub async fn closed(&self) -> Disconnect {
        self.state.closed().await
    }

    /// As [`Socket::peer_addr`].
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.state.peer
    }

    /// As [`Socket::transport`].
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.state.lock().transport
    }

    /// As [`Socket::rtt`].
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.state.lock().session.rtt()
    }

    /// As [`Socket::last_seen`].
    #[must_use]
    pub fn last_seen(&self) -> Duration {
        let now = self.state.now();
        now.saturating_duration_since(self.state.lock().session.last_seen())
    }

    /// The revision of the protocol that the client speaks: 3 or 4.
    #[must_use]
    pub fn revision(&self) -> u8 {
        self.state.revision.number()
    }

    /// The session's periods, as announced to the client.
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat {
        self.state.lock().session.heartbeat().unwrap_or(self.state.hub.config.settings.heartbeat())
    }

    /// How long until the session does something unless the client does: sends its next ping, or ends because the
    /// answer to the last one (revision 3: the client's next ping) is overdue. `None` once it has ended.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let now = self.state.now();
        let deadline = self.state.lock().session.poll_timeout()?;
        Some(deadline.saturating_duration_since(now))
    }

    /// The session's identifier.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.state.id
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("id", &self.id()).finish_non_exhaustive()
    }
}
