//! One session without its stream: what every byte that came in means, and which frame goes out next.

use core::time::Duration;

use eio_core::handshake::Sid;
use eio_core::packet::{Data, DecodeError, Frame, Packet, PacketType};
use eio_core::session::{Control, Disconnect, Violation};
use eio_core::ws::{
    self, CloseCode, Control as WsControl, Decoder, Key, MessageKind, OpCode, Piece, Reader, Received,
};
use eio_core::{BufferTooSmall, ClientSession, DisconnectReason, Event as SessionEvent, Heartbeat, Instant};

use crate::outbox::{Outbox, SavedPing, fill};
use crate::{Buffers, ConnectError, Event, SendError, Settings, response};

/// Later than this, a wake-up says more about this board than about the server: before silence is judged, the other
/// tasks get [`GRACE_MICROS`] to bring in what lies in the network's buffers.
const LATE_MICROS: u64 = 10_000;
const GRACE_MICROS: u64 = 5_000;

/// What a client holds beside its stream. `session`, `inbox` and `outbox` are apart, because a read that waits
/// borrows the one and a write the other.
pub(crate) struct Link<'b> {
    pub(crate) inbox: Reader<'b>,
    pub(crate) outbox: Outbox<'b>,
    pub(crate) state: State<'b>,
}

#[expect(clippy::struct_excessive_bools, reason = "facts that hold or do not, each on its own")]
pub(crate) struct State<'b> {
    pub(crate) session: ClientSession,
    rng: &'b mut dyn FnMut() -> u32,
    pub(crate) settings: &'b Settings,
    pub(crate) phase: Phase,
    ping: SavedPing<'b>,
    mail: Mail,
    /// Whether a message in pieces is being dropped, because nobody may see it.
    dropping: bool,
    /// How reading ended. The session is told when everything received before has been handled.
    pub(crate) read_end: Option<ReadEnd>,
    /// The session is told when nothing is left to read, which may say why.
    pub(crate) write_failed: bool,
    /// Whether reading stands still for the application.
    paused: bool,
    /// After a late wake-up: silence is not judged before.
    grace: Option<Instant>,
    /// What a close frame to the server will say.
    close_code: Option<CloseCode>,
    /// What the server's close frame said.
    pub(crate) peer_close: Option<CloseCode>,
    /// Whether the server's close frame is to be answered.
    owes_close: bool,
    max_payload: Option<u32>,
    sid: [u8; Sid::MAX_LEN],
    sid_len: u8,
    probe: Probe,
    rtt: Option<Duration>,
    /// Of the message in fragments that is being sent: how many bytes have left the caller, and the length of the
    /// whole, if it is known.
    sent: usize,
    total: Option<usize>,
}

/// How far the connection is.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    New,
    /// The request is in the send buffer, or has left; so much of what came back was searched for the end of a head.
    Requested {
        key: Key,
        scanned: usize,
    },
    Refused(ConnectError),
    Frames,
}

/// A WebSocket ping of ours, which measures the link.
#[derive(Clone, Copy)]
enum Probe {
    None,
    Wanted,
    Sent(Instant),
}

#[derive(Clone, Copy)]
pub(crate) enum ReadEnd {
    Closed,
    Failed,
}

/// The message or piece that came in last.
#[derive(Clone, Copy, PartialEq)]
enum Mail {
    None,
    /// It lies in the inbox until the application has seen it.
    Held,
    /// It still lies there.
    Seen,
}

impl<'b> Link<'b> {
    pub(crate) fn new(
        buffers: Buffers<'b>,
        rng: &'b mut dyn FnMut() -> u32,
        settings: &'b Settings,
        now: Instant,
    ) -> Result<Self, ConnectError> {
        let Buffers { rx, tx } = buffers;
        let inbox = match settings.max_message_len {
            Some(limit) => Reader::in_pieces(Decoder::client(limit), rx),
            None => Reader::new(Decoder::client(u32::MAX), rx),
        };
        let inbox = inbox.map_err(|BufferTooSmall { needed, .. }| ConnectError::RxTooSmall { needed })?;
        let outbox = Outbox::new(tx)?;
        let mut session = (settings.revision.session)(settings.open_timeout, now);
        if let Some(most) = settings.ping_timeout_at_most {
            session = session.with_ping_timeout_at_most(most);
        }
        let state = State {
            session,
            rng,
            settings,
            phase: Phase::New,
            ping: SavedPing::none(),
            mail: Mail::None,
            dropping: false,
            read_end: None,
            write_failed: false,
            paused: false,
            grace: None,
            close_code: None,
            peer_close: None,
            owes_close: false,
            max_payload: None,
            sid: [0; Sid::MAX_LEN],
            sid_len: 0,
            probe: Probe::None,
            rtt: None,
            sent: 0,
            total: None,
        };
        Ok(Self { inbox, outbox, state })
    }

