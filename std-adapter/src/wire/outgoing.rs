//! Outgoing data: messages of the application, and packets of the session.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use eio_core::BufferTooSmall;
use eio_core::packet::{Packet, v4};
use eio_core::ws::{FrameHeader, OpCode};

use crate::wire::message::Message;

/// One message or packet to write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ToWrite<'a> {
    /// A packet of the session or of an upgrade.
    Control(&'static str),
    Message(&'a Outgoing),
}

/// A message to send, which may already be encoded.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    Message(Message),
    Prepared(Arc<PreparedMessage>),
}

impl Outgoing {
    pub(crate) fn message(&self) -> &Message {
        match self {
            Self::Message(message) => message,
            Self::Prepared(prepared) => prepared.message(),
        }
    }

    /// The packet of the message.
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet::message(self.message().as_websocket_message())
    }

    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Message(message) => message,
            Self::Prepared(prepared) => prepared.message().clone(),
        }
    }
}

/// Returns the bytes of the payloads of `messages`.
pub(crate) fn total_len<'m>(messages: impl IntoIterator<Item = &'m Outgoing>) -> usize {
    messages.into_iter().map(|outgoing| outgoing.message().len()).sum()
}

/// A message and its WebSocket frame. A server's frames are not masked, so one frame can be sent to all receivers.
#[derive(Debug)]
pub(crate) struct PreparedMessage {
    message: Message,
    frame: Result<Bytes, BufferTooSmall>,
}

impl PreparedMessage {
    /// Encodes `message` once.
    #[must_use]
    pub(crate) fn new(message: Message) -> Self {
        let packet = Packet::message(message.as_websocket_message());
        let opcode = if message.as_text().is_some() { OpCode::Text } else { OpCode::Binary };
        let len = v4::encoded_len(&packet, true);
        let mut header = [0; 14];
        let frame = FrameHeader::new(opcode, len).encode(&mut header).map(|header_len| {
            let mut frame = BytesMut::with_capacity(header_len + len);
            frame.put_slice(&header[..header_len]);
            if message.as_text().is_some() {
                frame.put_u8(b'4');
            }
            frame.put_slice(message.as_bytes());
            frame.freeze()
        });
        Self { message, frame }
    }

    pub(crate) fn message(&self) -> &Message {
        &self.message
    }

    /// Returns the frame for revision 4.
    ///
    /// # Errors
    /// Returns an error if the header is longer than a header can be, which should be impossible. It ends the sessions
    /// that would send the message.
    pub(crate) fn frame(&self) -> Result<&Bytes, BufferTooSmall> {
        self.frame.as_ref().map_err(|error| *error)
    }
}
