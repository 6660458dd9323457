//! Connection state recovery: what a board keeps from one session to the next.

use core::fmt;

use eio_core::socketio::{Args, Body, Packet, member};
use eio_core::{BufferTooSmall, DisconnectReason};

use super::SocketError;
use super::spliced::encode_before;
use crate::outbox::fill;

/// What a server has told for the recovery of a socket: its private id, and the position of the last event that arrived.
///
/// With it, a board gets its socket back after a reconnect: the same id and rooms, and the events that were sent to it
/// in the meantime. The server must offer this: `connectionStateRecovery` in Node, `ServerBuilder::recovery` in
/// `eio-socketio`. A server without it ignores the request, and [`Incoming::Connected`](super::Incoming::Connected) says
/// that nothing was recovered.
///
/// Use one value for each namespace, and keep it outside of the session: in the task that reconnects, or in a static.
///
/// An event has arrived when the application has got it from [`Socket::recv`](super::Socket::recv) or
/// [`Namespaces::recv`](super::Namespaces::recv). If a session ends before that, the event counts as missed, and the next
/// session asks for it again.
///
/// ```no_run
/// use core::time::Duration;
/// use eio_embassy::Client;
/// use eio_embassy::socketio::{Incoming, Recovery, Socket, SocketError};
/// # use embedded_io_async::{Read, Write};
///
/// /// Call it for each session, always with the same `recovery`.
/// async fn talk<R: Read, W: Write>(
///     client: &mut Client<'_, R, W>,
///     recovery: &mut Recovery,
/// ) -> Result<(), SocketError> {
///     let timeout = Duration::from_secs(10);
///     let mut socket = Socket::join_with_recovery(client, "/devices", "", recovery, timeout).await?;
///     loop {
///         match socket.recv().await? {
///             Incoming::Connected { recovered: true } => { /* nothing was missed */ }
///             Incoming::Connected { .. } => { /* a new socket: ask the server for its state */ }
///             _event => { /* events that were missed come before or after `Connected` */ }
///         }
///     }
/// }
/// # let _ = talk::<&[u8], &mut [u8]>;
/// ```
///
/// # Bounds
///
/// It has room for [`CAPACITY`](Self::CAPACITY) bytes: the private id (20 in socket.io and `eio-socketio`) and the
/// position (about 8 in socket.io, 16 in its Redis streams adapter, 24 in its `MongoDB` adapter). A second position needs
/// room only while the attachments of an event arrive: until the last one is there, the event counts as missed.
///
/// If the ids of a server do not fit, the next session is not recovered, and says so. No event arrives twice because of
/// that. [`was_too_long`](Self::was_too_long) tells.
///
/// # Events that the board cannot take
///
/// An event is lost if it is longer than the receive buffer or breaks a rule. A server that recovers the socket would send
/// it first in each session, and so no session would last. So the next session is not recovered, and says so, if `recv` or
/// the request to join has returned [`SocketError::TooLong`], [`SocketError::Packet`] or an end of the session by a
/// [`Violation`](DisconnectReason::Violation), and no later event has brought its position. Call `recv` until the session
/// ends, also when sending fails: other methods do not tell the `Recovery`.
///
/// The position is the last argument of an event, if it is a string of letters, digits and `-_.:/+=` and the event does
/// not ask for an answer. The server adds it to such events only, so a text of the application in the same place could be
/// taken for a position; then the server does not recover the next session. Source: socket.io-client 4.8, `lib/socket.ts`
/// (`onconnect`, `emitEvent`, `_sendConnectPacket`).
pub struct Recovery {
    /// The private id, then the position of the last event, then that of an event whose attachments still arrive.
    bytes: [u8; Self::CAPACITY],
    pid: u8,
    offset: u8,
    next: u8,
    was_too_long: bool,
    /// Whether the event after the last position cannot be taken.
    is_stuck: bool,
    /// Whether the last answer of a server said that the socket was recovered.
    pub(super) recovered: bool,
}

impl Recovery {
    /// How many bytes the ids of a server may take.
    pub const CAPACITY: usize = 72;

