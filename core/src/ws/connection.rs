//! One connection: bytes in, frames out, the closing handshake.

use super::{
    Close, ControlFrame, ControlFrameError, Decoded, Decoder, Error, FrameOrderError, FrameWriter, Item,
    PacketFrame,
};
use crate::packet::Packet;
use crate::{BufferTooSmall, Revision};

/// One WebSocket connection of either role, without I/O: a [`Decoder`] for received bytes, and a [`FrameWriter`] for
/// frames to send. It takes at most 40 bytes and owns no buffer.
///
/// | the caller | the connection |
/// |---|---|
/// | read bytes | [`receive`](Self::receive): messages, pieces of messages, control frames |
/// | has a packet to send | [`packet`](Self::packet): its frame, as a head and a payload that stays where it is, or in one buffer |
/// | got a ping | [`control`](Self::control) writes the [reply](ControlFrame::reply); only the latest of several pings needs one |
/// | wants to close | [`close`](Self::close), then [`close_frame`](Self::close_frame) behind the last message |
/// | got a close frame, or an error | the answer with its code is due: [`close_is_due`](Self::close_is_due) |
/// | asks whether the connection is closed | [`is_closed`](Self::is_closed): both close frames have passed |
///
/// Every frame that a client sends needs a key: four fresh, unpredictable bytes. A server passes `[0; 4]`.
///
/// ```
/// use eio_core::Revision;
/// use eio_core::packet::{WebSocketMessage, Packet, v4};
/// use eio_core::ws::{Close, CloseCode, Connection, ControlFrame, Item};
///
/// let (mut client, mut server) = (Connection::client(1_000), Connection::server(1_000));
/// let mut wire = [0; 200];
///
/// // A packet becomes a frame in one call, and a frame a packet.
/// let hello = Packet::message(WebSocketMessage::Text("hello"));
/// let len = client.packet(Revision::V4, &hello, true, *b"key1")?.encode(&mut wire)?.len();
/// let decoded = server.receive(&mut wire[..len])?;
/// let Some(Item::Message(message)) = decoded.item else { panic!("a whole message") };
/// assert_eq!(v4::decode(message)?, hello);
///
/// // The server closes, and the client answers with the same code.
/// server.close();
/// let restart = Some(Close::new(CloseCode::GOING_AWAY, "restart")?);
/// let len = server.close_frame(restart, [0; 4], &mut wire).expect("due")?;
/// let decoded = client.receive(&mut wire[..len])?;
/// let Some(Item::Control(ControlFrame::Close(Some(close)))) = decoded.item else { panic!("a close frame") };
/// assert_eq!(close.reason(), "restart");
/// assert!(client.close_is_due());
/// let len = client.close_frame(None, *b"key2", &mut wire).expect("due")?;
/// server.receive(&mut wire[..len])?;
/// assert!(client.is_closed() && server.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connection {
    decoder: Decoder,
    writer: FrameWriter,
}

impl Connection {
    /// Creates the server's end of a connection. It refuses a message of more than `max_message_len` bytes.
    #[must_use]
    pub const fn server(max_message_len: u32) -> Self {
        Self { decoder: Decoder::server(max_message_len), writer: FrameWriter::server() }
    }

    /// Creates the client's end of a connection. It refuses a message of more than `max_message_len` bytes.
    #[must_use]
    pub const fn client(max_message_len: u32) -> Self {
        Self { decoder: Decoder::client(max_message_len), writer: FrameWriter::client() }
    }

