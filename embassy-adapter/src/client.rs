//! A session over a stream.

use core::fmt;
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_core::packet::{Data, WebSocketMessage};
use eio_core::session::SessionEnd;
use eio_core::ws::{Close, Piece};
use eio_core::{BufferTooSmall, Heartbeat, Revision};
use embedded_io_async::{Read, Write};

use crate::drive::{Call, Failed, Goal};
use crate::link::{Link, whole};
use crate::{Buffers, ClientSettings, ConnectError, Endpoint, SendError, clock};

/// A message, or a piece of one, from the server.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum IncomingMessage<'a> {
    /// A whole message.
    Whole(Data<'a>),
    /// A piece of a message that is longer than the receive buffer. Only comes with
    /// [`LongMessages::in_pieces`](crate::LongMessages::in_pieces).
    ///
    /// The pieces of a message come in order, with no other message between them. A text may be cut inside a character;
    /// its pieces together are UTF-8.
    Piece(Piece<'a>),
}

/// A session with an Engine.IO server, over the two halves of a connected stream.
///
/// The client needs the two halves separately, because it reads and writes at the same time. TCP sockets, UARTs and TLS
/// connections provide them by a method such as `split`.
///
/// ```no_run
/// use eio_core::packet::WebSocketMessage;
/// use eio_embassy::{Buffers, Client, ClientSettings, Endpoint};
/// # use embedded_io_async::{Read, Write};
///
/// # async fn example(
/// #     reader: impl Read,
/// #     writer: impl Write,
/// #     mut hardware_random: impl FnMut() -> u32,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let (mut rx, mut tx) = ([0; 512], [0; 512]);
/// let buffers = Buffers { rx: &mut rx, tx: &mut tx };
/// let mut client = Client::new(reader, writer, buffers, &mut hardware_random, &ClientSettings::DEFAULT)?;
/// client.connect(&Endpoint::engineio("192.0.2.1:3000")).await?;
///
/// client.send(WebSocketMessage::Text("hello")).await?;
/// let answer = client.recv().await?;
/// # let _ = answer;
/// let end = client.close().await;
/// assert_eq!(end.reason.as_str(), "forced close");
/// # Ok(())
/// # }
/// ```
///
/// # Cancellation
///
/// Any future of this type may be dropped at any await point: no byte is lost, and none is sent or delivered twice.
/// This requires a stream whose own `read` and `write` futures may be dropped while they wait. embassy-net's TCP is such
/// a stream, most TLS connections are not. Put a [`Tunnel`](crate::Tunnel) between the client and the others.
///
/// # Time
///
/// While the application awaits [`recv`](Self::recv), [`send`](Self::send) or [`close`](Self::close), the client answers
/// heartbeats and ends the session when its deadline passes, even if the server is silent, a write hangs or the link is
/// cut. While the application awaits none of them, the client does nothing. After such a pause it first reads what has
/// arrived, so a pause of the application does not end the session of a living server.
pub struct Client<'b, R, W> {
    pub(crate) reader: R,
    pub(crate) writer: W,
    pub(crate) link: Link<'b>,
}

impl<'b, R: Read, W: Write> Client<'b, R, W> {
    /// Creates a client over a connected stream. Sends nothing before [`connect`](Self::connect).
    /// [`ClientSettings::open_timeout`] starts now.
    ///
    /// The client calls `rng` for every frame. Its numbers must be unpredictable to others (RFC 6455 section 10.3): use
    /// a hardware source, or a generator seeded by one.
    ///
    /// # Errors
    /// [`ConnectError::RxTooSmall`] or [`ConnectError::TxTooSmall`] if a buffer is too short.
    pub fn new(
        reader: R,
        writer: W,
        buffers: Buffers<'b>,
        rng: &'b mut dyn FnMut() -> u32,
        settings: &'b ClientSettings,
    ) -> Result<Self, ConnectError> {
        Ok(Self { reader, writer, link: Link::new(buffers, rng, settings, clock::now())? })
    }

