//! What applications send, and what travels on a link.

use eio_core::packet::{Packet, PacketType, WebSocketMessage};
use eio_core::session::Control;
use eio_core::upgrade::UpgradeControl;

use crate::side::Side;

/// A message of an application.
///
/// ```
/// use eio_sim::Message;
///
/// let messages = [Message::from("hello"), Message::from(vec![1, 2, 3]), Message::Bytes(50_000)];
/// assert_eq!(messages.map(|message| message.len()), [5, 3, 50_000]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Message {
    /// Text.
    Text(Box<str>),
    /// Bytes.
    Binary(Box<[u8]>),
    /// So many bytes whose content does not matter. It takes no memory.
    Bytes(u32),
}

impl Message {
    /// Returns its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Bytes(len) => *len as usize,
        }
    }

    /// Returns whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The packet that carries it. One whose content does not matter carries none.
    pub(crate) fn packet(&self) -> Packet<'_> {
        match self {
            Self::Text(text) => Packet::text(PacketType::Message, text),
            Self::Binary(bytes) => Packet::message(WebSocketMessage::Binary(bytes)),
            Self::Bytes(_) => Packet::text(PacketType::Message, ""),
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// The packet with which a server opens a session.
pub(crate) const fn open_packet(handshake: &str) -> Packet<'_> {
    Packet::text(PacketType::Open, handshake)
}

/// What travels on a stream.
#[derive(Clone, Debug)]
pub(crate) enum Parcel {
    /// TCP's own opening, which the kernels exchange: the client asks.
    Syn,
    /// The server's kernel answers.
    SynAck,
    /// The client's HTTP request for a WebSocket.
    Request,
    /// The answer to the request, and the handshake.
    Open,
    Control(Control),
    Message(Message),
    /// A WebSocket's close frame.
    CloseFrame,
    /// The connection ends without one.
    Fin,
    /// Long-polling: a request for packets.
    Poll,
    /// Long-polling: packets in one body.
    Payload(Box<[Parcel]>),
    /// Long-polling: the answer to a request that brought packets.
    Taken,
    /// The answer to the request for a WebSocket of a session on long-polling.
    Accepted,
    /// A step of an upgrade, on the WebSocket or in a payload.
    Probe(UpgradeControl),
    /// The WebSocket of an upgrade ends.
    CandidateEnds,
}

/// The head of a usual request for a WebSocket, and of its answer, in bytes.
const REQUEST: usize = 240;
const RESPONSE: usize = 130;
/// One byte between two packets of a body.
const SEPARATOR: usize = 1;

impl Parcel {
    /// Its bytes on the stream, sent towards this side: a client masks its frames, which takes four bytes more.
    pub(crate) fn bytes(&self, towards: Side, handshake: usize) -> u32 {
        let frame = |len: usize| {
            let header = match len {
                0..126 => 2,
                126..65_536 => 4,
                _ => 10,
            };
            let mask = if towards == Side::Server { 4 } else { 0 };
            header + mask + len
        };
        let bytes = match self {
            Self::Syn | Self::SynAck | Self::Fin => 0,
            Self::Request | Self::Poll => REQUEST,
            Self::Accepted | Self::Taken => RESPONSE,
            Self::Payload(packets) => {
                let head = if towards == Side::Server { REQUEST } else { RESPONSE };
                head + packets.iter().map(|packet| packet.text_len() + SEPARATOR).sum::<usize>()
            }
            Self::Probe(control) => frame(control.encoded().len()),
            Self::Open => RESPONSE + frame(1 + handshake),
            Self::Control(_) => frame(1),
            Self::Message(Message::Binary(bytes)) => frame(bytes.len()),
            Self::Message(message) => frame(1 + message.len()),
            Self::CloseFrame | Self::CandidateEnds => frame(2),
        };
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Whether it brings a ping.
    pub(crate) fn has_ping(&self) -> bool {
        match self {
            Self::Control(Control::Ping) => true,
            Self::Payload(packets) => packets.iter().any(Self::has_ping),
            _ => false,
        }
    }

    /// Its bytes in a body of long-polling: binary data is written in base64.
    fn text_len(&self) -> usize {
        match self {
            Self::Message(Message::Binary(bytes)) => 1 + bytes.len().div_ceil(3) * 4,
            Self::Message(message) => 1 + message.len(),
            _ => 1,
        }
    }
}
