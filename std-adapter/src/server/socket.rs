//! A connected session, from its application's point of view.

use core::fmt;
use core::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use eio_core::handshake::Transport;
use eio_core::{Heartbeat, Revision};
use http::Extensions;
use http::request::Parts;

use crate::server::sessions::Session;
use crate::session::end::Disconnect;
use crate::session::queue::Queue;
use crate::session::send::{SendError, TrySendError};
use crate::web::head::Head;
use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;
use crate::wire::session_id::SessionId;

/// A connected session. It receives and sends messages, closes the session, and reports how it ended.
///
/// Dropping the socket closes the session. To send from elsewhere, take a [`Sender`].
pub struct Socket {
    sender: Sender,
    head: Option<Head>,
    /// Messages that were received ahead.
    ahead: Queue<Message>,
    #[cfg(feature = "stream")]
    sink: Option<Box<crate::session::sink::MessageSink>>,
}

impl Socket {
    pub(crate) fn new(shared: Arc<Session>, head: Head) -> Self {
        shared.lock().mail.listen();
        Self {
            sender: Sender { shared },
            head: Some(head),
            ahead: Queue::default(),
            #[cfg(feature = "stream")]
            sink: None,
        }
    }

    fn shared(&self) -> &Session {
        &self.sender.shared
    }

    /// Returns the handle that has the methods which do not need the socket.
    pub(crate) fn as_sender(&self) -> &Sender {
        &self.sender
    }

    /// Returns the next message. After the last one, every call returns how the session ended.
    ///
    /// This method is cancel safe: dropping the future loses no message.
    ///
    /// If the application does not call this method, the server stops reading once the inbox is full. If it then takes no
    /// message for the stall timeout, the session ends with
    /// [`DisconnectReason::ApplicationStalled`](crate::DisconnectReason::ApplicationStalled).
    ///
    /// # Errors
    /// Returns [`Disconnect`] once the session has ended and the application has received all messages that arrived
    /// before.
    pub async fn recv(&mut self) -> Result<Message, Disconnect> {
        poll_fn(|cx| self.sender.shared.poll_recv(&mut self.ahead, cx)).await
    }

    /// Sends a message. Waits until the outbox has room. Messages arrive in the order in which they were sent.
    ///
    /// If you drop the future before it is ready, the message is not sent.
    ///
    /// # Errors
    /// Returns a [`SendError`] with the message if the session is closing, has ended, or its peer has been silent past
    /// its deadline. Returns it also if the message is text that this transport cannot carry: see
    /// [`SendErrorKind::Separator`](crate::SendErrorKind::Separator).
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), SendError>> {
        self.shared().send(message.into())
    }

    /// Sends a message if the outbox has room now.
    ///
    /// # Errors
    /// Returns a [`TrySendError`] with the message.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.sender.try_send(message)
    }

    /// Sends a message only if the transport takes it at once. Returns whether it was sent.
    ///
    /// This is for values of which only the latest matters, such as a position: a client that is slow misses some of
    /// them, and no queue fills up. A message is not sent while
    ///
    /// - the client does not read, so that earlier messages still wait for its WebSocket to take them;
    /// - no poll waits for an answer, on polling;
    /// - the outbox is full;
    /// - the session refuses messages, for the reasons of [`SendErrorKind`](crate::SendErrorKind).
    ///
    /// Messages that this turn of the application has sent before do not count as waiting. For a client that has stopped
    /// reading, the kernel's buffers take some hundred KiB until the first message is not sent.
    ///
    /// ```
    /// use eio_tokio::{Server, Socket};
    ///
    /// async fn ticks(socket: Socket) {
    ///     let mut missed = 0;
    ///     for tick in 0..100 {
    ///         if !socket.send_volatile(format!("tick {tick}")) {
    ///             missed += 1;
    ///         }
    ///         tokio::time::sleep(core::time::Duration::from_millis(50)).await;
    ///     }
    ///     println!("{} missed {missed} of 100 ticks", socket.id().short());
    /// }
    ///
    /// let builder = Server::builder(ticks);
    /// # let _ = builder;
    /// ```
    pub fn send_volatile(&self, message: impl Into<Message>) -> bool {
        self.sender.send_volatile(message)
    }

    /// Waits until every message that was sent before this call has been passed on.
    ///
    /// On a WebSocket, a message has been passed on when the kernel has taken all of it. On a WebSocket over HTTP/2, and on
    /// polling, it has been when it, or the answer to a poll that carries it, has been handed to the HTTP server. In all cases the client may not have
    /// received it yet: only an answer of its own application can show that.
    ///
    /// A client that does not read, or makes no poll, keeps this waiting until the session ends;
    /// [`tokio::time::timeout`] shortens the wait. Messages that are sent after the call do not prolong it.
    ///
    /// This method is cancel safe: dropping the future has no effect on messages.
    ///
    /// # Errors
    /// Returns a [`Disconnect`] if the session ended before a message had been passed on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use eio_tokio::{Client, Disconnect, Server, Socket};
    ///
    /// async fn report(socket: Socket) -> Result<(), Disconnect> {
    ///     let _ = socket.try_send("the report");
    ///     socket.flush().await?;
    ///     println!("the report has left");
    ///     Ok(())
    /// }
    ///
    /// let server = Server::builder(|socket| async move {
    ///     let _ = report(socket).await;
    /// })
    /// .build()?;
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}", listener.local_addr()?);
    /// # tokio::spawn(async move { server.serve(listener).await });
    /// # let mut socket = Client::builder(url).build()?.connect().await?;
    /// # assert_eq!(socket.recv().await?, "the report".into());
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush(&self) -> impl Future<Output = Result<(), Disconnect>> {
        self.shared().flush()
    }

    /// Closes the session. Messages that were sent before are still delivered, within the close timeout.
    pub fn close(&self) {
        self.sender.close();
    }

    /// Closes the session as [`close`](Self::close) does, with a code and a reason in the WebSocket's close frame. A
    /// browser finds them in its `CloseEvent`, which engine.io-client passes on as the `context` of its `close` event.
    ///
    /// Polling has no close frame: the client gets the `close` packet, which only says that the session ends. This
    /// method has no effect on a session that is already closing.
    ///
    /// ```
    /// use eio_tokio::{CloseCode, CloseError, CloseFrame, Server, Socket};
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

    /// Waits until the session has ended, and returns how it ended.
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

    /// Returns the sent messages that no transport took, once the session has ended.
    pub fn take_unsent(&mut self) -> Vec<Message> {
        self.shared().take_unsent()
    }

    /// Returns the head of the request that opened the session; `None` after [`take_request`](Self::take_request).
    ///
    /// The head is stored packed until the first call, in a few hundred bytes for most clients. After that it is stored
    /// unpacked as well.
    #[must_use]
    pub fn request(&self) -> Option<&Parts> {
        self.head.as_ref().map(|head| head.get(self.peer_addr()))
    }

    /// Returns the values that [`allow_request`](crate::ServerBuilder::allow_request) has given the session with
    /// [`Admission::with`](crate::Admission::with). Those that a middleware has set are in [`request`](Self::request).
    ///
    /// ```
    /// use eio_tokio::Socket;
    ///
    /// #[derive(Clone)]
    /// struct User(u64);
    ///
    /// async fn chat(socket: Socket) {
    ///     if let Some(User(number)) = socket.extensions().get() {
    ///         println!("user {number}");
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        self.sender.extensions()
    }

    /// Takes an extension out of the head, before the application has seen it.
    #[cfg(feature = "axum")]
    pub(crate) fn take_extension<T: Clone + Send + Sync + 'static>(&mut self) -> Option<T> {
        self.head.as_mut().and_then(Head::take_extension)
    }

    /// Takes the head of the request out of the session, which then no longer stores it.
    pub fn take_request(&mut self) -> Option<Parts> {
        let peer = self.peer_addr();
        self.head.take().map(|head| head.into_parts(peer))
    }

    /// Returns a handle that can send and close from elsewhere.
    #[must_use]
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Returns the session's identifier.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.sender.id()
    }

    /// Returns the client's address: that of the connection, or the one that trusted proxies name.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.sender.peer_addr()
    }

    /// Returns the transport that carries the session now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.sender.transport()
    }

    /// Returns the latest round trip of the server's ping. Returns `None` before the first one, and always for clients
    /// of revision 3.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.sender.rtt()
    }

    /// Returns the time since the client's last sign of life.
    #[must_use]
    pub fn last_seen(&self) -> Duration {
        self.sender.last_seen()
    }
}

