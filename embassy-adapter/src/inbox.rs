//! What came in: one lent buffer behind the WebSocket decoder.
//!
//! Every received byte is in the buffer before anything waits, so a dropped future loses none.

use core::cell::Cell;

use eio_core::packet::Frame;
use eio_core::ws::{Control, Decoder, Error, Item, MessageKind};

/// A place in the buffer.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    at: usize,
    len: usize,
}

impl Place {
    /// Without its first `count` bytes, of which it has as many.
    pub(crate) fn skip(self, count: usize) -> Self {
        Self { at: self.at.saturating_add(count), len: self.len.saturating_sub(count) }
    }
}

/// The next thing in the input, without a borrow: it can be kept while something else is waited for.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    /// A whole message.
    Message { kind: MessageKind, place: Place },
    /// A part of a message that is longer than the buffer.
    Piece { kind: MessageKind, place: Place, first: bool, last: bool },
    /// A WebSocket ping with this payload.
    Ping(Place),
    /// A WebSocket pong with this payload.
    Pong(Place),
    /// A close frame, with its code.
    Close(Option<u16>),
}

pub(crate) struct Inbox<'b> {
    /// `..kept`: the open message so far. `start..end`: received, not decoded. The rest is free.
    buffer: &'b mut [u8],
    decoder: Decoder,
    kept: usize,
    start: usize,
    end: usize,
    /// Whether a piece of the open message was handed out.
    begun: bool,
    pieces: bool,
}

impl<'b> Inbox<'b> {
    /// What the buffer needs beside the longest message: room for a control frame in the middle of it.
    pub(crate) const OVERHEAD: usize = Control::MAX_LEN;

    /// A buffer in which no message fits is none.
    pub(crate) const MIN_LEN: usize = Self::OVERHEAD + 1;

    /// `max_message_len` is the limit for messages in pieces; `None` means none, and the buffer is the limit.
    pub(crate) fn new(buffer: &'b mut [u8], max_message_len: Option<u32>) -> Self {
        let room = buffer.len().saturating_sub(Self::OVERHEAD);
        let limit = max_message_len.unwrap_or(u32::try_from(room).unwrap_or(u32::MAX));
        let pieces = max_message_len.is_some();
        let decoder = Decoder::client(limit);
        Self { buffer, decoder, kept: 0, start: 0, end: 0, begun: false, pieces }
    }

    /// Decodes the next thing in what was received; `None` if that takes more bytes.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, Error> {
        loop {
            let input = self.buffer.get_mut(self.start..self.end).unwrap_or_default();
            let decoded = self.decoder.decode(input)?;
            let end = self.start.saturating_add(decoded.consumed);
            self.start = end;
            // What an item carries are the last bytes that it consumed.
            let place = |len: usize| Place { at: end.saturating_sub(len), len };
            return Ok(Some(match decoded.item {
                None => return Ok(None),
                Some(Item::Message(Frame::Text(text))) => {
                    Found::Message { kind: MessageKind::Text, place: place(text.len()) }
                }
                Some(Item::Message(Frame::Binary(bytes))) => {
                    Found::Message { kind: MessageKind::Binary, place: place(bytes.len()) }
                }
                Some(Item::Control(Control::Ping(payload))) => Found::Ping(place(payload.len())),
                Some(Item::Control(Control::Pong(payload))) => Found::Pong(place(payload.len())),
                Some(Item::Control(Control::Close(close))) => {
                    Found::Close(close.map(|close| close.code.as_u16()))
                }
                Some(Item::Piece(piece)) => {
                    let (kind, last, len) = (piece.kind, piece.last, piece.bytes.len());
                    self.keep(place(len));
                    if last {
                        self.finish(kind)
                    } else if let Some(piece) = self.full_piece(kind) {
                        piece
                    } else {
                        continue;
                    }
                }
            }));
        }
    }

    /// The bytes at a place that [`next`](Self::next) has returned, until the next call of it or of
    /// [`spare`](Self::spare).
    pub(crate) fn bytes(&self, place: Place) -> &[u8] {
        self.buffer.get(place.at..place.at.saturating_add(place.len)).unwrap_or_default()
    }

    /// A message at a place that [`next`](Self::next) has returned.
    pub(crate) fn frame(&self, kind: MessageKind, place: Place) -> Frame<'_> {
        let bytes = self.bytes(place);
        match kind {
            // The decoder has seen that it is UTF-8.
            MessageKind::Text => Frame::Text(core::str::from_utf8(bytes).unwrap_or_default()),
            MessageKind::Binary => Frame::Binary(bytes),
        }
    }

    /// Where to read to. With `hold`, what [`next`](Self::next) has returned last stays where it is, and there may be
    /// no room; otherwise there is some once `next` has returned `None`.
    pub(crate) fn spare(&mut self, hold: bool) -> &mut [u8] {
        if !hold {
            let received = self.start..self.end;
            let len = received.len();
            self.move_down(received.start, received.end, self.kept);
            self.start = self.kept;
            self.end = self.kept.saturating_add(len);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// The first `len` bytes of the last [`spare`](Self::spare) were received.
    pub(crate) fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.buffer.len());
    }

    /// What was received and not decoded.
    pub(crate) fn received(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The length of the whole buffer.
    pub(crate) const fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Whether there is no room for another byte.
    pub(crate) fn is_full(&self) -> bool {
        self.kept == 0 && self.start == 0 && self.end == self.buffer.len()
    }

    /// The first `len` bytes of [`received`](Self::received) are done with.
    pub(crate) fn consume(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
    }

    /// Moves bytes that were just decoded to the open message.
    fn keep(&mut self, place: Place) {
        self.move_down(place.at, place.at.saturating_add(place.len), self.kept);
        self.kept = self.kept.saturating_add(place.len);
    }

    /// The whole message that was kept, or its last piece.
    fn finish(&mut self, kind: MessageKind) -> Found {
        let place = self.take_kept();
        if core::mem::take(&mut self.begun) {
            Found::Piece { kind, place, first: false, last: true }
        } else {
            Found::Message { kind, place }
        }
    }

    /// A piece, if as much was kept as the buffer holds and messages may come in pieces.
    fn full_piece(&mut self, kind: MessageKind) -> Option<Found> {
        if !self.pieces || self.kept < self.buffer.len().saturating_sub(Self::OVERHEAD) {
            return None;
        }
        let place = self.take_kept();
        let first = !core::mem::replace(&mut self.begun, true);
        Some(Found::Piece { kind, place, first, last: false })
    }

    fn take_kept(&mut self) -> Place {
        Place { at: 0, len: core::mem::take(&mut self.kept) }
    }

    /// Moves `from..end` down to `to`.
    fn move_down(&mut self, from: usize, end: usize, to: usize) {
        let window = self.buffer.get_mut(to..end).unwrap_or_default();
        // Byte by byte and upwards: `copy_within` can panic, and brings that into every image.
        let window = Cell::from_mut(window).as_slice_of_cells();
        let source = window.get(from.saturating_sub(to)..).unwrap_or_default();
        for (to, from) in window.iter().zip(source) {
            to.set(from.get());
        }
    }
}
