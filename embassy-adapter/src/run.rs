//! A session that runs in a separate task, for streams whose futures must not be dropped.
//!
//! A TLS connection cannot continue if a future that writes a record is dropped halfway. [`Client::run`] never drops a
//! waiting read or write: it keeps both until the session ends, and the application talks to it through two channels.
//! This costs a copy of each message, and the memory of the channels.

use core::cell::RefCell;
use core::pin::pin;

use eio_core::packet::{Data, WebSocketMessage};
use eio_core::session::{SessionEnd, Violation};
use eio_core::ws::{Close, MessageKind, Piece, Reader};
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use embedded_io_async::{Read, Write};

use crate::drive::Failed;
use crate::link::{Link, State, whole};
use crate::outbox::{Outbox, fill};
use crate::{Client, IncomingMessage, SendError, clock};

/// A message that owns its bytes, at most `N` of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<const N: usize> {
    kind: MessageKind,
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> Message<N> {
    /// Copies a message. Returns `None` if it is longer than `N` bytes.
    ///
    /// ```
    /// use eio_core::packet::WebSocketMessage;
    /// use eio_embassy::Message;
    ///
    /// let message: Message<16> = Message::new(WebSocketMessage::Text("21.5")).expect("it fits");
    /// assert_eq!(message.as_websocket_message(), WebSocketMessage::Text("21.5"));
    /// assert!(Message::<3>::new(WebSocketMessage::Text("21.5")).is_none());
    /// ```
    #[must_use]
    pub fn new(message: WebSocketMessage<'_>) -> Option<Self> {
        let piece = whole(message);
        let mut bytes = [0; N];
        let len = piece.bytes.len();
        fill(&mut bytes.get_mut(..len)?.iter_mut(), piece.bytes);
        Some(Self { kind: piece.kind, len, bytes })
    }

    /// Returns the message.
    #[must_use]
    pub fn as_websocket_message(&self) -> WebSocketMessage<'_> {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        match self.kind {
            MessageKind::Text => WebSocketMessage::Text(core::str::from_utf8(bytes).unwrap_or_default()),
            MessageKind::Binary => WebSocketMessage::Binary(bytes),
        }
    }
}

impl<const N: usize> core::fmt::Debug for Message<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_websocket_message().fmt(f)
    }
}

/// A command from the application to a session that runs in a separate task; see [`Client::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<const N: usize> {
    /// Send this message. If it cannot be sent, it is passed to the `refused` closure of [`run`](Client::run).
    Send(Message<N>),
    /// Measure the link's round trip; see [`Client::measure_rtt`].
    MeasureRtt,
    /// Close the session. Messages from earlier commands are sent first.
    Close,
    /// Close the session with a code and a reason in the close frame; see [`Client::close_with`].
    CloseWith(Close<'static>),
}

/// The state that the three loops of a session share. No borrow of it is held across an await.
struct Shared<'s, 'b> {
    state: RefCell<&'s mut State<'b>>,
    /// Wakes the writer: there may be a frame to write.
    to_write: Signal<NoopRawMutex, ()>,
    /// Wakes the timer: the deadline may have moved.
    to_time: Signal<NoopRawMutex, ()>,
}

