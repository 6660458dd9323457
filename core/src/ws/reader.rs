//! Whole messages in one lent buffer.

use core::cell::Cell;

use super::decoder::{Advance, Found, What, Whole, last_bytes};
use super::{Control, Decoder, Error};
use crate::BufferTooSmall;
use crate::packet::Frame;

/// Collects what a peer sends in one lent buffer, and hands out whole messages.
///
/// Read into [`spare`](Self::spare), say how much came with [`filled`](Self::filled), and
/// [`poll`](Self::poll) until nothing more comes out. Every received byte is in the buffer or was handed out, at any
/// moment: a read that is cancelled, or a caller that goes and does something else, loses and doubles nothing.
///
/// ```
/// use eio_core::packet::Frame;
/// use eio_core::ws::{Control, Decoder, Reader, Received};
///
/// let mut buffer = [0; 512];
/// let mut reader = Reader::new(Decoder::client(1_000_000), &mut buffer)?;
/// let mut socket: &[u8] = b"\x01\x03Hel\x89\x02hi\x80\x02lo";
/// let mut seen = Vec::new();
/// loop {
///     while let Some(received) = reader.poll()? {
///         match received {
///             Received::Message(Frame::Text(text)) => seen.push(text.to_owned()),
///             Received::Message(Frame::Binary(bytes)) => seen.push(format!("{} bytes", bytes.len())),
///             Received::Control(Control::Ping(_)) => seen.push("ping".to_owned()),
///             Received::Control(_) => {}
///         }
///     }
///     // Any read will do, here one of at most 4 bytes.
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
/// A message may have as many bytes as the buffer without [`OVERHEAD`](Self::OVERHEAD); a longer one is refused by
/// its header with [`Error::MessageTooLong`]. Whoever wants it in pieces uses the [`Decoder`] itself.
#[derive(Debug)]
pub struct Reader<'b> {
    decoder: Decoder,
    /// `..message_len`: the open message so far. `start..end`: received, not decoded. The rest is free.
    buffer: &'b mut [u8],
    message_len: usize,
    start: usize,
    end: usize,
}

impl<'b> Reader<'b> {
    /// What the buffer needs beside the longest message: room for a control frame in the middle of it.
    pub const OVERHEAD: usize = Control::MAX_LEN;

    /// A reader over an empty buffer. The limit on messages is the decoder's, or what the buffer leaves, whichever
    /// is less.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if the buffer is shorter than [`OVERHEAD`](Self::OVERHEAD).
    pub fn new(decoder: Decoder, buffer: &'b mut [u8]) -> Result<Self, BufferTooSmall> {
        Self::with_received(decoder, buffer, 0, 0)
    }

    /// A reader over a buffer that holds received bytes already, at `start..end`: what came behind the head of the
    /// HTTP response, and was read into the same buffer.
    ///
    /// ```
    /// use eio_core::packet::Frame;
    /// use eio_core::ws::{Decoder, Reader, Received};
    ///
    /// let mut buffer = [0; 256];
    /// let (head, frame) = (b"HTTP/1.1 101 ..\r\n\r\n", b"\x81\x012");
    /// let end = head.len() + frame.len();
    /// buffer[..end].copy_from_slice(&[&head[..], &frame[..]].concat());
    ///
    /// let mut reader = Reader::with_received(Decoder::client(1_000), &mut buffer, head.len(), end)?;
    /// assert_eq!(reader.poll()?, Some(Received::Message(Frame::Text("2"))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`BufferTooSmall`] if the buffer is shorter than [`OVERHEAD`](Self::OVERHEAD), or than `end`.
    pub fn with_received(
        mut decoder: Decoder,
        buffer: &'b mut [u8],
        start: usize,
        end: usize,
    ) -> Result<Self, BufferTooSmall> {
        let needed = end.max(Self::OVERHEAD);
        let Some(room) = buffer.len().checked_sub(needed).and(buffer.len().checked_sub(Self::OVERHEAD))
        else {
            return Err(BufferTooSmall { needed });
        };
        decoder.limit_message_len(room);
        Ok(Self { decoder, buffer, message_len: 0, start: start.min(end), end })
    }

    /// Where to read the peer's next bytes to.
    ///
    /// Never empty if [`poll`](Self::poll) was called until it returned `None`. Bytes that are written here and not
    /// reported by [`filled`](Self::filled) do not exist.
    pub fn spare(&mut self) -> &mut [u8] {
        // The received bytes move to the open message. After `poll` has returned `None` these are at most
        // `Decoder::MAX_INCOMPLETE`, so that reading stays linear.
        self.move_down(self.start, self.end);
        let len = self.end.saturating_sub(self.start);
        self.start = self.message_len;
        self.end = self.message_len.saturating_add(len);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Takes the first `len` bytes of the last [`spare`](Self::spare) as received; no more than it had.
    pub fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.buffer.len());
    }

    /// The next message or control frame in what was received, or `None` if it takes more bytes.
    ///
    /// # Errors
    /// [`Error`] if the peer broke a rule. Every later call returns the same error.
    pub fn poll(&mut self) -> Result<Option<Received<'_>>, Error> {
        loop {
            let input = self.buffer.get_mut(self.start..self.end).unwrap_or_default();
            let Advance { consumed, found } = self.decoder.advance(input)?;
            self.start = self.start.saturating_add(consumed);
            let Some(Found { what, len }) = found else { return Ok(None) };
            let (whole, end, len) = match what {
                What::Whole(whole) => (whole, self.start, len),
                What::Piece { kind, last, .. } => {
                    self.move_down(self.start.saturating_sub(len), self.start);
                    let message_len = self.message_len.saturating_add(len);
                    if !last {
                        self.message_len = message_len;
                        continue;
                    }
                    self.message_len = 0;
                    (Whole::Message(kind), message_len, message_len)
                }
            };
            let bytes = last_bytes(self.buffer, end, len);
            return self.decoder.received(whole, bytes).map(Some);
        }
    }

    /// Whether a close frame was received: nothing that comes after it matters.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.decoder.is_closed()
    }

    /// Moves `from..to` down to the end of the open message.
    fn move_down(&mut self, from: usize, to: usize) {
        let gap = from.saturating_sub(self.message_len);
        let window = self.buffer.get_mut(self.message_len..to).unwrap_or_default();
        // Byte by byte and upwards: `copy_within` would bring a panic that never happens into every image.
        let window = Cell::from_mut(window).as_slice_of_cells();
        for (to, from) in window.iter().zip(window.get(gap..).unwrap_or_default()) {
            to.set(from.get());
        }
    }
}

/// What a [`Reader`] hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has data and control frames")]
pub enum Received<'b> {
    /// A whole message, however many fragments it came in.
    Message(Frame<'b>),
    /// A control frame; it may come between the fragments of a message.
    Control(Control<'b>),
}
