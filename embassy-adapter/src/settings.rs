//! The settings of a client: buffers, limits, long messages, protocol revision.

use core::fmt;
use core::time::Duration;

use eio_core::handshake::Handshake;
use eio_core::packet::{DecodeError, Packet, WebSocketMessage, v3, v4};
use eio_core::session::{CLOSE_TIMEOUT, Control};
use eio_core::ws::{Decoder, Piece, Reader};
use eio_core::{BufferTooSmall, ClientSession, Instant, Revision};

use crate::IncomingMessage;
use crate::link::State;
use crate::outbox::Outbox;

/// The memory of a session, lent by the caller: two buffers of a few hundred bytes or more.
///
/// | buffer | must hold | limits |
/// |---|---|---|
/// | `rx` | the handshake ([`RX_ENOUGH`](Self::RX_ENOUGH), 330, holds every one) and the head of the server's HTTP response (about 200 bytes, behind proxies up to 1,000) | the longest message that is received whole: `rx.len() - RX_OVERHEAD` |
/// | `tx` | 264 bytes, and the request (about 180 bytes plus the length of the endpoint's parts) | the longest frame: `tx.len() - TX_OVERHEAD`; longer messages are sent in fragments |
///
/// The length of a text message includes one byte for the packet's type; in revision 3, so does that of a binary
/// message.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a session has these two buffers")]
pub struct Buffers<'b> {
    /// Holds received bytes until a message is complete. For longer messages, see [`ClientSettings::long_messages`].
    pub rx: &'b mut [u8],
    /// Holds the frame that is being sent.
    pub tx: &'b mut [u8],
}

impl Buffers<'_> {
    /// The bytes that [`rx`](Self::rx) needs in addition to the longest message: a control frame may arrive between the
    /// fragments of a message.
    pub const RX_OVERHEAD: usize = Reader::OVERHEAD;
    /// The length of [`rx`](Self::rx) in which every handshake fits.
    pub const RX_ENOUGH: usize = Self::RX_OVERHEAD + "0".len() + Handshake::MAX_LEN;
    /// The bytes that [`tx`](Self::tx) needs in addition to the payload of the longest frame: for the frame's header, and
    /// for the payload of a ping to be answered.
    pub const TX_OVERHEAD: usize = Outbox::OVERHEAD;
}

/// The settings of a session. Every field has a default.
///
/// ```
/// use core::time::Duration;
/// use eio_embassy::ClientSettings;
///
/// let settings = ClientSettings { open_timeout: Duration::from_secs(5), ..ClientSettings::DEFAULT };
/// assert_eq!(settings.close_timeout, Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by functional update from DEFAULT")]
pub struct ClientSettings {
    /// How long opening a session may take, from [`Client::new`](crate::Client::new) to the server's handshake,
    /// including the HTTP request and response. Default: 20 s, as in Socket.IO clients.
    pub open_timeout: Duration,
    /// How long [`close`](crate::Client::close) waits for pending frames to be written. Default: 5 s. The server's
    /// deadline for silence also bounds it.
    pub close_timeout: Duration,
    /// How long the application may leave a message unread while it waits in [`send`](crate::Client::send).
    ///
    /// Meanwhile the client cannot read, so it does not judge silence. After this time the session ends with
    /// [`ApplicationStalled`](eio_core::DisconnectReason::ApplicationStalled). Default: `None`, which means the session's
    /// `pingInterval + pingTimeout`.
    pub app_stall_timeout: Option<Duration>,
    /// How to handle a message that does not fit into the receive buffer. Default: [`LongMessages::REFUSED`].
    pub long_messages: LongMessages,
    /// An upper limit for the server's `pingTimeout`, to notice a dead server sooner than the server asks for. Default:
    /// `None`.
    pub ping_timeout_at_most: Option<Duration>,
    /// The revision of the protocol, with the code that speaks it. Default: [`Protocol::V4`].
    pub protocol: Protocol,
    /// The subprotocol that the request for a WebSocket offers (`Sec-WebSocket-Protocol`, RFC 6455 section 1.9), for servers
    /// and gateways that ask for one: Engine.IO has none of its own. Default: `None`.
    ///
    /// The session opens only if the server chooses it, as in browsers. Otherwise
    /// [`connect`](crate::Client::connect) returns [`SubprotocolRefused`](crate::ConnectError::SubprotocolRefused), or
    /// [`ResponseError::Protocol`](eio_core::ws::opening::ResponseError::Protocol) if the server chose another one. Stock
    /// servers choose the first one that is offered.
    ///
    /// ```
    /// use eio_embassy::ClientSettings;
    ///
    /// let settings = ClientSettings { subprotocol: Some("telemetry.v2"), ..ClientSettings::DEFAULT };
    /// # let _ = settings;
    /// ```
    #[cfg(feature = "subprotocol")]
    pub subprotocol: Option<&'static str>,
}

