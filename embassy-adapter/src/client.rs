//! The session over a stream.

use core::fmt;
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_core::packet::{Data, Frame};
use eio_core::session::Disconnect;
use eio_core::ws::{Close, Piece};
use eio_core::{BufferTooSmall, Heartbeat};
use embedded_io_async::{Read, Write};

use crate::drive::{Failed, Goal, Pass};
use crate::link::{Link, whole};
use crate::{Buffers, ConnectError, Endpoint, SendError, Settings, clock};

/// What the server sent.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<'a> {
    /// A whole message.
    Message(Data<'a>),
    /// A part of a message that is longer than the receive buffer, with [`LongMessages::in_pieces`](crate::LongMessages::in_pieces). The pieces of
    /// a message come in order, and no other message between them. Those of a text may be cut inside a character;
    /// together they are UTF-8.
    Piece(Piece<'a>),
}

/// A session with an Engine.IO server, over the two halves of a connected stream.
///
/// The stream's two halves are apart, because the client reads and writes at the same time: TCP sockets, UARTs and TLS
/// connections have a `split`.
///
/// ```no_run
/// use eio_core::packet::Frame;
/// use eio_embassy::{Buffers, Client, Endpoint, Settings};
/// # use embedded_io_async::{Read, Write};
///
/// # async fn example(
/// #     reader: impl Read,
/// #     writer: impl Write,
/// #     mut hardware_random: impl FnMut() -> u32,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let (mut rx, mut tx) = ([0; 512], [0; 512]);
/// let buffers = Buffers { rx: &mut rx, tx: &mut tx };
/// let mut client = Client::new(reader, writer, buffers, &mut hardware_random, &Settings::DEFAULT)?;
/// client.connect(&Endpoint::engineio("192.0.2.1:3000")).await?;
///
/// client.send(Frame::Text("hello")).await?;
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
/// That holds for streams whose own `read` and `write` futures may be dropped while they wait, which is so for
/// embassy-net's TCP, and not for most TLS. For those there is [`run`](Self::run).
///
/// # Time
///
/// While [`recv`](Self::recv), [`send`](Self::send) or [`close`](Self::close) is awaited, heartbeats are answered, and
/// the end comes when it is due, whatever the stream does: a silent server, a write that hangs, a cut link. While none
/// is, nothing happens; an application that comes back late first reads what has arrived, and nobody is declared dead
/// for its own absence.
pub struct Client<'b, R, W> {
    pub(crate) reader: R,
    pub(crate) writer: W,
    pub(crate) link: Link<'b>,
}

impl<'b, R: Read, W: Write> Client<'b, R, W> {
    /// A client over a stream that is connected. Nothing is sent before [`connect`](Self::connect), and
    /// [`Settings::open_timeout`] runs from now.
    ///
    /// `rng` is called for every frame and has to be unpredictable to others (RFC 6455 section 10.3): a hardware
    /// source, or a generator seeded by one.
    ///
    /// # Errors
    /// [`ConnectError::RxTooSmall`] and [`ConnectError::TxTooSmall`].
    pub fn new(
        reader: R,
        writer: W,
        buffers: Buffers<'b>,
        rng: &'b mut dyn FnMut() -> u32,
        settings: &'b Settings,
    ) -> Result<Self, ConnectError> {
        Ok(Self { reader, writer, link: Link::new(buffers, rng, settings, clock::now())? })
    }

    /// Asks for a WebSocket, and opens a session. What follows needs it once; a session that is open already stays as
    /// it is.
    ///
    /// All of it ends within [`Settings::open_timeout`]. If the future is dropped, call it again, and it goes on where
    /// it was; after an error, close the stream.
    ///
    /// # Errors
    /// [`ConnectError`]; the same again at every later call, except for what is wrong with the endpoint.
    pub async fn connect(&mut self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        self.link.request(endpoint)?;
        let _ = self.reach(Goal::Open).await;
        self.link.state.check_open()
    }