    /// Looks for the answer to the request: from it on there are frames.
    pub(crate) fn switch_protocols(&mut self, now: Instant) {
        let Phase::Requested { key, scanned } = &mut self.state.phase else { return };
        let received = self.inbox.unread();
        let answer = match response::head_len(received, scanned) {
            Some(len) => response::check(received.get(..len).unwrap_or_default(), key).map(|()| len),
            None if self.inbox.spare().is_empty() => Err(ConnectError::HeadTooLong),
            None => return,
        };
        match answer {
            Ok(len) => {
                self.inbox.skip(len);
                self.outbox.clear();
                self.state.ping = self.outbox.split_off_ping();
                self.state.phase = Phase::Frames;
            }
            Err(error) => {
                self.state.phase = Phase::Refused(error);
                self.state.session.handle_violation(now, Violation::WebSocket);
            }
        }
    }

    /// The last message.
    pub(crate) fn message(&self) -> Option<Event<'_>> {
        self.state.message(&self.inbox)
    }

    /// What is left to send of a message, of which an earlier call may have sent the beginning.
    pub(crate) fn resume<'m>(&self, message: Piece<'m>) -> Result<Piece<'m>, SendError> {
        let Some(open) = self.outbox.open_message() else {
            self.state
                .check_len(message.bytes.len().saturating_add(self.state.prefix(message.kind).len()))?;
            return Ok(message);
        };
        if (open, self.state.total) != (message.kind, Some(message.bytes.len())) {
            return Err(SendError::Unfinished);
        }
        let begun = self.state.sent.saturating_sub(self.state.prefix(open).len());
        Ok(Piece { bytes: message.bytes.get(begun..).unwrap_or_default(), first: false, ..message })
    }

    /// Puts a message, or as much of it as the buffer holds, and returns how many of its bytes that is. There is
    /// room. `total` is the length of the whole message, if it is known.
    pub(crate) fn put(&mut self, piece: Piece<'_>, total: Option<usize>) -> Result<usize, SendError> {
        let taken = self.state.put(piece, &mut self.outbox)?;
        self.state.total = total;
        Ok(taken)
    }

    /// Puts a text message that `write` writes in place, and returns what `write` returns. There is room.
    pub(crate) fn put_text_with(
        &mut self,
        write: &dyn Fn(&mut [u8]) -> Result<usize, BufferTooSmall>,
    ) -> Result<(), SendError> {
        if self.outbox.open_message().is_some() {
            return Err(SendError::Unfinished);
        }
        let prefix = self.state.prefix(MessageKind::Text);
        let room = self.outbox.payload();
        fill(&mut room.iter_mut(), prefix);
        let len = write(room.get_mut(prefix.len()..).unwrap_or_default()).map_err(|error| {
            let needed = error.needed.saturating_add(prefix.len()).saturating_add(Outbox::OVERHEAD);
            SendError::BufferTooSmall { needed }
        })?;
        let len = len.saturating_add(prefix.len());
        self.state.check_len(len)?;
        let key = self.state.key();
        self.outbox.put_message(MessageKind::Text, true, len, key);
        Ok(())
    }

    /// Nothing was there to read: what is due happens.
    pub(crate) fn settle(&mut self, now: Instant) {
        if self.state.write_failed && !self.state.holds_message() {
            self.state.session.handle_transport_error(now);
        }
        self.state.expire(now);
    }

    /// Ends a session that closes, once nothing is left to be written, or to be waited for; says whether it has ended.
    pub(crate) fn try_finish(&mut self, now: Instant, limit: Instant) -> bool {
        let silent = matches!(
            self.state.session.disconnect().map(|end| end.reason),
            Some(DisconnectReason::PingTimeout | DisconnectReason::OpenTimeout)
        );
        if self.outbox.is_idle() || self.state.write_failed || silent || now >= limit {
            self.state.session.handle_closed(now);
            self.state.session.handle_timeout(now);
            return self.state.session.disconnect().is_some();
        }
        false
    }
}

