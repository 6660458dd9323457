//! One message for many sessions, encoded once.

use bytes::{BufMut as _, Bytes, BytesMut};
use eio_core::BufferTooSmall;
use eio_core::packet::{Packet, v4};
use eio_core::ws::{FrameHeader, OpCode};

use crate::session::socket::{SendErrorKind, TrySendError};
use crate::wire::message::Message;

/// The result of a [broadcast](crate::Server::broadcast). Each session of the server counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broadcast {
    /// The number of sessions that get the message.
    pub sent: usize,
    /// The number of sessions whose outbox is full.
    pub full: usize,
    /// The number of sessions on a transport that cannot carry the message: see
    /// [`SendErrorKind::Separator`].
    pub uncarried: usize,
    /// The number of sessions that are closing, have just ended, or whose peer has been silent past its deadline.
    pub closed: usize,
}

impl Broadcast {
    /// One session more.
    pub(crate) fn count(&mut self, result: Result<(), TrySendError>) {
        *match result {
            Ok(()) => &mut self.sent,
            Err(TrySendError::Full(_)) => &mut self.full,
            Err(TrySendError::Refused(error)) => match error.kind {
                SendErrorKind::Separator { .. } => &mut self.uncarried,
                _ => &mut self.closed,
            },
        } += 1;
    }
}

/// A message and its WebSocket frame. A server's frames are not masked, so that one serves every receiver.
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

    /// The frame as revision 4 sends it.
    ///
    /// # Errors
    /// When the header is longer than a header can be, which ends the sessions that would send it.
    pub(crate) fn frame(&self) -> Result<&Bytes, BufferTooSmall> {
        self.frame.as_ref().map_err(|error| *error)
    }
}