    /// Waits for the next message, and keeps the session alive meanwhile.
    ///
    /// It wakes up for bytes that come in, for room to write what is owed, and for the session's deadline, and for
    /// nothing else. What it returns borrows the receive buffer until the next call.
    ///
    /// # Errors
    /// How the session ended; the same again at every later call. What came in before the end is delivered first.
    pub async fn recv(&mut self) -> Result<Event<'_>, Disconnect> {
        self.ready().await?;
        match self.last_event() {
            Some(event) => Ok(event),
            // `ready` has seen that there is one.
            None => pending().await,
        }
    }

    /// Waits until there is a message: [`recv`](Self::recv) without the borrow, for loops that look at a message before
    /// they decide to return it. [`last_event`](Self::last_event) is that message then.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn ready(&mut self) -> Result<(), Disconnect> {
        loop {
            let _ = self.reach(Goal::Message).await;
            if let Some(taken) = self.link.take_message(clock::now()) {
                return taken;
            }
        }
    }

    /// What [`recv`](Self::recv) returned last, or [`ready`](Self::ready) waited for; `None` once another call has needed
    /// its place.
    #[must_use]
    pub fn last_event(&self) -> Option<Event<'_>> {
        self.link.seen_message()
    }

    /// Sends a message: text or bytes. Waits until the frames before it have left.
    ///
    /// When it returns, the message is in the send buffer, or with the stream already; what the stream has not taken
    /// yet goes out while another call is awaited. Whether the server has got it, only its answer can tell.
    ///
    /// A message that fits into the send buffer is sent whole, or not at all if the future is dropped. A longer one is
    /// streamed in fragments; while it is, the heartbeat has to wait (a WebSocket has no room for it inside a message),
    /// so that it must get through within the server's `pingTimeout`. If the future is dropped in the middle, call
    /// `send` with the same message again: it goes on where it stopped.
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::Unfinished`] for another message than the one that was begun.
    pub async fn send(&mut self, message: Frame<'_>) -> Result<(), SendError> {
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

    /// Sends a message that is made piece by piece, and so need not be in memory. Returns how many bytes of this piece
    /// were taken: at least one, unless it is empty; call again with the rest (no longer `first`, if any were taken).
    ///
    /// Every call takes those bytes, or none if the future is dropped. Until the piece that is `last` has been taken
    /// whole, no other message can be sent and the heartbeat has to wait, as for a long message in
    /// [`send`](Self::send).
    ///
    /// # Errors
    /// [`SendError`].
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

    /// Ends the session: what was sent goes out, then a close frame. Then close the stream.
    ///
    /// It takes at most [`Settings::close_timeout`], and less if the server's deadline for silence comes first. A
    /// session that has ended already stays as it is: a server that closed in order, or broke a rule, gets its close
    /// frame; one that is silent is not waited for. If the future is dropped, call it again.
    pub async fn close(&mut self) -> Disconnect {
        self.end(None).await
    }

    /// The same, with a code and words for the server's log in the close frame: a server that has ended the session
    /// before gets its own code back instead.
    ///
    /// ```
    /// use eio_core::session::Disconnect;
    /// use eio_core::ws::{Close, CloseCode, CloseError};
    /// use eio_embassy::Client;
    /// # use embedded_io_async::{Read, Write};
    ///
    /// async fn go_to_sleep<R: Read, W: Write>(client: &mut Client<'_, R, W>) -> Result<Disconnect, CloseError> {
    ///     Ok(client.close_with(Close::new(CloseCode::new(4001), "battery low")?).await)
    /// }
    /// # let _ = go_to_sleep::<&[u8], &mut [u8]>;
    /// ```
    pub async fn close_with(&mut self, close: Close<'b>) -> Disconnect {
        self.end(Some(close)).await
    }

    async fn end(&mut self, close: Option<Close<'b>>) -> Disconnect {
        loop {
            let closed = self.link.begin_close(close, clock::now());
            let _ = self.reach(closed).await;
            if let Some(end) = self.disconnect() {
                return end;
            }
        }
    }

    /// Measures the link's round trip: a WebSocket ping goes out when another call is awaited next, and its pong sets
    /// [`rtt`](Self::rtt). Does nothing while one is on its way.
    ///
    /// In revision 4 it is the server that pings, so a client learns the round trip only by asking. Neither this ping
    /// nor its pong is a sign of life for anybody: the heartbeat is not changed.
    pub fn measure_rtt(&mut self) {
        self.link.state.want_probe();
    }

    /// The last round trip: of [`measure_rtt`](Self::measure_rtt), or of a heartbeat in revision 3.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.link.state.rtt()
    }

    /// How long the server may stay silent from now on before the session ends; zero once it may not. In revision 3
    /// the time to the next ping, or to the end while that is unanswered. `None` once the session has ended.
    #[must_use]
    pub fn time_to_deadline(&self) -> Option<Duration> {
        Some(self.link.state.session.poll_timeout()?.saturating_duration_since(clock::now()))
    }

    /// The periods that the server announced, less what [`Settings::ping_timeout_at_most`] takes off; `None` before it
    /// has.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Heartbeat> {
        self.link.state.session.heartbeat()
    }

    /// The longest message that the server accepts, its packet's type included, if it has said so.
    #[must_use]
    pub const fn max_payload(&self) -> Option<u32> {
        self.link.state.max_payload()
    }

    /// The session's id: what the server's log calls it. `None` before the server has given one.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.link.state.sid()
    }

    /// Whether messages can be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.state.session.is_open() && self.link.state.write_failed.is_none()
    }

    /// How the session ended, if it has. A connection that has failed is told of by [`recv`](Self::recv) first, behind
    /// what came in before.
    #[must_use]
    pub fn disconnect(&self) -> Option<Disconnect> {
        self.link.state.session.disconnect()
    }

    /// The words of the server's close frame, at most 123 bytes; empty if it sent none. The code is in
    /// [`Disconnect::close_code`].
    #[must_use]
    pub fn close_reason(&self) -> &str {
        self.link.close_reason()
    }

    /// When the server last sent anything, on embassy-time's clock.
    #[must_use]
    pub fn last_seen(&self) -> embassy_time::Instant {
        clock::not_before(self.link.state.session.last_seen())
    }

    pub(crate) fn joins_by_itself(&self) -> bool {
        self.link.state.settings.revision.digit == "3"
    }

    /// The two halves of the stream.
    pub fn into_stream(self) -> (R, W) {
        (self.reader, self.writer)
    }

    /// Reads, decodes, answers and waits until the goal is reached or the session ends, and says whether everything was
    /// sent that was to be sent.
    ///
    /// The only place where this crate waits for the stream. Each turn polls the read, the write and the clock, in that
    /// order, so that neither starves the other, and time is judged only when nothing was there to read.
    async fn reach(&mut self, goal: Goal<'_>) -> Result<(), SendError> {
        let Self { reader, writer, link } = self;
        let mut pass = Pass::to(goal);
        while let Some(until) = link.step(clock::now(), &mut pass) {
            let Link { inbox, outbox, state } = &mut *link;
            // A message that the application has not seen lies where the next bytes would.
            let reading = state.read_end.is_none() && !state.holds_message();
            let spare = if reading { inbox.spare() } else { &mut [] };
            let pending = outbox.pending();
            let writing = !pending.is_empty() && state.write_failed.is_none();
            let mut read = pin!(reader.read(spare));
            let mut write = pin!(writer.write(pending));
            let mut timer = pin!(clock::timer(until));
            poll_fn(|cx| {
                if reading && let Poll::Ready(result) = read.as_mut().poll(cx) {
                    pass.read = Some(result.map_err(|error| Failed::of(&error)));
                }
                if writing && let Poll::Ready(result) = write.as_mut().poll(cx) {
                    pass.written = Some(result.map_err(|error| Failed::of(&error)));
                }
                let progress = pass.read.is_some() || pass.written.is_some();
                if progress || clock::now() >= until || timer.as_mut().poll(cx).is_ready() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
        if link.state.write_failed.is_some() { Err(SendError::Closed) } else { pass.sent }
    }
}

impl<R: Read, W: Write> fmt::Debug for Client<'_, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("sid", &self.sid())
            .field("disconnect", &self.disconnect())
            .finish_non_exhaustive()
    }
}