impl State<'_> {
    /// What a read gave: `Some(0)` is the end of the stream, `None` its failure.
    pub(crate) fn handle_read(&mut self, now: Instant, read: Option<usize>, inbox: &mut Reader<'_>) {
        match read {
            Some(0) => self.read_end = Some(ReadEnd::Closed),
            None => self.read_end = Some(ReadEnd::Failed),
            Some(len) => {
                inbox.filled(len);
                self.session.handle_activity(now);
            }
        }
    }

    /// What a write gave: how many bytes the stream took; `None` is its failure. Returns whether it can go on.
    pub(crate) fn handle_written(&mut self, written: Option<usize>, outbox: &mut Outbox<'_>) -> bool {
        match written {
            None | Some(0) => {
                self.write_failed = true;
                outbox.clear();
            }
            Some(len) => outbox.written(len),
        }
        !self.write_failed
    }

    /// What came in before the end of the stream has been handled: the session is told.
    pub(crate) fn handle_read_end(&mut self, now: Instant) {
        if self.holds_message() {
            return;
        }
        match self.read_end {
            Some(ReadEnd::Closed) => self.session.handle_transport_closed(now),
            Some(ReadEnd::Failed) => self.session.handle_transport_error(now),
            None => {}
        }
    }

    /// Reading stands still while a message waits for the application, and goes on when it was taken.
    pub(crate) fn judge_application(&mut self, now: Instant) {
        let holds = self.holds_message();
        if holds == self.paused {
            return;
        }
        self.paused = holds;
        if !holds {
            self.session.handle_reading_resumed(now);
        } else if let Some(timeout) = self.settings.app_stall_timeout.or(self.session.heartbeat().map(Heartbeat::max_silence)) {
            self.session.handle_reading_paused(now, timeout);
        }
    }

    /// Decodes what was received, up to a message for the application.
    pub(crate) fn process(&mut self, now: Instant, inbox: &mut Reader<'_>) {
        while matches!(self.phase, Phase::Frames) && !self.holds_message() && !self.has_ended() {
            self.mail = Mail::None;
            match inbox.poll() {
                Ok(None) => return,
                Ok(Some(received)) => self.handle(now, received),
                Err(error) => self.handle_broken(now, error),
            }
        }
    }

    /// Whether a message waits for the application.
    pub(crate) const fn holds_message(&self) -> bool {
        matches!(self.mail, Mail::Held)
    }

    /// Nobody will see it.
    pub(crate) fn drop_message(&mut self) {
        self.mail = Mail::None;
    }

    /// Whether there is nothing left to wait for.
    pub(crate) fn has_ended(&self) -> bool {
        self.session.disconnect().is_some()
    }

    /// The application sees the message now. It stays until the next call of [`process`](Self::process).
    pub(crate) const fn mark_seen(&mut self) {
        self.mail = Mail::Seen;
    }

    /// Whether the session is open, or why not.
    pub(crate) fn check_open(&self) -> Result<(), ConnectError> {
        match (self.phase, self.session.disconnect()) {
            (Phase::Refused(error), _) => Err(error),
            (_, Some(end)) => Err(end.into()),
            _ => Ok(()),
        }
    }

    /// The application sees its message now, or how the session ended.
    pub(crate) fn take_message(&mut self) -> Result<(), Disconnect> {
        match self.session.disconnect() {
            Some(end) if !self.holds_message() => Err(end),
            _ => {
                self.mark_seen();
                Ok(())
            }
        }
    }

    /// The last message.
    pub(crate) fn message<'i>(&self, inbox: &'i Reader<'_>) -> Option<Event<'i>> {
        match inbox.last().filter(|_| self.mail != Mail::None)? {
            // It was decoded before, and did not fail then.
            Received::Message(frame) => Some(Event::Message(self.decode(frame).ok()?.data)),
            Received::Piece(piece) => Some(Event::Piece(self.without_prefix(piece)?)),
            Received::Control(_) => None,
        }
    }

    /// Puts the next frame that the session itself wants sent, if there is room and one is due.
    pub(crate) fn fill(&mut self, now: Instant, outbox: &mut Outbox<'_>) {
        if matches!(self.phase, Phase::Frames) && outbox.is_idle() && !self.write_failed {
            self.put_control(now, outbox);
        }
    }

    /// Puts a message, or as much of it as the buffer holds, and returns how many of its bytes that is. There is
    /// room.
    pub(crate) fn put(&mut self, piece: Piece<'_>, outbox: &mut Outbox<'_>) -> Result<usize, SendError> {
        let Piece { kind, bytes, first, last } = piece;
        match outbox.open_message() {
            Some(_) if first => return Err(SendError::Unfinished),
            Some(open) if open != kind => return Err(SendError::NotBegun),
            None if !first => return Err(SendError::NotBegun),
            _ => {}
        }
        let prefix: &[u8] = if first { self.prefix(kind) } else { &[] };
        let before = if first { prefix.len() } else { self.sent };
        self.check_len(before.saturating_add(bytes.len()))?;
        let room = outbox.capacity().saturating_sub(prefix.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        let mut slots = outbox.payload().iter_mut();
        fill(&mut slots, prefix);
        fill(&mut slots, taken);
        let last = last && taken.len() == bytes.len();
        let key = self.key();
        outbox.put_message(kind, last, prefix.len().saturating_add(taken.len()), key);
        self.sent = before.saturating_add(taken.len());
        Ok(taken.len())
    }

    /// When to look again if nothing happens. `None` once the session has ended.
    pub(crate) fn wake_at(&mut self, now: Instant) -> Option<Instant> {
        let deadline = self.session.poll_timeout()?;
        if now < deadline {
            self.grace = None;
        }
        Some(self.grace.map_or(deadline, |grace| grace.max(deadline)))
    }

    /// Nothing more was ready: what is due happens.
    pub(crate) fn expire(&mut self, now: Instant) {
        let Some(deadline) = self.session.poll_timeout().filter(|deadline| *deadline <= now) else { return };
        match self.grace {
            None if now.as_micros().saturating_sub(deadline.as_micros()) > LATE_MICROS => {
                self.grace = Some(Instant::from_micros(now.as_micros().saturating_add(GRACE_MICROS)));
            }
            Some(grace) if now < grace => {}
            _ => {
                self.grace = None;
                self.session.handle_timeout(now);
            }
        }
    }

    pub(crate) fn sid(&self) -> &str {
        let sid = self.sid.get(..usize::from(self.sid_len)).unwrap_or_default();
        core::str::from_utf8(sid).unwrap_or_default()
    }

    pub(crate) const fn max_payload(&self) -> Option<u32> {
        self.max_payload
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt.or_else(|| self.session.rtt())
    }

    /// A WebSocket ping is to be sent, unless one is on its way.
    pub(crate) fn want_probe(&mut self) {
        if matches!(self.probe, Probe::None) {
            self.probe = Probe::Wanted;
        }
    }

    pub(crate) fn random_key(&mut self) -> Key {
        let mut bytes = [0; 16];
        let (words, _) = bytes.as_chunks_mut::<4>();
        for word in words {
            *word = self.key();
        }
        Key::from_random(bytes)
    }

    pub(crate) fn key(&mut self) -> [u8; 4] {
        (self.rng)().to_ne_bytes()
    }

    /// What stands before a message's own bytes.
    fn prefix(&self, kind: MessageKind) -> &'static [u8] {
        match kind {
            MessageKind::Text => b"4",
            MessageKind::Binary => self.settings.revision.binary_prefix,
        }
    }

    /// Whether the server takes a message of `len` bytes.
    pub(crate) fn check_len(&self, len: usize) -> Result<(), SendError> {
        match self.max_payload {
            Some(max) if u32::try_from(len).is_ok_and(|len| len <= max) => Ok(()),
            Some(max) => Err(SendError::TooLarge { max }),
            None => Ok(()),
        }
    }

    fn decode<'f>(&self, frame: Frame<'f>) -> Result<Packet<'f>, DecodeError> {
        (self.settings.revision.decode)(frame)
    }

    fn handle(&mut self, now: Instant, received: Received<'_>) {
        match received {
            Received::Message(frame) => match self.session.handle_packet(now, self.decode(frame)) {
                Some(SessionEvent::Message(_)) => self.mail = Mail::Held,
                Some(SessionEvent::Opened(handshake)) => {
                    self.max_payload = handshake.max_payload;
                    let sid = handshake.sid.as_str().as_bytes();
                    fill(&mut self.sid.iter_mut(), sid);
                    self.sid_len = u8::try_from(sid.len()).unwrap_or_default();
                }
                _ => {}
            },
            Received::Piece(piece) => self.handle_piece(now, piece),
            Received::Control(WsControl::Ping(payload)) => self.ping.save(payload),
            Received::Control(WsControl::Pong(payload)) => {
                if let Probe::Sent(at) = self.probe
                    && payload == at.as_micros().to_be_bytes()
                {
                    self.probe = Probe::None;
                    self.rtt = Some(now.saturating_duration_since(at));
                }
            }
            Received::Control(WsControl::Close(close)) => {
                self.close_code = close.map(|close| close.code);
                self.peer_close = Some(self.close_code.unwrap_or(CloseCode::NO_STATUS));
                self.owes_close = true;
                self.session.handle_transport_closed(now);
            }
        }
    }

    fn handle_piece(&mut self, now: Instant, piece: Piece<'_>) {
        if piece.first && (!self.session.is_open() || self.without_prefix(piece).is_none()) {
            // No other packet may be as long as that: a handshake, base64.
            self.dropping = !piece.last;
            if self.session.heartbeat().is_none() || self.session.is_open() {
                self.close_code = Some(CloseCode::MESSAGE_TOO_BIG);
                self.session.handle_violation(now, Violation::PayloadTooLarge);
            }
            return;
        }
        if piece.last {
            let whole = Packet { packet_type: PacketType::Message, data: Data::Text("") };
            let wanted = self.session.handle_packet(now, Ok(whole)).is_some();
            if core::mem::take(&mut self.dropping) || !wanted {
                return;
            }
        } else if self.dropping || !self.session.is_open() {
            self.dropping = true;
            return;
        }
        self.mail = Mail::Held;
    }

    /// A piece without what stands before a message's own bytes; `None` if it does not begin with that.
    fn without_prefix<'p>(&self, piece: Piece<'p>) -> Option<Piece<'p>> {
        if !piece.first {
            return Some(piece);
        }
        let bytes = piece.bytes.strip_prefix(self.prefix(piece.kind))?;
        Some(Piece { bytes, ..piece })
    }

    fn handle_broken(&mut self, now: Instant, error: ws::Error) {
        self.close_code = Some(error.close_code());
        let violation = match error {
            ws::Error::MessageTooLong { .. } => Violation::PayloadTooLarge,
            _ => Violation::WebSocket,
        };
        self.session.handle_violation(now, violation);
    }

    fn put_control(&mut self, now: Instant, outbox: &mut Outbox<'_>) {
        // Between the fragments of a message only control frames may stand, and a heartbeat is none. A session that
        // ends sends none anyway.
        if outbox.open_message().is_none() || !self.session.is_open() {
            while let Some(control) = self.session.poll_transmit() {
                if control == Control::Close {
                    self.owes_close = true;
                } else if self.session.is_open() {
                    self.put_frame(outbox, OpCode::Text, control.as_str().as_bytes());
                    return;
                }
            }
        }
        if self.owes_close {
            // A close frame is the last: what else was owed no longer matters.
            self.owes_close = false;
            let code = self.close_code.filter(|code| code.is_sendable());
            match code {
                Some(code) => self.put_frame(outbox, OpCode::Close, &code.as_u16().to_be_bytes()),
                None => self.put_frame(outbox, OpCode::Close, &[]),
            }
        } else if !self.has_ended() {
            if let Some(payload) = self.ping.take() {
                fill(&mut outbox.payload().iter_mut(), payload);
                let key = (self.rng)().to_ne_bytes();
                outbox.put(OpCode::Pong, true, payload.len(), key);
            } else if matches!(self.probe, Probe::Wanted) {
                self.probe = Probe::Sent(now);
                self.put_frame(outbox, OpCode::Ping, &now.as_micros().to_be_bytes());
            }
        }
    }

    fn put_frame(&mut self, outbox: &mut Outbox<'_>, opcode: OpCode, payload: &[u8]) {
        fill(&mut outbox.payload().iter_mut(), payload);
        let key = self.key();
        outbox.put(opcode, true, payload.len(), key);
    }
}

/// A whole message as the piece that it is.
pub(crate) fn whole(message: Frame<'_>) -> Piece<'_> {
    let (kind, bytes) = match message {
        Frame::Text(text) => (MessageKind::Text, text.as_bytes()),
        Frame::Binary(bytes) => (MessageKind::Binary, bytes),
    };
    Piece { kind, bytes, first: true, last: true }
}
