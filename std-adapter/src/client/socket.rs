//! A client's session, from its application's point of view.

use core::fmt;
use core::future::poll_fn;
use core::time::Duration;
use std::sync::Arc;

use eio_core::handshake::Transport;

use crate::client::error::ConnectError;
use crate::client::handshake::{HandshakeInfo, ShortSid};
use crate::client::kind::Session;
use crate::session::end::Disconnect;
use crate::session::queue::Queue;
use crate::session::send::{SendError, TrySendError};
use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;

/// A client's open session. It receives and sends messages, closes the session, and reports how it ended.
///
/// Dropping the socket [closes](Self::close) the session. To send from elsewhere, take a [`ClientSender`].
pub struct ClientSocket {
    session: Abandon,
    handshake: HandshakeInfo,
    /// Messages that were received ahead.
    ahead: Queue<Message>,
    #[cfg(feature = "stream")]
    sink: Option<Box<crate::session::sink::MessageSink>>,
}

/// Ends the session when it is dropped.
struct Abandon(Arc<Session>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl ClientSocket {
    /// Takes up a session once it is open. Dropping the future gives the session up.
    pub(crate) async fn open(shared: Arc<Session>) -> Result<Self, ConnectError> {
        let session = Abandon(shared);
        let handshake = session.0.opened().await?;
        Ok(Self {
            session,
            handshake,
            ahead: Queue::default(),
            #[cfg(feature = "stream")]
            sink: None,
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Session> {
        &self.session.0
    }

    /// Returns the next message. After the last one, every call returns how the session ended.
    ///
    /// This method is cancel safe: dropping the future loses no message.
    ///
    /// If the application does not call this method, the client stops reading once the inbox is full. If it then takes no
    /// message for the stall timeout, the session ends with
    /// [`DisconnectReason::ApplicationStalled`](crate::DisconnectReason::ApplicationStalled).
    ///
    /// # Errors
    /// Returns a [`Disconnect`] once the session has ended and the application has received all messages that arrived
    /// before the end.
    pub async fn recv(&mut self) -> Result<Message, Disconnect> {
        poll_fn(|cx| self.session.0.poll_recv(&mut self.ahead, cx)).await
    }

    /// Sends a message. Waits until the outbox has room. Messages arrive in the order in which they were sent.
    ///
    /// If you drop the future before it is ready, the message is not sent.
    ///
    /// # Errors
    /// Returns a [`SendError`] with the message if the session is closing, has ended, or the server has been silent
    /// past its deadline. Returns it also if the message is larger than the server accepts, or is text that this
    /// transport cannot carry: see [`SendErrorKind::Separator`](crate::SendErrorKind::Separator).
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), SendError>> {
        self.shared().send(message.into())
    }

    /// Sends a message if the outbox has room now.
    ///
    /// # Errors
    /// Returns a [`TrySendError`] with the message.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.shared().try_send(Outgoing::Message(message.into()))
    }

    /// Sends a message only if the transport takes it at once. Returns whether it was sent.
    ///
    /// This is for values of which only the latest matters, such as a measurement: when the link is slow, some of them
    /// are missed, and no queue fills up. A message is not sent while
    ///
    /// - the server does not read, so that earlier messages still wait for the WebSocket to take them;
    /// - a POST is in flight, or an upgrade pauses polling, on polling;
    /// - the outbox is full;
    /// - the session refuses messages, for the reasons of [`SendErrorKind`](crate::SendErrorKind).
    ///
    /// For a server that has stopped reading, the kernel's buffers take some hundred KiB until the first message is not
    /// sent.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = eio_tokio::Server::builder(|mut socket: eio_tokio::Socket| async move {
    /// #     while socket.recv().await.is_ok() {}
    /// # }).build()?;
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}", listener.local_addr()?);
    /// # tokio::spawn(async move { server.serve(listener).await });
    /// let socket = eio_tokio::Client::builder(url).build()?.connect().await?;
    /// assert!(socket.send_volatile("21.5 °C"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_volatile(&self, message: impl Into<Message>) -> bool {
        self.shared().send_volatile(Outgoing::Message(message.into()))
    }

    /// Waits until every message that was sent before this call has been passed on.
    ///
    /// On a WebSocket, a message has been passed on when the kernel has taken all of it. On polling, it has been when the
    /// server has answered the POST that carries it. In both cases the server's application may not have read it yet.
    ///
    /// A server that does not read keeps this waiting until the session ends; [`tokio::time::timeout`] shortens the wait.
    /// Messages that are sent after the call do not prolong it.
    ///
    /// This method is cancel safe: dropping the future has no effect on messages.
    ///
    /// # Errors
    /// Returns a [`Disconnect`] if the session ended before a message had been passed on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = eio_tokio::Server::builder(|mut socket: eio_tokio::Socket| async move {
    /// #     while socket.recv().await.is_ok() {}
    /// # }).build()?;
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("http://{}", listener.local_addr()?);
    /// # tokio::spawn(async move { server.serve(listener).await });
    /// let socket = eio_tokio::Client::builder(url).build()?.connect().await?;
    /// socket.send("the last words").await?;
    /// socket.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush(&self) -> impl Future<Output = Result<(), Disconnect>> {
        self.shared().flush()
    }

    /// Closes the session. Messages that were sent before are still delivered, within the [close
    /// timeout](crate::ClientBuilder::close_timeout), if the runtime goes on: wait for [`closed`](Self::closed) before the
    /// program ends.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = eio_tokio::Server::builder(|mut socket: eio_tokio::Socket| async move {
    /// #     while socket.recv().await.is_ok() {}
    /// # }).build()?;
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}", listener.local_addr()?);
    /// # tokio::spawn(async move { server.serve(listener).await });
    /// let socket = eio_tokio::Client::builder(url).build()?.connect().await?;
    /// socket.send("the last words").await?;
    /// socket.close();
    /// socket.closed().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) {
        self.shared().close(None);
    }

    /// Closes the session as [`close`](Self::close) does, with a code and a reason in the WebSocket's close frame.
    /// Polling has no close frame: the server gets the `close` packet, which only says that the session ends. This
    /// method has no effect on a session that is already closing.
    ///
    /// ```
    /// use eio_tokio::{ClientSocket, CloseCode, CloseError, CloseFrame};
    ///
    /// fn leave(socket: &ClientSocket) -> Result<(), CloseError> {
    ///     socket.close_with(CloseFrame::new(CloseCode::new(4001), "bye")?);
    ///     Ok(())
    /// }
    /// # let _ = leave;
    /// ```
    pub fn close_with(&self, frame: CloseFrame) {
        self.shared().close(Some(frame));
    }

    /// Waits until the session has ended, and returns how it ended. If this side has closed the session, this method also
    /// waits until the connection has closed: the server has then received everything, unless the [close
    /// timeout](crate::ClientBuilder::close_timeout) came first. [`recv`](Self::recv) and [`end`](Self::end) return the end
    /// before that.
    ///
    /// You can still receive messages that arrived before the end.
    pub fn closed(&self) -> impl Future<Output = Disconnect> {
        self.shared().closed()
    }

    /// Returns how the session ended, or `None` if it has not.
    #[must_use]
    pub fn end(&self) -> Option<Disconnect> {
        self.shared().end()
    }

    /// Returns the error of the request whose failure ended the session, if one did. On polling, a refused request ends
    /// the session, whether a server or a proxy refuses it, and [`ConnectError::Refused`] holds the answer.
    ///
    /// [`closed`](Self::closed) then returns a transport error, as in the reference.
    #[must_use]
    pub fn failure(&self) -> Option<ConnectError> {
        let inner = self.shared().lock();
        inner.view.end.as_ref().and_then(|_| inner.slots.failure.as_deref().cloned())
    }

    /// Returns the messages that were never written to a transport, once the session has ended.
    ///
    /// A message that was written may or may not have arrived. It is not included, so that no message is sent twice.
    pub fn take_unsent(&mut self) -> Vec<Message> {
        self.shared().take_unsent()
    }

    /// Returns a handle that can send and close from elsewhere.
    #[must_use]
    pub fn sender(&self) -> ClientSender {
        ClientSender { shared: Arc::clone(self.shared()) }
    }

    /// Returns the handshake that the server sent when the session opened.
    #[must_use]
    pub fn handshake(&self) -> &HandshakeInfo {
        &self.handshake
    }

    /// Returns the transport that carries the session now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.shared().transport()
    }

    /// Returns the subprotocol that the server chose from [those offered](crate::ClientBuilder::protocols). Returns
    /// `None` if it chose none, and while the session is on polling.
    #[must_use]
    pub fn protocol(&self) -> Option<String> {
        self.shared().lock().slots.protocol.as_deref().map(str::to_owned)
    }

    /// Returns the latest round trip of the client's ping, in revision 3. In revision 4 the server pings, and only the
    /// server knows the round trip.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.shared().lock().view.session.rtt()
    }

    /// Returns the time since the server's last sign of life.
    #[must_use]
    pub fn last_seen(&self) -> Duration {
        let now = self.shared().now();
        now.saturating_duration_since(self.shared().lock().view.session.last_seen())
    }

    /// Returns the time until the session's next deadline; zero once the session has ended.
    ///
    /// In revision 4, the session ends at the deadline unless the server pings before. In revision 3 the same applies
    /// while a ping of the client is unanswered; otherwise the client's next ping is due at the deadline.
    #[must_use]
    pub fn time_to_deadline(&self) -> Duration {
        let now = self.shared().now();
        let deadline = self.shared().lock().view.session.poll_timeout();
        deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(now))
    }
}

crate::session::batch::batches!(ClientSocket);

#[cfg(feature = "stream")]
crate::session::sink::stream_and_sink!(ClientSocket: session.0);

impl fmt::Debug for ClientSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_session(self.shared(), f.debug_struct("ClientSocket"))
    }
}

/// A handle that sends to a client's session and closes it from anywhere. It does not keep the session alive.
#[derive(Clone)]
pub struct ClientSender {
    shared: Arc<Session>,
}

crate::session::handle::handle!(ClientSender of ClientSocket);

impl ClientSender {
    /// Returns the transport that carries the session now, as [`ClientSocket::transport`] does.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.shared.transport()
    }
}

impl fmt::Debug for ClientSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_session(&self.shared, f.debug_struct("ClientSender"))
    }
}

fn fmt_session(shared: &Session, mut fields: fmt::DebugStruct<'_, '_>) -> fmt::Result {
    let inner = shared.lock();
    let sid = inner.slots.handshake.as_ref().map_or("", HandshakeInfo::sid);
    fields
        .field("sid", &format_args!("{}", ShortSid(sid)))
        .field("transport", &inner.view.transport)
        .finish_non_exhaustive()
}