    /// Creates one that knows nothing. The first session is then not recovered.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; Self::CAPACITY],
            pid: 0,
            offset: 0,
            next: 0,
            was_too_long: false,
            is_stuck: false,
            recovered: false,
        }
    }

    /// Returns the private id that the server has given to the socket, without its quotation marks. Empty if the server
    /// gave none, or one that does not fit.
    #[must_use]
    pub fn pid(&self) -> &str {
        self.text(0, self.pid)
    }

    /// Returns the position of the last event, without its quotation marks. Empty if there is none.
    #[must_use]
    pub fn offset(&self) -> &str {
        self.text(self.pid, self.offset)
    }

    /// Returns whether an id of the server did not fit, so that recovery does not work with it.
    #[must_use]
    pub const fn was_too_long(&self) -> bool {
        self.was_too_long
    }

    fn text(&self, start: u8, len: u8) -> &str {
        let (start, len) = (usize::from(start), usize::from(len));
        let bytes = self.bytes.get(start..start.saturating_add(len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Writes `text` at `start`. Forgets everything if there is no room. Returns its length.
    fn store(&mut self, start: u8, text: &str) -> u8 {
        let end = usize::from(start).saturating_add(text.len());
        let Some(room) = self.bytes.get_mut(usize::from(start)..end) else {
            self.forget();
            self.was_too_long = true;
            return 0;
        };
        fill(&mut room.iter_mut(), text.as_bytes());
        // Cannot fail: it fits.
        u8::try_from(text.len()).unwrap_or_default()
    }

    fn forget(&mut self) {
        (self.pid, self.offset, self.next) = (0, 0, 0);
    }

    /// Begins a session.
    pub(super) fn begin(&mut self) {
        if self.is_stuck {
            self.forget();
        }
        (self.next, self.is_stuck, self.recovered) = (0, false, false);
    }

    /// Writes the request to join.
    pub(super) fn write_request(&self, packet: &Packet<'_>, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let Body::Connect(auth) = packet.body() else { return packet.encode(out).map(str::len) };
        if self.pid == 0 {
            return packet.encode(out).map(str::len);
        }
        // The members of the application come last: where it gives one of the same name, its own counts, as in the
        // reference.
        let members = auth.strip_prefix('{').unwrap_or("}").trim_ascii_start();
        let (offset, end_of_offset) = if self.offset > 0 { ("\",\"offset\":\"", "\"") } else { ("\"", "") };
        let comma = if members == "}" { "" } else { "," };
        let parts = ["{\"pid\":\"", self.pid(), offset, self.offset(), end_of_offset, comma, members];
        let data = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
        // Cannot be less: the object is longer than that of the application.
        let added = data.saturating_sub(auth.len());
        let len = encode_before(packet, added, out)?;
        let mut slots = out.iter_mut().skip(len.saturating_sub(auth.len()));
        for part in parts {
            fill(&mut slots, part.as_bytes());
        }
        Ok(len.saturating_add(added))
    }

    /// Takes the server's answer to the request.
    pub(super) fn handle_connected(&mut self, answer: &str) {
        let pid = member(answer, "pid").and_then(string).unwrap_or_default();
        self.recovered = !pid.is_empty() && pid == self.pid();
        if !self.recovered {
            // Positions are those of one socket.
            (self.offset, self.next) = (0, 0);
            self.pid = self.store(0, pid);
        }
    }

    /// Takes note of the position of an event. `complete` says that no attachments follow.
    pub(super) fn handle_event(&mut self, args: Args<'_>, complete: bool) {
        self.next = 0;
        if self.pid > 0
            && let Some(position) = position(args)
        {
            if complete {
                self.is_stuck = false;
                self.offset = self.store(self.pid, position);
            } else {
                self.next = self.store(self.pid.saturating_add(self.offset), position);
            }
        }
    }

    /// Makes the position of the last event count, because all of the event has arrived.
    pub(super) fn handle_complete(&mut self) {
        if self.next == 0 {
            return;
        }
        let from = usize::from(self.pid.saturating_add(self.offset));
        for at in 0..usize::from(self.next) {
            let byte = self.bytes.get(from.saturating_add(at)).copied().unwrap_or_default();
            if let Some(slot) = self.bytes.get_mut(usize::from(self.pid).saturating_add(at)) {
                *slot = byte;
            }
        }
        (self.offset, self.next, self.is_stuck) = (self.next, 0, false);
    }

    /// Takes note of an error of receiving that comes again when the server sends the same message again.
    pub(super) fn handle_error(&mut self, error: SocketError) {
        self.is_stuck |= match error {
            SocketError::Session(end) => matches!(end.reason, DisconnectReason::Violation(_)),
            SocketError::Packet(_) | SocketError::TooLong => true,
            _ => false,
        };
    }
}

impl Default for Recovery {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The private id is a secret of the session.
        f.debug_struct("Recovery")
            .field("offset", &self.offset())
            .field("was_too_long", &self.was_too_long)
            .finish_non_exhaustive()
    }
}

/// Returns the last argument if it may be a position.
fn position(args: Args<'_>) -> Option<&str> {
    let text = string(args.iter().last()?)?;
    let is_position = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte));
    (is_position && !text.is_empty()).then_some(text)
}

/// Returns the text of a JSON string as it is between the quotation marks.
fn string(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// What a socket keeps for its recovery: [`NoRecovery`], or a [`Recovery`]. Only this crate implements it.
pub trait Recover: sealed::Sealed {
    /// Returns where a server's ids are kept.
    #[doc(hidden)]
    fn recovery(&mut self) -> Option<&mut Recovery>;

    /// Returns what writes the request to join.
    #[doc(hidden)]
    fn request(&self, packet: &Packet<'_>) -> impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>;
}

/// Marks a socket that is not recovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoRecovery;

impl Recover for NoRecovery {
    fn recovery(&mut self) -> Option<&mut Recovery> {
        None
    }

    fn request(&self, packet: &Packet<'_>) -> impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall> {
        |out| packet.encode(out).map(str::len)
    }
}

impl Recover for &mut Recovery {
    fn recovery(&mut self) -> Option<&mut Recovery> {
        Some(self)
    }

    fn request(&self, packet: &Packet<'_>) -> impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall> {
        |out| self.write_request(packet, out)
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else implements the trait that needs it")]
    pub trait Sealed {}

    impl Sealed for super::NoRecovery {}
    impl Sealed for &mut super::Recovery {}
}
