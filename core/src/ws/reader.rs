//! Reads messages with one borrowed buffer.

use core::cell::Cell;

use super::decoder::{self, Advance, Found, What, last_bytes};
use super::{ControlFrame, Decoder, Error, Piece};
use crate::BufferTooSmall;
use crate::packet::WebSocketMessage;

/// Collects the bytes from a peer in one borrowed buffer, and returns whole messages.
///
/// Read into [`spare`](Self::spare), report the number of bytes with [`filled`](Self::filled), and call
/// [`poll`](Self::poll) until it returns `None`. At any moment, every received byte is in the buffer or has been
/// returned. So a cancelled read, or a caller that pauses, neither loses nor repeats bytes.
///
/// ```
/// use eio_core::packet::WebSocketMessage;
/// use eio_core::ws::{ControlFrame, Decoder, Reader, Received};
///
/// let mut buffer = [0; 512];
/// let mut reader = Reader::new(Decoder::client(1_000_000), &mut buffer)?;
/// let mut socket: &[u8] = b"\x01\x03Hel\x89\x02hi\x80\x02lo";
/// let mut seen = Vec::new();
/// loop {
///     while let Some(received) = reader.poll()? {
///         match received {
///             Received::Message(WebSocketMessage::Text(text)) => seen.push(text.to_owned()),
///             Received::Message(WebSocketMessage::Binary(bytes)) => seen.push(format!("{} bytes", bytes.len())),
///             Received::Control(ControlFrame::Ping(_)) => seen.push("ping".to_owned()),
///             Received::Control(_) | Received::Piece(_) => {}
///         }
///     }
///     // Read from the socket: here, at most 4 bytes.
///     let room = reader.spare();
///     let len = room.len().min(4).min(socket.len());
///     if len == 0 {
///         break;
///     }
///     room[..len].copy_from_slice(&socket[..len]);
///     socket = &socket[len..];
///     reader.filled(len);
/// }
/// assert_eq!(seen, ["ping", "Hello"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A message may be as long as the buffer minus [`OVERHEAD`](Self::OVERHEAD). A longer message is refused at its header
/// with [`Error::MessageTooLong`], or is returned in pieces if the reader was created with
/// [`in_pieces`](Self::in_pieces).
#[derive(Debug)]
pub struct Reader<'b> {
    decoder: Decoder,
    /// `..message_len` is the open message so far. `start..end` was received but not decoded. The rest is free.
    buffer: &'b mut [u8],
    message_len: usize,
    start: usize,
    end: usize,
    /// The item that was returned last, and its end.
    last: Option<(Found, usize)>,
    /// Finds the next item. A pointer, so that an image contains only the form that it uses.
    find: fn(&mut Reader<'_>) -> Result<(), Error>,
    /// Whether a message in pieces has begun.
    begun: bool,
}

impl<'b> Reader<'b> {
    /// The space that the buffer needs in addition to the longest message: room for a control frame in the middle of
    /// the message.
    pub const OVERHEAD: usize = ControlFrame::MAX_LEN;

    /// Creates a reader with an empty buffer. The limit on messages is that of the decoder or of the buffer, whichever
    /// is smaller.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if the buffer is not longer than [`OVERHEAD`](Self::OVERHEAD).
    pub fn new(decoder: Decoder, buffer: &'b mut [u8]) -> Result<Self, BufferTooSmall> {
        Self::whole(decoder, buffer, find::<false, true>)
    }

    /// Creates a reader like [`new`](Self::new) that checks the text of a fragmented message only when the message is
    /// complete, and not each fragment as it arrives. What it returns is the same; a flaw is noticed later. An image that
    /// contains only this reader is about 170 bytes smaller.
    ///
    /// ```
    /// use eio_core::ws::{Decoder, Error, Reader};
    ///
    /// let mut buffer = [0; Reader::OVERHEAD + 8];
    /// let mut reader = Reader::with_late_text_check(Decoder::client(8), &mut buffer)?;
    /// for (frame, result) in [(b"\x01\x01\xff", Ok(None)), (b"\x80\x01x", Err(Error::InvalidUtf8))] {
    ///     reader.spare()[..3].copy_from_slice(frame);
    ///     reader.filled(3);
    ///     assert_eq!(reader.poll(), result);
    /// }
    /// # Ok::<(), eio_core::BufferTooSmall>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if the buffer is not longer than [`OVERHEAD`](Self::OVERHEAD).
    pub fn with_late_text_check(decoder: Decoder, buffer: &'b mut [u8]) -> Result<Self, BufferTooSmall> {
        Self::whole(decoder, buffer, find::<false, false>)
    }

