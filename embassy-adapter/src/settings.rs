//! What a client can be told: where to connect, with which limits, in which buffers.

use core::fmt;
use core::time::Duration;

use eio_core::handshake::Handshake;
use eio_core::packet::{DecodeError, Frame, Packet, v3, v4};
use eio_core::session::CLOSE_TIMEOUT;
use eio_core::ws::{Piece, Reader};
use eio_core::{ClientSession, Instant};

use crate::Event;
use crate::link::State;
use crate::outbox::Outbox;

/// The memory of a session, lent by the caller: two buffers of any length from a few hundred bytes on.
///
/// | buffer | at least | what it decides |
/// |---|---|---|
/// | `rx` | [`RX_ENOUGH`](Self::RX_ENOUGH) (330) for the handshake, and the head of the server's HTTP response (about 200, behind proxies up to 1,000) | the longest message that comes in whole: `rx.len() - RX_OVERHEAD` |
/// | `tx` | 264, and the request (about 180 and the endpoint's own length) | the longest frame: `tx.len() - TX_OVERHEAD`; longer messages go out in fragments |
///
/// Lengths of messages include the packet's type, one byte, before text (and in revision 3 before bytes).
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a session has these two buffers")]
pub struct Buffers<'b> {
    /// Holds what comes in until it is complete. Larger messages: see [`Settings::long_messages`].
    pub rx: &'b mut [u8],
    /// Holds the frame that is being sent.
    pub tx: &'b mut [u8],
}

impl Buffers<'_> {
    /// What [`rx`](Self::rx) needs beside the longest message: a control frame may come in the middle of it.
    pub const RX_OVERHEAD: usize = Reader::OVERHEAD;
    /// A length of [`rx`](Self::rx) in which every handshake fits.
    pub const RX_ENOUGH: usize = Self::RX_OVERHEAD + "0".len() + Handshake::MAX_LEN;
    /// What [`tx`](Self::tx) needs beside the longest frame: its header, and the payload of a ping to be answered.
    pub const TX_OVERHEAD: usize = Outbox::OVERHEAD;
}

/// Limits and choices of one session. Every field has a default.
///
/// ```
/// use core::time::Duration;
/// use eio_embassy::Settings;
///
/// let settings = Settings { open_timeout: Duration::from_secs(5), ..Settings::DEFAULT };
/// assert_eq!(settings.close_timeout, Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by functional update from DEFAULT")]
pub struct Settings {
    /// From the start of [`connect`](crate::Client::connect) to the server's handshake, all of the request and the
    /// response included. 20 s, as Socket.IO clients.
    pub open_timeout: Duration,
    /// How long [`close`](crate::Client::close) waits for a frame to leave, at most: 5 s. The server's deadline for
    /// silence bounds it too.
    pub close_timeout: Duration,
    /// While the application waits in [`send`](crate::Client::send) with a message in the receive buffer that it has
    /// not taken, nothing can be read, so silence is not judged; after this time the session ends with
    /// [`ApplicationStalled`](eio_core::DisconnectReason::ApplicationStalled). `None`: the session's own
    /// `pingInterval + pingTimeout`.
    pub app_stall_timeout: Option<Duration>,
    /// What becomes of a message that does not fit into the receive buffer: refused, or in pieces.
    pub long_messages: LongMessages,
    /// Counts the server's `pingTimeout` as at most this: notices a dead server sooner than the server asks for.
    pub ping_timeout_at_most: Option<Duration>,
    /// The revision of the protocol.
    pub revision: Revision,
}

impl Settings {
    /// Revision 4, and the limits that each field's documentation states.
    pub const DEFAULT: Self = Self {
        open_timeout: Duration::from_secs(20),
        close_timeout: Duration::from_secs(5),
        app_stall_timeout: None,
        long_messages: LongMessages::REFUSED,
        ping_timeout_at_most: None,
        revision: Revision::V4,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const _: () = assert!(Settings::DEFAULT.close_timeout.as_millis() <= CLOSE_TIMEOUT.as_millis());

/// What becomes of messages that do not fit into the receive buffer. An image that never names
/// [`in_pieces`](Self::in_pieces) does not carry what that takes.
///
/// ```
/// use eio_embassy::{LongMessages, Settings};
///
/// let settings = Settings { long_messages: LongMessages::in_pieces(100_000), ..Settings::DEFAULT };
/// # let _ = settings;
/// ```
#[derive(Clone, Copy)]
pub struct LongMessages(pub(crate) Option<Pieces>);

impl LongMessages {
    /// Such a message ends the session, with
    /// [`PayloadTooLarge`](eio_core::session::Violation::PayloadTooLarge).
    pub const REFUSED: Self = Self(None);

    /// Such a message comes in pieces, as [`Event::Piece`], and only one above `limit` bytes ends the session.
    #[must_use]
    pub const fn in_pieces(limit: u32) -> Self {
        Self(Some(Pieces {
            limit,
            handle: |state, now, piece| state.handle_piece(now, piece),
            event: |state, piece| state.without_prefix(piece).map(Event::Piece),
        }))
    }
}

impl fmt::Debug for LongMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("REFUSED"),
            Some(Pieces { limit, .. }) => write!(f, "in_pieces({limit})"),
        }
    }
}

/// How messages in pieces are handled.
#[derive(Clone, Copy)]
pub(crate) struct Pieces {
    pub(crate) limit: u32,
    /// A piece came in.
    pub(crate) handle: fn(&mut State<'_>, Instant, Piece<'_>),
    /// The piece as the application sees it.
    pub(crate) event: for<'p> fn(&State<'_>, Piece<'p>) -> Option<Event<'p>>,
}

/// A revision of the protocol. An image that never names [`V3`](Self::V3) does not carry it.
#[derive(Clone, Copy)]
pub struct Revision {
    /// The value of `EIO` in the query.
    pub(crate) digit: &'static str,
    pub(crate) session: fn(Duration, Instant) -> ClientSession,
    pub(crate) decode: for<'f> fn(Frame<'f>) -> Result<Packet<'f>, DecodeError>,
    /// What stands before the bytes of a binary message.
    pub(crate) binary_prefix: &'static [u8],
}

impl Revision {
    /// Socket.IO 3 and 4: the server pings.
    pub const V4: Self =
        Self { digit: "4", session: ClientSession::eio4, decode: v4::decode, binary_prefix: &[] };
    /// Socket.IO 1 and 2, and newer servers with `allowEIO3`: the client pings.
    pub const V3: Self =
        Self { digit: "3", session: ClientSession::eio3, decode: v3::decode, binary_prefix: &[4] };
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.digit)
    }
}