impl ClientSettings {
    /// The defaults that each field's documentation states.
    pub const DEFAULT: Self = Self {
        open_timeout: Duration::from_secs(20),
        close_timeout: Duration::from_secs(5),
        app_stall_timeout: None,
        long_messages: LongMessages::REFUSED,
        ping_timeout_at_most: None,
        protocol: Protocol::V4,
        #[cfg(feature = "subprotocol")]
        subprotocol: None,
    };
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const _: () = assert!(ClientSettings::DEFAULT.close_timeout.as_millis() <= CLOSE_TIMEOUT.as_millis());

/// How to handle messages that do not fit into the receive buffer. The code for [`in_pieces`](Self::in_pieces) is part
/// of an image only if the firmware uses it.
///
/// ```
/// use eio_embassy::{ClientSettings, LongMessages};
///
/// let settings = ClientSettings { long_messages: LongMessages::in_pieces(100_000), ..ClientSettings::DEFAULT };
/// # let _ = settings;
/// ```
#[derive(Clone, Copy)]
pub struct LongMessages {
    /// Creates the reader. A pointer, as those of [`Pieces`], so that an image contains only what its settings name.
    pub(crate) reader: for<'b> fn(Decoder, &'b mut [u8]) -> Result<Reader<'b>, BufferTooSmall>,
    pub(crate) pieces: Option<Pieces>,
}

impl LongMessages {
    /// A message that does not fit ends the session with
    /// [`PayloadTooLarge`](eio_core::session::Violation::PayloadTooLarge).
    pub const REFUSED: Self = Self { reader: |decoder, rx| Reader::new(decoder, rx), pieces: None };

    /// The same, with less code: the text of a message in several frames is checked for UTF-8 only when its last frame has
    /// arrived, and not frame by frame. Text that is no UTF-8 is refused in either case.
    pub const REFUSED_WITH_LATE_TEXT_CHECK: Self =
        Self { reader: |decoder, rx| Reader::with_late_text_check(decoder, rx), pieces: None };

    /// A message that does not fit arrives in pieces, as [`IncomingMessage::Piece`]. Only a message above `limit` bytes ends the
    /// session.
    #[must_use]
    pub const fn in_pieces(limit: u32) -> Self {
        Self {
            reader: |decoder, rx| Reader::in_pieces(decoder, rx),
            pieces: Some(Pieces {
                limit,
                handle: |state, now, piece| state.handle_piece(now, piece),
                event: |state, piece| state.without_prefix(piece).map(IncomingMessage::Piece),
            }),
        }
    }
}

impl fmt::Debug for LongMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pieces {
            None => f.write_str("REFUSED"),
            Some(Pieces { limit, .. }) => write!(f, "in_pieces({limit})"),
        }
    }
}

/// The code that handles messages in pieces, as pointers that only [`LongMessages::in_pieces`] names.
#[derive(Clone, Copy)]
pub(crate) struct Pieces {
    pub(crate) limit: u32,
    /// Handles a piece that arrived.
    pub(crate) handle: fn(&mut State<'_>, Instant, Piece<'_>),
    /// Returns the piece as the application receives it.
    pub(crate) event: for<'p> fn(&State<'_>, Piece<'p>) -> Option<IncomingMessage<'p>>,
}

/// The code that speaks one revision of the protocol. The code for [`V3`](Self::V3) is part of an image only if the
/// firmware uses it.
///
/// ```
/// use eio_core::Revision;
/// use eio_embassy::{ClientSettings, Protocol};
///
/// let settings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };
/// assert_eq!(settings.protocol.revision(), Revision::V3);
/// ```
#[derive(Clone, Copy)]
pub struct Protocol {
    revision: Revision,
    pub(crate) session: fn(Duration, Instant) -> ClientSession,
    /// Reports that a heartbeat leaves now. It may have had to wait until the stream took what was written before.
    pub(crate) leaves: fn(&mut ClientSession, Control, Instant),
    pub(crate) decode: for<'f> fn(WebSocketMessage<'f>) -> Result<Packet<'f>, DecodeError>,
    /// The bytes before the content of a binary message.
    pub(crate) binary_prefix: &'static [u8],
}

impl Protocol {
    /// Revision 4, for Socket.IO 3 and 4: the server pings.
    pub const V4: Self = Self {
        revision: Revision::V4,
        session: ClientSession::eio4,
        leaves: |_, _, _| {},
        decode: v4::decode,
        binary_prefix: &[],
    };
    /// [`V4`](Self::V4) without the code for base64 in text, which no server sends over a WebSocket unless the endpoint's
    /// query asks for it with `b64`. Such a message ends the session as an unknown packet type. The image is smaller.
    pub const V4_WITHOUT_BASE64: Self = Self { decode: v4::decode_without_base64, ..Self::V4 };
    /// Revision 3, for Socket.IO 1 and 2, and newer servers with `allowEIO3`: the client pings.
    pub const V3: Self = Self {
        revision: Revision::V3,
        session: ClientSession::eio3,
        leaves: |session, heartbeat, now| {
            if heartbeat == Control::Ping {
                session.handle_ping_sent(now);
            }
        },
        decode: v3::decode,
        binary_prefix: &[4],
    };

    /// Returns the revision that this code speaks.
    #[must_use]
    pub const fn revision(self) -> Revision {
        self.revision
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.revision.fmt(f)
    }
}