    /// Decodes the next item at the start of `input`, in place: see [`Decoder::decode`].
    ///
    /// # Errors
    /// Returns an [`Error`] if the peer broke a rule. Every later call returns the same error. A close frame with the
    /// error's code is due.
    pub fn receive<'b>(&mut self, input: &'b mut [u8]) -> Result<Decoded<'b>, Error> {
        let decoded = self.decoder.decode(input);
        match &decoded {
            Ok(Decoded { item: Some(Item::Control(ControlFrame::Close(close))), .. }) => {
                self.writer.handle_close(*close);
            }
            Err(error) => self.writer.handle_error(*error),
            Ok(_) => {}
        }
        decoded
    }

    /// Returns the frame of a packet. `supports_binary` is false for a peer that asked for base64 (`b64` in its query).
    ///
    /// # Errors
    /// Returns a [`FrameOrderError`] after the close frame, and between the fragments of a message.
    pub fn packet<'p>(
        &self,
        revision: Revision,
        packet: &Packet<'p>,
        supports_binary: bool,
        key: [u8; 4],
    ) -> Result<PacketFrame<'p>, FrameOrderError> {
        self.writer.check_open()?;
        if self.writer.unfinished().is_some() {
            return Err(FrameOrderError::Unfinished);
        }
        Ok(PacketFrame::new(revision, packet, supports_binary, self.writer.mask(key)))
    }

    /// Writes a ping or a pong and returns its length. For a close frame use [`close`](Self::close). Returns `None` after
    /// this side's close frame, which nothing may follow.
    ///
    /// ```
    /// use eio_core::ws::{Connection, ControlFrame, Decoded, Item};
    ///
    /// let mut server = Connection::server(1_000);
    /// let mut input = *b"\x89\x82\x01\x02\x03\x04\x69\x6b"; // a ping with `hi`, masked
    /// let decoded = server.receive(&mut input)?;
    /// let Some(Item::Control(ping)) = decoded.item else { panic!("a control frame") };
    /// let mut out = [0; ControlFrame::MAX_LEN];
    /// let pong = ping.reply().expect("a ping wants a pong");
    /// let len = server.control(&pong, [0; 4], &mut out).expect("not closed")?;
    /// assert_eq!(&out[..len], b"\x8a\x02hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`ControlFrameError`] if the payload is too long or `out` is too small. Nothing was written then.
    pub fn control(
        &self,
        control: &ControlFrame<'_>,
        key: [u8; 4],
        out: &mut [u8],
    ) -> Option<Result<usize, ControlFrameError>> {
        self.writer.check_open().ok()?;
        Some(control.encode(self.writer.mask(key), out))
    }

    /// Asks for a close frame. See [`FrameWriter::close`].
    pub const fn close(&mut self) {
        self.writer.close();
    }

    /// Returns whether a close frame is due. See [`FrameWriter::close_is_due`].
    #[must_use]
    pub const fn close_is_due(&self) -> bool {
        self.writer.close_is_due()
    }

    /// Writes the close frame that is due, and returns its length. See [`FrameWriter::close_frame`].
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `out` is too small. The frame is still due.
    pub fn close_frame(
        &mut self,
        ours: Option<Close<'_>>,
        key: [u8; 4],
        out: &mut [u8],
    ) -> Option<Result<usize, BufferTooSmall>> {
        self.writer.close_frame(ours, key, out)
    }

    /// Returns whether both close frames have passed. See [`FrameWriter::is_closed`].
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.writer.is_closed()
    }

    /// Returns the sending side, for fragments and for the state of closing.
    #[must_use]
    pub const fn writer(&self) -> &FrameWriter {
        &self.writer
    }

    /// Returns the sending side, for fragments.
    pub const fn writer_mut(&mut self) -> &mut FrameWriter {
        &mut self.writer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::WebSocketMessage;
    use crate::ws::MessageKind;

    #[test]
    fn a_broken_frame_is_answered_with_its_code() {
        let mut server = Connection::server(100);
        let mut input = *b"\x81\x01x";
        assert_eq!(server.receive(&mut input), Err(Error::UnmaskedFrame));
        let mut out = [0; ControlFrame::MAX_LEN];
        let len = server.close_frame(None, [0; 4], &mut out).expect("due").expect("room");
        assert_eq!(out[..len], [0x88, 2, 3, 0xea]);
    }

    #[test]
    fn a_close_frame_is_due_until_it_is_sent_and_both_have_to_pass() {
        let (mut client, mut server) = (Connection::client(100), Connection::server(100));
        let mut wire = [0; ControlFrame::MAX_LEN];
        assert!(!server.close_is_due() && !server.is_closed());
        server.close();
        assert!(server.close_is_due() && !server.is_closed());
        let len = server.close_frame(None, [0; 4], &mut wire).expect("due").expect("room");
        assert!(!server.close_is_due() && !server.is_closed());
        assert!(client.receive(&mut wire[..len]).is_ok());
        assert!(client.close_is_due() && !client.is_closed());
        let len = client.close_frame(None, [0; 4], &mut wire).expect("due").expect("room");
        assert!(!client.close_is_due() && client.is_closed());
        assert!(server.receive(&mut wire[..len]).is_ok());
        assert!(server.is_closed());
    }

    #[test]
    fn nothing_is_sent_after_the_close_frame_or_into_a_message() {
        let mut client = Connection::client(100);
        let hello = Packet::message(WebSocketMessage::Text("hello"));
        assert!(client.writer_mut().message(MessageKind::Text, false, 3, [0; 4]).is_ok());
        assert_eq!(client.packet(Revision::V4, &hello, true, [0; 4]), Err(FrameOrderError::Unfinished));
        assert!(client.control(&ControlFrame::Pong(b""), [0; 4], &mut [0; 8]).is_some());
        client.close();
        assert!(client.close_frame(None, [0; 4], &mut [0; 8]).is_some());
        assert_eq!(client.packet(Revision::V4, &hello, true, [0; 4]), Err(FrameOrderError::Closed));
        assert!(client.control(&ControlFrame::Pong(b""), [0; 4], &mut [0; 8]).is_none());
    }
}
