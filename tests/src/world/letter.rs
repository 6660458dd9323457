//! What travels between two ends: packets, and the ways in which a connection stops.

use core::fmt;

use eio_core::packet::{Data, DecodeError, DecodeErrorKind, Packet, PacketType, WebSocketMessage, v4};

/// One thing on its way, on one of the session's transports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) path: Path,
    pub(crate) content: Content,
}

/// Which transport carries a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// The one that the session lives on.
    Session,
    /// The WebSocket that the session may move to.
    Candidate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Packet(PacketType, Body),
    /// Bytes that decode to this.
    Garbage(DecodeErrorKind),
    /// The connection ended in order.
    Fin,
    /// The connection was reset.
    Reset,
    /// A request failed, and another one may still reach the peer.
    Failure,
    /// A WebSocket's close frame, and its code if it has one.
    CloseFrame(Option<u16>),
}

/// A packet's data, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "packets carry text or bytes")]
pub enum Body {
    /// Text, possibly empty.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl From<Data<'_>> for Body {
    fn from(data: Data<'_>) -> Self {
        match data {
            Data::Text(text) => Self::Text(text.to_owned()),
            Data::Binary(bytes) => Self::Binary(bytes.to_owned()),
            Data::Base64(base64) => Self::Text(format!("{base64:?}")),
        }
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Letter {
    pub(crate) fn packet(path: Path, packet: Packet<'_>) -> Self {
        Self { path, content: Content::Packet(packet.packet_type, packet.data.into()) }
    }

    /// The frame as a WebSocket would carry it, decoded: garbage if it is not a packet.
    pub(crate) fn frame(path: Path, frame: &str) -> Self {
        match v4::decode(WebSocketMessage::Text(frame)) {
            Ok(packet) => Self::packet(path, packet),
            Err(error) => Self { path, content: Content::Garbage(error.kind) },
        }
    }

    pub(crate) fn is(&self, path: Path, packet_type: PacketType) -> bool {
        self.path == path && matches!(&self.content, Content::Packet(found, _) if *found == packet_type)
    }

    /// Bytes on the wire, about.
    pub(crate) fn len(&self) -> u32 {
        let len = match &self.content {
            Content::Packet(_, Body::Text(text)) => text.len() + 1,
            Content::Packet(_, Body::Binary(bytes)) => bytes.len(),
            Content::Garbage(_)
            | Content::Fin
            | Content::Reset
            | Content::Failure
            | Content::CloseFrame(_) => 1,
        };
        u32::try_from(len).unwrap_or(u32::MAX)
    }
}

impl Content {
    /// What a decoder makes of it; `None` when it is no bytes at all.
    pub(crate) fn decoded(&self) -> Option<Result<Packet<'_>, DecodeError>> {
        match self {
            Self::Packet(packet_type, body) => {
                let data = match body {
                    Body::Text(text) => Data::Text(text),
                    Body::Binary(bytes) => Data::Binary(bytes),
                };
                Some(Ok(Packet { packet_type: *packet_type, data }))
            }
            Self::Garbage(kind) => Some(Err(undecodable(*kind))),
            Self::Fin | Self::Reset | Self::Failure | Self::CloseFrame(_) => None,
        }
    }
}

/// A decoder's error of this kind. The type can grow, so that only a decoder can make one from nothing.
fn undecodable(kind: DecodeErrorKind) -> DecodeError {
    let Err(mut error) = v4::decode(WebSocketMessage::Text("")) else { panic!("an empty frame is a packet") };
    error.kind = kind;
    error
}

/// As on the wire: the digit, then the data.
impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Packet(packet_type, Body::Text(text)) => write!(f, "{}{text}", packet_type.digit())?,
            Content::Packet(_, Body::Binary(bytes)) => write!(f, "<{} bytes>", bytes.len())?,
            Content::Garbage(kind) => write!(f, "<{kind}>")?,
            Content::Fin => f.write_str("<end of connection>")?,
            Content::Reset => f.write_str("<reset>")?,
            Content::Failure => f.write_str("<failed request>")?,
            Content::CloseFrame(None) => f.write_str("<close frame>")?,
            Content::CloseFrame(Some(code)) => write!(f, "<close frame {code}>")?,
        }
        match self.path {
            Path::Session => Ok(()),
            Path::Candidate => f.write_str(" (candidate)"),
        }
    }
}