    fn whole(
        mut decoder: Decoder,
        buffer: &'b mut [u8],
        find: fn(&mut Reader<'_>) -> Result<(), Error>,
    ) -> Result<Self, BufferTooSmall> {
        decoder.limit_message_len(buffer.len().saturating_sub(Self::OVERHEAD));
        Self::with(decoder, buffer, find)
    }

    /// Creates a reader to which only the decoder's limit applies. A message that does not fit into the buffer is
    /// returned in pieces, each as long as the buffer allows.
    ///
    /// ```
    /// use eio_core::ws::{Decoder, MessageKind, Piece, Reader, Received};
    ///
    /// let mut buffer = [0; Reader::OVERHEAD + 3];
    /// let mut reader = Reader::in_pieces(Decoder::client(1_000), &mut buffer)?;
    /// reader.spare()[..7].copy_from_slice(b"\x81\x05Hello");
    /// reader.filled(7);
    /// let piece = |bytes, first, last| Piece { kind: MessageKind::Text, bytes, first, last };
    /// assert_eq!(reader.poll()?, Some(Received::Message(eio_core::packet::WebSocketMessage::Text("Hello"))), "it was all there");
    ///
    /// for (byte, received) in [(b"\x81\x05H", None), (b"ell", Some(piece(b"Hell", true, false)))] {
    ///     reader.spare()[..3].copy_from_slice(byte);
    ///     reader.filled(3);
    ///     assert_eq!(reader.poll()?, received.map(Received::Piece));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if the buffer is not longer than [`OVERHEAD`](Self::OVERHEAD).
    pub const fn in_pieces(decoder: Decoder, buffer: &'b mut [u8]) -> Result<Self, BufferTooSmall> {
        Self::with(decoder, buffer, find::<true, true>)
    }

    const fn with(
        decoder: Decoder,
        buffer: &'b mut [u8],
        find: fn(&mut Reader<'_>) -> Result<(), Error>,
    ) -> Result<Self, BufferTooSmall> {
        if buffer.len() <= Self::OVERHEAD {
            return Err(BufferTooSmall { needed: Self::OVERHEAD + 1 });
        }
        let (message_len, start, end) = (0, 0, 0);
        Ok(Self { decoder, buffer, message_len, start, end, last: None, find, begun: false })
    }

    /// Returns the bytes that were received but not decoded: those after the last item, or all of them before the first
    /// [`poll`](Self::poll), such as the head of the HTTP response that comes before the frames.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Discards the first `len` bytes of [`unread`](Self::unread), which do not belong to frames.
    ///
    /// ```
    /// use eio_core::packet::WebSocketMessage;
    /// use eio_core::ws::{Decoder, Reader, Received};
    ///
    /// let mut buffer = [0; 256];
    /// let mut reader = Reader::new(Decoder::client(1_000), &mut buffer)?;
    /// let received = b"HTTP/1.1 101 ..\r\n\r\n\x81\x012";
    /// reader.spare()[..received.len()].copy_from_slice(received);
    /// reader.filled(received.len());
    ///
    /// reader.skip(received.len() - 3);
    /// assert_eq!(reader.poll()?, Some(Received::Message(WebSocketMessage::Text("2"))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn skip(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
    }

    /// Returns the part of the buffer for the peer's next bytes.
    ///
    /// It is never empty if [`poll`](Self::poll) was called until it returned `None`. Bytes that are written here but
    /// not reported with [`filled`](Self::filled) are ignored.
    pub fn spare(&mut self) -> &mut [u8] {
        self.last = None;
        // The received bytes move down to the open message. After `poll` has returned `None`, there are at most
        // `Decoder::MAX_INCOMPLETE` of them, so reading stays linear.
        self.move_down(self.start, self.end);
        let len = self.end.saturating_sub(self.start);
        self.start = self.message_len;
        self.end = self.message_len.saturating_add(len);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Reports that the first `len` bytes of the last [`spare`](Self::spare) were received. A larger `len` is reduced
    /// to its length.
    pub fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.buffer.len());
    }