    /// Requests a WebSocket and opens a session. Call it once before the other methods. If the session is already open,
    /// it does nothing.
    ///
    /// Opening takes at most [`ClientSettings::open_timeout`]. If the future is dropped, call `connect` again: it continues
    /// where it stopped. After an error, close the stream.
    ///
    /// # Errors
    /// A [`ConnectError`]. Later calls return the same error, unless it is about the endpoint or the send buffer: those
    /// are checked at each call until the request has been written.
    pub async fn connect(&mut self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        self.link.request(endpoint)?;
        let _ = self.reach(Goal::Open).await;
        self.link.state.check_open()
    }

    /// Waits for the next message, and keeps the session alive meanwhile.
    ///
    /// Wakes only for bytes that arrive, for room to write pending frames, and for the session's deadline. The returned
    /// event borrows the receive buffer until the next call.
    ///
    /// # Errors
    /// The [`SessionEnd`] that says how the session ended. Messages that arrived before the end are returned first;
    /// after them, every call returns the same error.
    pub async fn recv(&mut self) -> Result<IncomingMessage<'_>, SessionEnd> {
        self.ready().await?;
        match self.last_event() {
            Some(event) => Ok(event),
            // Cannot happen: `ready` returns only once there is an event.
            None => pending().await,
        }
    }

    /// Waits until there is a message, which [`last_event`](Self::last_event) then returns.
    ///
    /// Use it in place of [`recv`](Self::recv) in a loop that looks at a message before it decides whether to return it:
    /// the borrow checker does not accept `recv` there.
    ///
    /// # Errors
    /// The same as [`recv`](Self::recv).
    pub async fn ready(&mut self) -> Result<(), SessionEnd> {
        loop {
            let _ = self.reach(Goal::Message).await;
            if let Some(taken) = self.link.take_message(clock::now()) {
                return taken;
            }
        }
    }

    /// Waits like [`ready`](Self::ready), and calls `put` as [`reach_while`](Self::reach_while) does. An image that uses it has
    /// a second copy of the code that waits, and others pay nothing.
    pub(crate) async fn ready_while(&mut self, mut put: impl FnMut(&mut Link<'b>)) -> Result<(), SessionEnd> {
        loop {
            let _ = self.reach_while(Goal::Message, &mut put).await;
            if let Some(taken) = self.link.take_message(clock::now()) {
                return taken;
            }
        }
    }

    /// Returns the event that [`recv`](Self::recv) returned last or that [`ready`](Self::ready) waited for. Returns
    /// `None` once a later call has reused its place in the receive buffer.
    #[must_use]
    pub fn last_event(&self) -> Option<IncomingMessage<'_>> {
        self.link.delivered_message()
    }

    /// Sends a message, text or binary. Waits until the frames before it have been written.
    ///
    /// When it returns `Ok`, the message is in the send buffer or has been written to the stream. Bytes that the stream has
    /// not taken yet are written while a later call is awaited. If the stream fails, also during this call, they stay where
    /// they are, and [`unsent`](Self::unsent) counts them. Only an answer from the server shows that the message has arrived.
    ///
    /// A message that fits into the send buffer is sent whole, or not at all if the future is dropped. A longer one is
    /// sent in fragments. A WebSocket cannot carry a heartbeat between the fragments of a message, so the whole message
    /// must get through within the server's `pingTimeout`. If the future is dropped between fragments, call `send` again
    /// with the same message: it continues where it stopped.
    ///
    /// # Errors
    /// A [`SendError`]. [`SendError::Unfinished`] if another message has been sent only in part.
    pub async fn send(&mut self, message: WebSocketMessage<'_>) -> Result<(), SendError> {
        let whole = whole(message);
        let mut rest = self.link.resume(whole)?;
        self.reach(Goal::Sent(&mut |link| {
            let taken = link.put(rest, Some(whole.bytes.len()));
            let all = taken == rest.bytes.len();
            rest = Piece { bytes: rest.bytes.get(taken..).unwrap_or_default(), first: false, ..rest };
            Ok(all)
        }))
        .await
    }

    /// Sends one piece of a message, so that the message never has to be in memory as a whole. Returns how many bytes of
    /// the piece were taken: at least one, unless the piece is empty. Call it again with the rest of the piece. Set
    /// `first` to false there if any bytes were taken.
    ///
    /// The pieces of a text must together be UTF-8. They are not checked.
    ///
    /// A future that is dropped has taken no bytes. Until the piece marked `last` has been taken completely, no other
    /// message can be sent, and the heartbeat has to wait as for a long message in [`send`](Self::send). With
    /// [`Protocol::V3`](crate::Protocol::V3), a ping that has waited has its whole timeout from when it leaves, so a server that
    /// vanishes between two pieces is noticed later by as long as the ping waited.
    ///
    /// # Errors
    /// A [`SendError`].
    pub async fn send_piece(&mut self, piece: Piece<'_>) -> Result<usize, SendError> {
        let mut taken = 0;
        self.reach(Goal::Sent(&mut |link| {
            link.check_piece(piece)?;
            taken = link.put(piece, None);
            Ok(true)
        }))
        .await?;
        Ok(taken)
    }

    /// Sends a text message that `write` writes into the send buffer, returning its length.
    pub(crate) async fn send_text_with(
        &mut self,
        write: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>,
    ) -> Result<(), SendError> {
        self.reach(Goal::Sent(&mut |link| link.put_text_with(&write).map(|()| true))).await
    }

    /// Closes the session: writes the pending messages, then a close frame. Close the stream afterwards.
    ///
    /// It takes at most [`ClientSettings::close_timeout`], and less if the server's deadline for silence comes first. If the
    /// session has already ended, its end stays what it is: `close` still writes the close frame to a server that closed
    /// the session or broke a rule, and does not wait for a silent one. If the future is dropped, call `close` again.
    pub fn close(&mut self) -> impl Future<Output = SessionEnd> {
        self.close_and_wait(None)
    }

    /// Closes the session like [`close`](Self::close), with a code and a reason in the close frame for the server's log.
    /// If the server has already closed the session, the close frame repeats the server's own code instead.
    ///
    /// ```
    /// use eio_core::session::SessionEnd;
    /// use eio_core::ws::{Close, CloseCode, CloseError};
    /// use eio_embassy::Client;
    /// # use embedded_io_async::{Read, Write};
    ///
    /// async fn go_to_sleep<R: Read, W: Write>(client: &mut Client<'_, R, W>) -> Result<SessionEnd, CloseError> {
    ///     Ok(client.close_with(Close::new(CloseCode::new(4001), "battery low")?).await)
    /// }
    /// # let _ = go_to_sleep::<&[u8], &mut [u8]>;
    /// ```
    pub fn close_with(&mut self, close: Close<'b>) -> impl Future<Output = SessionEnd> {
        self.close_and_wait(Some(close))
    }

    async fn close_and_wait(&mut self, close: Option<Close<'b>>) -> SessionEnd {
        loop {
            let closed = self.link.begin_close(close, clock::now());
            let _ = self.reach(closed).await;
            if let Some(end) = self.end() {
                return end;
            }
        }
    }

    /// Begins to close the session because the server broke a rule of the layer above. The next awaited call goes on.
    pub(crate) fn give_up(&mut self) {
        self.link.begin_close(None, clock::now());
    }

    /// Measures the link's round trip. The next awaited call sends a WebSocket ping, and its pong sets
    /// [`rtt`](Self::rtt). Does nothing while an earlier ping is unanswered.
    ///
    /// In revision 4 the server pings, so a client learns the round trip only in this way. Neither this ping nor its pong
    /// counts as a sign of life: the heartbeat does not change.
    pub fn measure_rtt(&mut self) {
        self.link.state.request_rtt_ping();
    }

    /// Returns the last round trip that [`measure_rtt`](Self::measure_rtt) or, in revision 3, a heartbeat measured.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.link.state.rtt()
    }

    /// Returns how much longer the server may stay silent before the session ends; zero once that time has passed. In
    /// revision 3, returns the time until the next ping, or until the end while a ping is unanswered. Returns `None` once
    /// the session has ended.
    #[must_use]
    pub fn time_to_deadline(&self) -> Option<Duration> {
        Some(self.link.state.session.poll_timeout()?.saturating_duration_since(clock::now()))
    }

    /// Returns the periods that the server announced, with the ping timeout limited by
    /// [`ClientSettings::ping_timeout_at_most`]. Returns `None` before the handshake.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Heartbeat> {
        self.link.state.session.heartbeat()
    }

    /// Returns the length of the longest message that the server accepts, in bytes, including the packet's type. Returns
    /// `None` if the server has not announced it.
    #[must_use]
    pub const fn max_payload(&self) -> Option<u32> {
        self.link.state.max_payload()
    }

    /// Returns the session's id, which the server's log also shows. Returns `None` before the handshake.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.link.state.sid()
    }

    /// Returns whether messages can be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.state.session.is_open() && self.link.state.write_failed.is_none()
    }

    /// Returns how the session ended, or `None` if it has not. A failed connection ends the session only when
    /// [`recv`](Self::recv) has returned the messages that arrived before.
    #[must_use]
    pub fn end(&self) -> Option<SessionEnd> {
        self.link.state.session.end()
    }

    /// Returns the reason text of the server's close frame: at most 123 bytes, empty if there was none. The code is in
    /// [`SessionEnd::close_code`].
    #[must_use]
    pub fn close_reason(&self) -> &str {
        self.link.close_reason()
    }

    /// Returns when the server last sent anything, on embassy-time's clock.
    #[must_use]
    pub fn last_seen(&self) -> embassy_time::Instant {
        clock::not_before(self.link.state.session.last_seen())
    }

    /// Returns whether the server joins clients to the namespace `/` without a request, as in revision 3.
    pub(crate) fn server_joins_root(&self) -> bool {
        self.link.state.settings.protocol.revision() == Revision::V3
    }

    /// Returns the two halves of the stream.
    pub fn into_stream(self) -> (R, W) {
        (self.reader, self.writer)
    }

    /// Reads, decodes, answers and waits until the goal is reached or the session ends. Returns whether the message to
    /// send was sent; callers with another goal ignore the result.
    fn reach(&mut self, goal: Goal<'_>) -> impl Future<Output = Result<(), SendError>> {
        self.reach_while(goal, |_| ())
    }

    /// Does what [`reach`](Self::reach) does, and calls `put` after each step, which may put a frame if there is room. The
    /// goal does not wait for it.
    ///
    /// This is the only place where this crate waits for the stream. Each turn polls the read, the write and the clock, in
    /// that order. So neither direction starves the other. What is due although there is always something to read,
    /// `State::keep_up` does.
    async fn reach_while(
        &mut self,
        goal: Goal<'_>,
        mut put: impl FnMut(&mut Link<'b>),
    ) -> Result<(), SendError> {
        let Self { reader, writer, link } = self;
        let mut call = Call::to(goal);
        loop {
            let until = link.step(clock::now(), &mut call);
            put(link);
            let Some(until) = until else { break };
            let Link { inbox, outbox, state, alarm } = &mut *link;
            // A message that waits for the application occupies the place of the next bytes.
            let reading = state.read_end.is_none() && !state.has_waiting_message();
            let spare = if reading { inbox.spare() } else { &mut [] };
            let pending = outbox.pending();
            let writing = !pending.is_empty() && state.write_failed.is_none();
            let mut read = pin!(reader.read(spare));
            let mut write = pin!(writer.write(pending));
            poll_fn(|cx| {
                if reading && let Poll::Ready(result) = read.as_mut().poll(cx) {
                    call.read = Some(result.map_err(|error| Failed::of(&error)));
                }
                if writing && let Poll::Ready(result) = write.as_mut().poll(cx) {
                    call.written = Some(result.map_err(|error| Failed::of(&error)));
                }
                let progress = call.read.is_some() || call.written.is_some();
                if progress || clock::now() >= until {
                    return Poll::Ready(());
                }
                alarm.set(until, cx.waker());
                Poll::Pending
            })
            .await;
        }
        call.sent
    }
}

impl<R: Read, W: Write> fmt::Debug for Client<'_, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("sid", &self.sid()).field("end", &self.end()).finish_non_exhaustive()
    }
}
