//! The session over a stream.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_core::packet::{Data, Frame};
use eio_core::session::{Disconnect, SendError as Refusal};
use eio_core::ws::{CloseCode, Key, Piece};
use eio_core::{BufferTooSmall, Heartbeat, Instant};
use embedded_io_async::{Read, Write};

use crate::link::{Link, whole};
use crate::{Buffers, ConnectError, Endpoint, SendError, Settings, clock, response};

/// What the server sent.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<'a> {
    /// A whole message.
    Message(Data<'a>),
    /// A part of a message that is longer than the receive buffer, with [`Settings::max_message_len`]. The pieces of
    /// a message come in order, and no other message between them. Those of a text may be cut inside a character;
    /// together they are UTF-8.
    Piece(Piece<'a>),
}

/// A session with an Engine.IO server, over the two halves of a connected stream.
///
/// The stream's two halves are apart, because the client reads and writes at the same time: TCP sockets, UARTs and TLS
/// connections have a `split`.
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

/// What the client waits for.
#[derive(Clone, Copy, PartialEq)]
enum Goal {
    /// The handshake.
    Open,
    /// A message for the application.
    Message,
    /// Room for a frame of the application.
    Room,
}

impl<'b, R: Read, W: Write> Client<'b, R, W> {
    /// Asks for a WebSocket on a stream that is connected, and opens a session.
    ///
    /// `rng` is called for every frame and has to be unpredictable to others (RFC 6455 section 10.3): a hardware
    /// source, or a generator seeded by one.
    ///
    /// All of it takes at most [`Settings::open_timeout`]. Nothing has to be cleaned up after a failure, or if the
    /// future is dropped: close the stream.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(
        reader: R,
        writer: W,
        endpoint: &Endpoint<'_>,
        buffers: Buffers<'b>,
        rng: &'b mut dyn FnMut() -> u32,
        settings: &Settings,
    ) -> Result<Self, ConnectError> {
        buffers.check()?;
        let link = Link::new(buffers, rng, settings, clock::now());
        let mut client = Self { reader, writer, link };
        let key = Key::from_random(client.link.state.random_bytes());
        let digit = client.link.state.revision().digit;
        let len = endpoint.write(digit, &key, client.link.outbox.raw())?;
        client.link.outbox.begin(len);
        client.switch_protocols(&key).await?;
        client.drive(Goal::Open).await?;
        Ok(client)
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
        // There is one; nothing here may panic.
        Ok(self.last_event().unwrap_or(Event::Message(Data::Text(""))))
    }

    /// Waits until there is a message: [`recv`](Self::recv) without the borrow, for loops that look at a message before
    /// they decide to return it. [`last_event`](Self::last_event) is that message then.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn ready(&mut self) -> Result<(), Disconnect> {
        self.drive(Goal::Message).await?;
        self.link.state.mark_seen();
        Ok(())
    }

    /// What [`recv`](Self::recv) returned last, or [`ready`](Self::ready) waited for; `None` once another call has needed
    /// its place.
    #[must_use]
    pub fn last_event(&self) -> Option<Event<'_>> {
        self.link.message()
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
        let piece = whole(message);
        let len = piece.bytes.len();
        let open = self.link.outbox.open_message();
        let mut resumes = open.is_some();
        if resumes && (open, self.link.state.total) != (Some(piece.kind), Some(len)) {
            return Err(SendError::Unfinished);
        }
        let prefix = self.link.state.prefix_len(piece.kind);
        self.link.state.check_len(len.saturating_add(prefix))?;
        loop {
            self.room().await?;
            let begun = if resumes { self.link.state.sent.saturating_sub(prefix) } else { 0 };
            let rest = piece.bytes.get(begun..).unwrap_or_default();
            let taken = self.link.put(Piece { bytes: rest, first: !resumes, ..piece })?;
            self.link.state.total = Some(len);
            if taken == rest.len() {
                break;
            }
            resumes = true;
        }
        self.push().await
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
        self.room().await?;
        let taken = self.link.put(piece)?;
        self.link.state.total = None;
        self.push().await?;
        Ok(taken)
    }

    /// Sends a text message that `write` writes into the send buffer, returning its length.
    pub(crate) async fn send_text_with(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<usize, BufferTooSmall>,
    ) -> Result<(), SendError> {
        self.room().await?;
        self.link.put_text_with(write)?;
        self.push().await
    }

    /// Ends the session: what was sent goes out, then a close frame. Then close the stream.
    ///
    /// It takes at most [`Settings::close_timeout`], and less if the server's deadline for silence comes first. A
    /// session that has ended already stays as it is: a server that closed in order, or broke a rule, gets its close
    /// frame; one that is silent is not waited for. If the future is dropped, call it again.
    pub async fn close(&mut self) -> Disconnect {
        let now = clock::now();
        let limit = now.saturating_add(self.link.state.close_timeout);
        self.link.begin_close(now);
        loop {
            let now = clock::now();
            self.link.process(now);
            self.link.fill_outbox(now);
            if let Some(end) = self.link.try_finish(now, limit) {
                return end;
            }
            let until = self.link.state.wake_at(now).map_or(limit, |deadline| deadline.min(limit));
            let progress = self.turn(Some(until)).await;
            if !progress.read {
                self.link.settle(clock::now());
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

    /// The periods that the server announced, less what [`Settings::ping_timeout_at_most`] takes off.
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat {
        self.link.state.session.heartbeat().unwrap_or_default()
    }

    /// The longest message that the server accepts, its packet's type included, if it has said so.
    #[must_use]
    pub const fn max_payload(&self) -> Option<u32> {
        self.link.state.max_payload()
    }

    /// The session's id: what the server's log calls it.
    #[must_use]
    pub fn sid(&self) -> &str {
        self.link.state.sid()
    }

    /// Whether messages can be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.state.session.is_open()
    }

    /// How the session ended, if it has.
    #[must_use]
    pub fn disconnect(&self) -> Option<Disconnect> {
        self.link.state.session.disconnect()
    }

    /// What the server's close frame said, if it sent one: [`CloseCode::NO_STATUS`] for one without a code.
    #[must_use]
    #[expect(clippy::misnamed_getters, reason = "the other field is what this side will say")]
    pub const fn close_code(&self) -> Option<CloseCode> {
        self.link.state.peer_close
    }

    /// When the server last sent anything, on embassy-time's clock.
    #[must_use]
    pub fn last_seen(&self) -> embassy_time::Instant {
        clock::not_before(self.link.state.session.last_seen())
    }

    pub(crate) fn joins_by_itself(&self) -> bool {
        self.link.state.revision().digit == "3"
    }

    /// The two halves of the stream.
    pub fn into_stream(self) -> (R, W) {
        (self.reader, self.writer)
    }

    /// Reads the head of the response.
    async fn switch_protocols(&mut self, key: &Key) -> Result<(), ConnectError> {
        let mut scanned = 0;
        loop {
            if let Some(len) = response::head_len(self.link.inbox.received(), &mut scanned) {
                let head = self.link.inbox.received().get(..len).unwrap_or_default();
                response::check(head, key)?;
                self.link.inbox.consume(len);
                self.link.begin_frames();
                return Ok(());
            }
            if self.link.inbox.is_full() {
                return Err(ConnectError::HeadTooLong);
            }
            let Some(until) = self.link.wait_until(clock::now()) else {
                return self.link.state.session.disconnect().map_or(Ok(()), |end| Err(end.into()));
            };
            let until = Some(until).filter(|_| !self.link.state.write_failed);
            let progress = self.turn(until).await;
            if !progress.read {
                self.link.settle(clock::now());
            }
        }
    }

    /// Reads, decodes, answers and waits until the goal is reached or the session ends.
    async fn drive(&mut self, goal: Goal) -> Result<(), Disconnect> {
        loop {
            let now = clock::now();
            self.link.process(now);
            self.link.fill_outbox(now);
            let reached = match goal {
                Goal::Open => self.link.state.session.is_open(),
                Goal::Message => self.link.holds_message(),
                Goal::Room => {
                    self.link.state.write_failed
                        || self.link.outbox.is_idle() && self.link.state.session.is_open()
                }
            };
            if reached {
                if !self.link.outbox.is_idle() {
                    // Does not wait: an application that always finds a message would never get to write.
                    self.turn(None).await;
                }
                return Ok(());
            }
            let Some(until) = self.link.wait_until(now) else {
                return self.link.state.session.disconnect().map_or(Ok(()), Err);
            };
            // After a failed write, only what is there already can still say why.
            let until = Some(until).filter(|_| !self.link.state.write_failed);
            let progress = self.turn(until).await;
            if !progress.read {
                self.link.settle(clock::now());
            }
        }
    }

    /// Waits for room for a frame.
    async fn room(&mut self) -> Result<(), SendError> {
        if self.link.state.session.check_send(clock::now()) == Err(Refusal::Expired) {
            // What has arrived may be a sign of life.
            self.turn(None).await;
        }
        self.drive(Goal::Room).await.map_err(|_| SendError::Closed)?;
        if self.link.state.write_failed {
            return Err(SendError::Closed);
        }
        match self.link.state.session.check_send(clock::now()) {
            Ok(()) => Ok(()),
            Err(Refusal::Expired) => Err(SendError::Expired),
            Err(_) => Err(SendError::Closed),
        }
    }

    /// Writes what the stream takes at once.
    async fn push(&mut self) -> Result<(), SendError> {
        while !self.link.outbox.is_idle() && self.turn(None).await.written {}
        if self.link.state.write_failed { Err(SendError::Closed) } else { Ok(()) }
    }

    /// Reads and writes once, as far as there is something to read or write. Without `until` it does not wait.
    ///
    /// The only place where this crate waits for the stream. Each turn polls the read, the write and the clock, in that
    /// order, so that neither starves the other, and time is judged only when nothing was there to read.
    async fn turn(&mut self, until: Option<Instant>) -> Progress {
        let Self { reader, writer, link } = self;
        let holds = link.holds_message();
        let Link { inbox, outbox, state } = link;
        let spare = inbox.spare(holds);
        let pending = outbox.pending();
        let mut reading = !spare.is_empty() && state.read_end.is_none();
        let mut writing = !pending.is_empty() && !state.write_failed;
        let (read, written) = {
            let mut read = pin!(reader.read(spare));
            let mut write = pin!(writer.write(pending));
            let mut timer = pin!(clock::timer(until.unwrap_or(Instant::from_micros(0))));
            poll_fn(|cx| {
                let mut results = (None, None);
                if reading && let Poll::Ready(result) = read.as_mut().poll(cx) {
                    reading = false;
                    results.0 = Some(result.ok());
                }
                if writing && let Poll::Ready(result) = write.as_mut().poll(cx) {
                    writing = false;
                    results.1 = Some(result.ok());
                }
                let due = || until.is_none_or(|until| clock::now() >= until);
                if results != (None, None) || due() || timer.as_mut().poll(cx).is_ready() {
                    Poll::Ready(results)
                } else {
                    Poll::Pending
                }
            })
            .await
        };
        let progress = Progress { read: read.is_some(), written: written.is_some() };
        if let Some(read) = read {
            link.handle_read(clock::now(), read);
        }
        if let Some(written) = written {
            link.handle_written(written);
        }
        progress
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

/// What one turn did.
struct Progress {
    read: bool,
    written: bool,
}