    /// Returns the next message, piece or control frame from the received bytes, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// Returns an [`Error`] if the peer broke a rule. Every later call returns the same error.
    pub fn poll(&mut self) -> Result<Option<Received<'_>>, Error> {
        (self.find)(self)?;
        let Some((Found { what, len }, end)) = self.last else { return Ok(None) };
        self.decoder.received(what, last_bytes(self.buffer, end, len)).map(Some)
    }

    /// Returns the last item of [`poll`](Self::poll) once more. Returns `None` before the first item, after an error,
    /// and once [`spare`](Self::spare) has reused its space.
    #[must_use]
    pub fn last(&self) -> Option<Received<'_>> {
        let (Found { what, len }, end) = self.last?;
        // It was checked before.
        decoder::received(what, last_bytes(self.buffer, end, len)).ok()
    }

    /// Returns the space that the buffer has for a message.
    const fn room(&self) -> usize {
        self.buffer.len().saturating_sub(Self::OVERHEAD)
    }

    /// Returns whether [`last`](Self::last) still has an item to return. Do not ask once [`poll`](Self::poll) has failed:
    /// `last` returns `None` then, whatever this method returns.
    #[must_use]
    pub const fn has_last(&self) -> bool {
        self.last.is_some()
    }

    /// Returns whether a close frame was received. Everything after it is ignored.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.decoder.is_closed()
    }

    /// Moves `from..to` down to the end of the open message.
    fn move_down(&mut self, from: usize, to: usize) {
        let gap = from.saturating_sub(self.message_len);
        let window = self.buffer.get_mut(self.message_len..to).unwrap_or_default();
        // Copies byte by byte and upwards. `copy_within` would bring a panic that never happens into every image.
        let window = Cell::from_mut(window).as_slice_of_cells();
        for (to, from) in window.iter().zip(window.get(gap..).unwrap_or_default()) {
            to.set(from.get());
        }
    }
}

/// Finds the next item, if it has been received: with `PIECES`, also a piece of a message that is longer than the buffer,
/// and with `EARLY`, also a flaw in the text of a message that is not complete.
fn find<const PIECES: bool, const EARLY: bool>(reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.last = None;
    loop {
        let input = reader.buffer.get_mut(reader.start..reader.end).unwrap_or_default();
        let advance =
            if EARLY { reader.decoder.advance(input) } else { reader.decoder.advance_unchecked_text(input) };
        let Advance { consumed, found } = advance?;
        reader.start = reader.start.saturating_add(consumed);
        let Some(Found { mut what, mut len }) = found else { return Ok(()) };
        let mut end = reader.start;
        if let What::Piece { kind, last, .. } = what {
            reader.move_down(end.saturating_sub(len), end);
            reader.message_len = reader.message_len.saturating_add(len);
            if !last && (!PIECES || reader.message_len < reader.room()) {
                continue;
            }
            end = core::mem::take(&mut reader.message_len);
            len = end;
            let first = !PIECES || !core::mem::replace(&mut reader.begun, !last);
            what = if first && last { What::Message(kind) } else { What::Piece { kind, first, last } };
        }
        reader.last = Some((Found { what, len }, end));
        return Ok(());
    }
}

/// An item that a [`Reader`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 6455 has data and control frames, and data may come in pieces"
)]
pub enum Received<'b> {
    /// A whole message, in any number of fragments.
    Message(WebSocketMessage<'b>),
    /// A part of a message that is longer than the buffer. Only a reader from [`Reader::in_pieces`] returns it.
    Piece(Piece<'b>),
    /// A control frame. It may come between the fragments of a message.
    Control(ControlFrame<'b>),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads these bytes, which come at once.
    fn read(bytes: &[u8], check: impl FnOnce(&mut Reader<'_>)) {
        let mut buffer = [0; 256];
        let mut reader = Reader::new(Decoder::client(100), &mut buffer).expect("256 bytes are enough");
        reader.spare()[..bytes.len()].copy_from_slice(bytes);
        reader.filled(bytes.len());
        check(&mut reader);
    }

    #[test]
    fn the_last_item_is_there_until_its_space_is_used_again() {
        read(b"\x81\x012", |reader| {
            assert_eq!((reader.has_last(), reader.last()), (false, None));
            let packet = Some(Received::Message(WebSocketMessage::Text("2")));
            assert_eq!(reader.poll(), Ok(packet));
            assert_eq!((reader.has_last(), reader.last()), (true, packet));
            reader.spare();
            assert_eq!((reader.has_last(), reader.last()), (false, None));
        });
    }

    #[test]
    fn an_item_that_is_found_and_refused_is_not_returned_once_more() {
        for (frame, error) in [
            (&b"\x81\x01\xff"[..], Error::InvalidUtf8),
            (b"\x88\x01\x03", Error::TruncatedCloseCode),
            (b"\x88\x02\x03\xed", Error::InvalidCloseCode(1005)),
            (b"\x88\x03\x03\xe8\xff", Error::InvalidCloseReason),
        ] {
            read(frame, |reader| {
                for _ in 0..2 {
                    assert_eq!(reader.poll(), Err(error));
                    assert_eq!(reader.last(), None, "{error}");
                }
            });
        }
    }
}
