//! A client's session, as its application sees it.

use core::fmt;
use core::future::poll_fn;
use core::time::Duration;

use crate::client::error::ConnectError;
use crate::client::handshake::{HandshakeInfo, ShortSid};
use crate::client::state::Shared;
use crate::close_frame::CloseFrame;
use crate::message::Message;
use crate::socket::{Disconnect, SendError, Transport, TrySendError};

/// A client's open session: receives its messages, sends, closes, and tells how it ended.
///
/// Dropping it closes the session. For sending from elsewhere, take a [`ClientSender`].
pub struct ClientSocket {
    session: Abandon,
    handshake: HandshakeInfo,
}

/// Ends the session when it is dropped.
struct Abandon(Shared);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl ClientSocket {
    /// Takes up a session once it is open. Dropping the future gives the session up.
    pub(crate) async fn open(state: Shared) -> Result<Self, ConnectError> {
        let session = Abandon(state);
        let handshake = session.0.opened().await?;
        Ok(Self { session, handshake })
    }

    pub(crate) fn state(&self) -> &Shared {
        &self.session.0
    }

    /// The next message. After the last one, how the session ended, as often as asked.
    ///
    /// Dropping the future loses nothing.
    ///
    /// An application that does not call this makes the client stop reading once its inbox is full, and the session
    /// ends with [`DisconnectReason::ApplicationStalled`](eio_core::DisconnectReason::ApplicationStalled) if that
    /// lasts for the stall timeout.
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
    /// [`SendError`] hands the message back when the session closes, has ended, or the server is silent past its
    /// deadline; when the message is larger than the server takes; and when it is text that this transport cannot
    /// carry: see [`SendErrorKind::Separator`](crate::SendErrorKind::Separator).
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.state().send(message.into()).await
    }

    /// Sends a message if the outbox has room now.
    ///
    /// # Errors
    /// [`TrySendError`] hands the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.state().try_send(message.into())
    }

    /// Closes the session: what was sent before still goes out, within the close timeout.
    pub fn close(&self) {
        self.state().close(None);
    }

    /// The same, with a code and a reason in the WebSocket's close frame. On polling there is no close frame: the server
    /// gets the `close` packet, which says no more than that the session ends. Has no effect on a session that closes
    /// already.
    ///
    /// ```
    /// use eio_core::ws::{CloseCode, CloseError};
    /// use eio_tokio::{ClientSocket, CloseFrame};
    ///
    /// fn leave(socket: &ClientSocket) -> Result<(), CloseError> {
    ///     socket.close_with(CloseFrame::new(CloseCode::new(4001), "bye")?);
    ///     Ok(())
    /// }
    /// # let _ = leave;
    /// ```
    pub fn close_with(&self, frame: CloseFrame) {
        self.state().close(Some(frame));
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

    /// The request whose failure ended the session, if one did: on polling, a server or a proxy that refuses one ends
    /// it, and [`ConnectError::Refused`] says with what.
    ///
    /// What [`closed`](Self::closed) returns is a transport error then, as in the reference.
    #[must_use]
    pub fn failure(&self) -> Option<ConnectError> {
        let inner = self.state().lock();
        inner.end().and_then(|_| inner.failure().cloned())
    }

    /// The messages that were sent and that no transport took, once the session has ended.
    ///
    /// What a transport had taken may or may not have arrived: it is not among them, so that nothing is sent twice.
    pub fn take_unsent(&mut self) -> Vec<Message> {
        let mut inner = self.state().lock();
        if inner.end().is_some() { inner.mail.take_unsent() } else { Vec::new() }
    }

    /// A handle that can send and close from elsewhere.
    #[must_use]
    pub fn sender(&self) -> ClientSender {
        ClientSender { state: Shared::clone(self.state()) }
    }

    /// What the server said when the session opened.
    #[must_use]
    pub fn handshake(&self) -> &HandshakeInfo {
        &self.handshake
    }

    /// What carries the session now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.state().lock().transport
    }

    /// The subprotocol that the server chose of those that [were offered](crate::ClientBuilder::protocols); `None` if it
    /// chose none, and while the session is on polling.
    #[must_use]
    pub fn protocol(&self) -> Option<String> {
        self.state().lock().protocol.as_deref().map(str::to_owned)
    }

    /// The latest round trip of this side's ping, in revision 3. In revision 4 the server pings, and only it knows.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.state().lock().session.rtt()
    }

    /// How long ago the server gave its last sign of life.
    #[must_use]
    pub fn last_seen(&self) -> Duration {
        let now = self.state().now();
        now.saturating_duration_since(self.state().lock().session.last_seen())
    }

    /// How long until the session's next deadline; zero once it has ended.
    ///
    /// In revision 4 that is when the session ends unless the server pings before. In revision 3 it is the same while
    /// a ping of ours is unanswered, and when the next ping is due otherwise.
    #[must_use]
    pub fn time_to_deadline(&self) -> Duration {
        let now = self.state().now();
        let deadline = self.state().lock().session.poll_timeout();
        deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(now))
    }
}

impl fmt::Debug for ClientSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_session(self.state(), f.debug_struct("ClientSocket"))
    }
}

/// Sends to a client's session, and closes it, from anywhere. Does not keep it alive.
#[derive(Clone)]
pub struct ClientSender {
    state: Shared,
}

impl ClientSender {
    /// Sends a message, as [`ClientSocket::send`] does.
    ///
    /// # Errors
    /// The same as for [`ClientSocket::send`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.state.send(message.into()).await
    }

    /// Sends a message if the outbox has room now, as [`ClientSocket::try_send`] does.
    ///
    /// # Errors
    /// The same as for [`ClientSocket::try_send`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.state.try_send(message.into())
    }

    /// Closes the session, as [`ClientSocket::close`] does.
    pub fn close(&self) {
        self.state.close(None);
    }

    /// Closes the session with a code and a reason, as [`ClientSocket::close_with`] does.
    pub fn close_with(&self, frame: CloseFrame) {
        self.state.close(Some(frame));
    }

    /// Waits until the session has ended, and returns how it ended, as [`ClientSocket::closed`] does.
    pub async fn closed(&self) -> Disconnect {
        self.state.closed().await
    }
}

impl fmt::Debug for ClientSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_session(&self.state, f.debug_struct("ClientSender"))
    }
}

fn fmt_session(state: &Shared, mut fields: fmt::DebugStruct<'_, '_>) -> fmt::Result {
    let inner = state.lock();
    let sid = inner.handshake().map_or("", HandshakeInfo::sid);
    fields
        .field("sid", &format_args!("{}", ShortSid(sid)))
        .field("transport", &inner.transport)
        .finish_non_exhaustive()
}