impl<'b> Shared<'_, 'b> {
    /// Changes the state after a read, and wakes the writer and the timer.
    fn change_and_wake_all<T>(&self, change: impl FnOnce(&mut State<'b>) -> T) -> T {
        self.to_write.signal(());
        self.change(change)
    }

    /// Changes the state and wakes the timer.
    fn change<T>(&self, change: impl FnOnce(&mut State<'b>) -> T) -> T {
        self.to_time.signal(());
        change(&mut self.state.borrow_mut())
    }
}

impl<R: Read, W: Write> Client<'_, R, W> {
    /// Runs the session until it ends, without ever dropping a waiting read or write.
    ///
    /// The application sends commands through `commands`, and receives the server's messages from `messages`. While
    /// `messages` is full, the client does not read, so it does not judge the server's silence either. After
    /// [`app_stall_timeout`](crate::ClientSettings::app_stall_timeout) the session ends with
    /// [`ApplicationStalled`](eio_core::DisconnectReason::ApplicationStalled). A message longer than `N` ends it with
    /// [`PayloadTooLarge`](eio_core::session::Violation::PayloadTooLarge).
    ///
    /// `refused` is called with each message that cannot be sent and the error: the message is longer than the server's
    /// `maxPayload`, or the session is closing. It must not block. Commands that are still in `commands` at the end
    /// stay there.
    ///
    /// If the stream sends nothing without a `flush`, wrap its writer in [`Flushed`].
    ///
    /// After the end nothing more can be sent: drop the client and close the stream's transport. The future itself may
    /// be dropped, with the same consequence.
    pub async fn run<M: RawMutex, const N: usize, const IN: usize, const OUT: usize>(
        &mut self,
        commands: &Channel<M, Command<N>, IN>,
        messages: &Channel<M, Message<N>, OUT>,
        refused: impl FnMut(Message<N>, SendError),
    ) -> SessionEnd {
        let Self { reader, writer, link } = self;
        let Link { inbox, outbox, state } = link;
        let shared = Shared { state: RefCell::new(state), to_write: Signal::new(), to_time: Signal::new() };
        let reading = pin!(read(&shared, inbox, reader, messages));
        let writing = pin!(write(&shared, outbox, writer, commands, refused));
        // The clock comes last: in each turn, what can be read is read before time is judged.
        match select3(reading, writing, time(&shared)).await {
            Either3::First(never) | Either3::Second(never) => match never {},
            Either3::Third(end) => end,
        }
    }
}

/// Reads, and never returns: [`time`] notices the end.
async fn read<M: RawMutex, const N: usize, const OUT: usize>(
    shared: &Shared<'_, '_>,
    inbox: &mut Reader<'_>,
    reader: &mut impl Read,
    messages: &Channel<M, Message<N>, OUT>,
) -> core::convert::Infallible {
    loop {
        while let Some(message) = shared.change_and_wake_all(|state| next(state, inbox)) {
            if messages.try_send(message).is_err() {
                shared.change_and_wake_all(|state| state.report_reading(clock::now()));
                messages.send(message).await;
            }
            shared.change_and_wake_all(|state| {
                state.mark_delivered();
                state.report_reading(clock::now());
            });
        }
        let ended = shared.change_and_wake_all(|state| {
            state.handle_read_end(clock::now());
            state.has_ended()
        });
        if ended {
            core::future::pending::<()>().await;
        }
        let read = reader.read(inbox.spare()).await.map_err(|error| Failed::of(&error));
        shared.change_and_wake_all(|state| state.handle_read(clock::now(), read, inbox));
    }
}

/// Returns the next message, which still waits for the application until it is marked as delivered.
fn next<const N: usize>(state: &mut State<'_>, inbox: &mut Reader<'_>) -> Option<Message<N>> {
    let now = clock::now();
    state.process(now, inbox);
    if !state.has_waiting_message() {
        return None;
    }
    let message = match state.message(inbox)? {
        IncomingMessage::Whole(Data::Text(text)) => Message::new(WebSocketMessage::Text(text)),
        IncomingMessage::Whole(Data::Binary(bytes)) => Message::new(WebSocketMessage::Binary(bytes)),
        IncomingMessage::Whole(Data::Base64(base64)) => {
            let mut bytes = [0; N];
            base64.decode(&mut bytes).ok().and_then(|bytes| Message::new(WebSocketMessage::Binary(bytes)))
        }
        IncomingMessage::Piece(_) => None,
    };
    if message.is_none() {
        state.session.handle_violation(now, Violation::PayloadTooLarge);
        state.mark_delivered();
    }
    message
}

