//! The errors of what arrives.

use eio_core::socketio::PacketError;

/// The error for messages that do not make a packet. The connection they came on ends.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The default parser cannot read a packet.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The parser for `MessagePack` cannot read a packet.
    #[cfg(feature = "msgpack")]
    #[error(transparent)]
    MsgPack(#[from] super::msgpack::MsgPackError),
    /// A parser of another crate cannot read a packet.
    #[error("{0}")]
    Other(#[source] std::sync::Arc<dyn std::error::Error + Send + Sync>),
}