crate::session::batch::batches!(Socket);

#[cfg(feature = "stream")]
crate::session::sink::stream_and_sink!(Socket: sender.shared);

impl Drop for Socket {
    fn drop(&mut self) {
        self.shared().abandon();
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

/// A handle that sends to a session and closes it from anywhere. It does not keep the session alive.
#[derive(Clone)]
pub struct Sender {
    shared: Arc<Session>,
}

crate::session::handle::handle!(Sender of Socket);

impl Sender {
    pub(crate) fn new(shared: Arc<Session>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Session {
        &self.shared
    }

    /// Returns the values that the session was given when it was admitted, as [`Socket::extensions`] does. They are also
    /// there in [`on_disconnect`](crate::ServerBuilder::on_disconnect), and after the end.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.shared.context.extensions
    }

    /// Returns the client's address, as [`Socket::peer_addr`] does.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.shared.context.peer
    }

    /// Returns the transport that carries the session now, as [`Socket::transport`] does.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.shared.transport()
    }

    /// Returns the latest round trip, as [`Socket::rtt`] does.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.shared.lock().view.session.rtt()
    }

    /// Returns the time since the client's last sign of life, as [`Socket::last_seen`] does.
    #[must_use]
    pub fn last_seen(&self) -> Duration {
        let now = self.shared.now();
        now.saturating_duration_since(self.shared.lock().view.session.last_seen())
    }

    /// Returns the revision of the protocol that the client speaks.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.shared.context.revision
    }

    /// Returns the session's periods, as announced to the client.
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat {
        self.shared
            .lock()
            .view
            .session
            .heartbeat()
            .unwrap_or(self.shared.context.sessions().config.settings.heartbeat())
    }

    /// Returns the time until the session acts unless the client acts first. It then sends its next ping, or ends
    /// because the answer to the last one (revision 3: the client's next ping) is overdue. Returns `None` once the
    /// session has ended.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let now = self.shared.now();
        let deadline = self.shared.lock().view.session.poll_timeout()?;
        Some(deadline.saturating_duration_since(now))
    }

    /// Returns the session's identifier.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.shared.context.id
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("id", &self.id()).finish_non_exhaustive()
    }
}