/// Writes, and never returns: [`time`] notices the end.
async fn write<M: RawMutex, const N: usize, const IN: usize>(
    shared: &Shared<'_, '_>,
    outbox: &mut Outbox<'_>,
    writer: &mut impl Write,
    commands: &Channel<M, Command<N>, IN>,
    mut refused: impl FnMut(Message<N>, SendError),
) -> core::convert::Infallible {
    let mut message: Option<Message<N>> = None;
    let mut begun = 0;
    let mut closing = false;
    loop {
        let put = put(&mut shared.state.borrow_mut(), outbox, &mut message, &mut begun);
        if let Err((message, why)) = put {
            refused(message, why);
        }
        if !outbox.is_idle() {
            let written = writer.write(outbox.pending()).await.map_err(|error| Failed::of(&error));
            if shared.state.borrow_mut().handle_written(written, outbox) {
                continue;
            }
            shared.change(|state| state.report_write_failure(clock::now()));
        }
        if closing {
            shared.change(|state| state.session.handle_closed(clock::now()));
        }
        match select(shared.to_write.wait(), commands.receive()).await {
            Either::First(()) => {}
            Either::Second(Command::Send(next)) => {
                message = Some(next);
                begun = 0;
            }
            Either::Second(Command::MeasureRtt) => shared.state.borrow_mut().request_rtt_ping(),
            Either::Second(Command::Close) => {
                closing = true;
                shared.change(|state| state.begin_close(None, clock::now()));
            }
            Either::Second(Command::CloseWith(close)) => {
                closing = true;
                shared.change(|state| state.begin_close(Some(close), clock::now()));
            }
        }
    }
}

/// Puts the next frame: one of the session's own, or the message or its next fragment. Returns a message that cannot be
/// sent to the caller.
fn put<const N: usize>(
    state: &mut State<'_>,
    outbox: &mut Outbox<'_>,
    message: &mut Option<Message<N>>,
    begun: &mut usize,
) -> Result<(), (Message<N>, SendError)> {
    state.fill(clock::now(), outbox);
    let Some(sending) = message.filter(|_| outbox.is_idle()) else { return Ok(()) };
    let piece = whole(sending.as_websocket_message());
    let rest = piece.bytes.get(*begun..).unwrap_or_default();
    let allowed = if state.session.is_open() { state.check_message(piece) } else { Err(SendError::Closed) };
    if let Err(why) = allowed {
        *message = None;
        return Err((sending, why));
    }
    let taken = state.put(Piece { bytes: rest, first: *begun == 0, ..piece }, outbox);
    *begun = begun.saturating_add(taken);
    if taken == rest.len() {
        *message = None;
    }
    Ok(())
}

/// Waits for the session's end, and expires the session when its deadline passes.
async fn time(shared: &Shared<'_, '_>) -> SessionEnd {
    loop {
        let until = {
            let mut state = shared.state.borrow_mut();
            let now = clock::now();
            if state.wake_at().is_some_and(|until| until <= now) {
                state.expire(now);
                shared.to_write.signal(());
            }
            if let Some(end) = state.session.end() {
                return end;
            }
            state.wake_at()
        };
        if let Some(until) = until {
            select(shared.to_time.wait(), clock::timer(until)).await;
        }
    }
}

/// A writer that flushes after every write, for streams that buffer until they are flushed. TLS connections do; each
/// write then becomes a separate record.
///
/// Use it only with [`Client::run`], and only over streams whose `flush` does not wait for the peer. The `flush` of a TCP
/// socket waits for the peer's acknowledgement, so a TLS connection over such a socket must not call it.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a writer in a wrapper")]
pub struct Flushed<W>(pub W);

impl<W: Write> embedded_io_async::ErrorType for Flushed<W> {
    type Error = W::Error;
}

impl<W: Write> Write for Flushed<W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        let written = self.0.write(bytes).await?;
        self.0.flush().await?;
        Ok(written)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.0.flush().await
    }
}
