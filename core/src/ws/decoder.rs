//! The stream decoder: bytes to messages, pieces of messages and control frames.

mod short;

use self::short::ShortMessage;
use super::header::ReceivedHeader;
use super::utf8::Utf8;
use super::{
    Close, CloseCode, ControlFrame, Decoded, Error, Item, MessageKind, OpCode, Piece, Received, mask,
};
use crate::packet::WebSocketMessage;
use crate::utf8::from_utf8;

/// The largest number of empty fragments that one message may have.
///
/// An empty fragment costs the peer a few bytes and adds nothing to the message. Without this limit, a message could
/// stay open indefinitely without reaching the limit on its length. Fragments with bytes need no limit of their own.
pub const MAX_EMPTY_FRAGMENTS: u8 = 32;

/// Decodes the bytes from a peer in place, however they were cut on the way.
///
/// A decoder takes 32 bytes and owns no buffer. The caller reads bytes into any buffer, decodes until no more items
/// come out, and keeps only the bytes that were not consumed: at most [`MAX_INCOMPLETE`](Self::MAX_INCOMPLETE), and
/// none between frames.
///
/// ```
/// use eio_core::ws::{ControlFrame, Decoder, Item, MessageKind};
///
/// // "Hello" in two fragments with a ping between them, as in RFC 6455 section 5.7.
/// let mut decoder = Decoder::client(1_000);
/// let mut input = *b"\x01\x03Hel\x89\x02hi\x80\x02lo";
/// let (mut at, mut text, mut pings) = (0, Vec::new(), 0);
/// while let decoded = decoder.decode(&mut input[at..])? {
///     at += decoded.consumed;
///     match decoded.item {
///         Some(Item::Message(message)) => println!("a whole message: {message:?}"),
///         Some(Item::Piece(piece)) => text.extend_from_slice(piece.bytes),
///         Some(Item::Control(ControlFrame::Ping(_))) => pings += 1,
///         Some(Item::Control(_)) => {}
///         None => break, // read more, and append it to the rest of `input`
///     }
/// }
/// assert_eq!((at, &text[..], pings), (input.len(), &b"Hello"[..], 1));
/// # Ok::<(), eio_core::ws::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    max_message_len: u32,
    /// The length that the headers of the open message have announced so far.
    message_len: u32,
    /// The number of bytes of the current data frame that are still to come.
    frame_left: u32,
    /// The masking key, rotated so that its least significant byte masks the next byte.
    key: u32,
    end: End,
    /// The kind of the open message, set from the header of its first frame to its last byte.
    message: Option<MessageKind>,
    utf8: Utf8,
    empty_fragments: u8,
    /// Whether the peer is a client, whose frames are masked.
    masked: bool,
    /// Whether the current data frame is its message's last.
    fin: bool,
    /// Whether a piece of the open message has been returned.
    begun: bool,
}

impl Decoder {
    /// The largest number of bytes that may be left for the next call: a control frame without its last byte.
    pub const MAX_INCOMPLETE: usize = ControlFrame::MAX_LEN - 1;

    /// Creates a decoder for a server. It decodes frames from a client, which are all masked.
    ///
    /// It refuses a message of more than `max_message_len` bytes, summed over all its fragments.
    #[must_use]
    pub const fn server(max_message_len: u32) -> Self {
        Self::new(max_message_len, true)
    }

    /// Creates a decoder for a client. It decodes frames from a server, which are never masked.
    ///
    /// It refuses a message of more than `max_message_len` bytes, summed over all its fragments.
    #[must_use]
    pub const fn client(max_message_len: u32) -> Self {
        Self::new(max_message_len, false)
    }

    const fn new(max_message_len: u32, masked: bool) -> Self {
        Self {
            max_message_len,
            message_len: 0,
            frame_left: 0,
            key: 0,
            end: End::Not,
            message: None,
            utf8: Utf8::START,
            empty_fragments: 0,
            masked,
            fin: false,
            begun: false,
        }
    }

    /// Decodes the next item at the start of `input`.
    ///
    /// The decoder has consumed the first `consumed` bytes, and has unmasked them in place where necessary. It has not
    /// changed the others. If it returns no item, `input` holds nothing more to decode: pass the bytes that were not
    /// consumed again, with more bytes after them. The bytes of a data frame are returned as they arrive. A header or a
    /// control frame is consumed once it is complete.
    ///
    /// After a close frame, the decoder consumes and ignores everything.
    ///
    /// # Errors
    /// Returns an [`Error`] if the peer broke a rule. Every later call returns the same error.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a seventh of its instructions would move the result through memory"
    )]
    pub fn decode<'b>(&mut self, input: &'b mut [u8]) -> Result<Decoded<'b>, Error> {
        let Some(short) = self.short_message(input) else { return self.decode_any(input) };
        let message = message(short.kind, short.unmask(input)).map_err(|error| self.fail(error))?;
        Ok(Decoded { consumed: short.end, item: Some(Item::Message(message)) })
    }

    /// Decodes like [`decode`](Self::decode), but leaves the check of text to the caller, who may have faster
    /// instructions for it.
    ///
    /// All data is returned as [`Item::Piece`]. A message in one frame that is completely in the input is a piece that
    /// is both the first and the last. No piece of a text message is known to be UTF-8: check it, and report
    /// [`Error::InvalidUtf8`] to the peer if it is not. Decode a whole connection either like this or with `decode`.
    ///
    /// ```
    /// use eio_core::ws::{Decoder, Item};
    ///
    /// let mut decoder = Decoder::client(1_000);
    /// let mut input = *b"\x81\x04\xf0\x9f\x91\x8b";
    /// let Some(Item::Piece(piece)) = decoder.decode_unchecked_text(&mut input)?.item else { panic!("a message") };
    /// assert!(piece.first && piece.last);
    /// assert_eq!(core::str::from_utf8(piece.bytes), Ok("👋"));
    /// # Ok::<(), eio_core::ws::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an [`Error`] if the peer broke another rule. Every later call returns the same error.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as for `decode`")]
    pub fn decode_unchecked_text<'b>(&mut self, input: &'b mut [u8]) -> Result<Decoded<'b>, Error> {
        let Some(short) = self.short_message(input) else { return self.decode_any_unchecked_text(input) };
        let piece = Piece { kind: short.kind, bytes: short.unmask(input), first: true, last: true };
        Ok(Decoded { consumed: short.end, item: Some(Item::Piece(piece)) })
    }

    /// Decodes any item.
    #[inline(never)]
    fn decode_any<'b>(&mut self, input: &'b mut [u8]) -> Result<Decoded<'b>, Error> {
        let advance = self.advance(input)?;
        self.decoded(input, advance)
    }

    /// Decodes any item, and leaves the check of text to the caller.
    #[inline(never)]
    fn decode_any_unchecked_text<'b>(&mut self, input: &'b mut [u8]) -> Result<Decoded<'b>, Error> {
        let mut advance = self.advance_unchecked_text(input)?;
        if let Some(Found { what, .. }) = &mut advance.found
            && let What::Message(kind) = *what
        {
            *what = What::Piece { kind, first: true, last: true };
        }
        self.decoded(input, advance)
    }

    /// Returns how many bytes of the current data frame's payload are still to come: 0 between frames.
    ///
    /// A caller that knows this can read them directly to the place where it gathers the message.
    ///
    /// ```
    /// let mut decoder = eio_core::ws::Decoder::client(1_000);
    /// let mut input = *b"\x82\x7e\x01\x00abc";
    /// decoder.decode(&mut input)?;
    /// assert_eq!(decoder.payload_left(), 253);
    /// # Ok::<(), eio_core::ws::Error>(())
    /// ```
    #[must_use]
    pub const fn payload_left(&self) -> u32 {
        self.frame_left
    }

    /// Returns whether a close frame was received. Everything after it is ignored.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.end, End::Closed)
    }

    /// Lowers the limit on messages to `room`, the space that the caller has.
    pub(super) fn limit_message_len(&mut self, room: usize) {
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        self.max_message_len = self.max_message_len.min(room);
    }

    /// Returns the short message at the start of `input`, if there is one and it may come here.
    fn short_message(&self, input: &[u8]) -> Option<ShortMessage> {
        let may_come = self.message.is_none() && matches!(self.end, End::Not);
        if may_come { ShortMessage::find(input, self.masked, self.max_message_len) } else { None }
    }

    /// Decodes and unmasks up to the next item. The item's bytes are the last bytes that were consumed.
    /// [`received`](Self::received) checks text that is a whole message and the bodies of close frames.
    pub(super) fn advance(&mut self, input: &mut [u8]) -> Result<Advance, Error> {
        self.advance_with(input, Utf8::feed)
    }

    /// Advances without checking the pieces of text.
    pub(super) fn advance_unchecked_text(&mut self, input: &mut [u8]) -> Result<Advance, Error> {
        self.advance_with(input, |_, _| Ok(()))
    }

    /// Advances, and passes the pieces of text to `check`.
    fn advance_with(
        &mut self,
        input: &mut [u8],
        check: impl Fn(&mut Utf8, &[u8]) -> Result<(), Error>,
    ) -> Result<Advance, Error> {
        match self.end {
            End::Not => {}
            End::Closed => return Ok(Advance { consumed: input.len(), found: None }),
            End::Failed(error) => return Err(error),
        }
        self.step(input, check).map_err(|error| self.fail(error))
    }

    /// Returns what was found at the end of the bytes that were consumed.
    fn decoded<'b>(
        &mut self,
        input: &'b [u8],
        Advance { consumed, found }: Advance,
    ) -> Result<Decoded<'b>, Error> {
        let item = match found {
            None => None,
            Some(Found { what, len }) => {
                Some(match self.received(what, last_bytes(input, consumed, len))? {
                    Received::Message(message) => Item::Message(message),
                    Received::Piece(piece) => Item::Piece(piece),
                    Received::Control(control) => Item::Control(control),
                })
            }
        };
        Ok(Decoded { consumed, item })
    }

    /// Builds an item from its unmasked bytes.
    pub(super) fn received<'b>(&mut self, what: What, bytes: &'b [u8]) -> Result<Received<'b>, Error> {
        if let What::Control(OpCode::Close) = what {
            self.end = End::Closed;
        }
        received(what, bytes).map_err(|error| self.fail(error))
    }

    fn fail(&mut self, error: Error) -> Error {
        self.end = End::Failed(error);
        error
    }

    // Inlined into its caller, the code would be longer: there are too few registers for both.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn step(
        &mut self,
        input: &mut [u8],
        check: impl Fn(&mut Utf8, &[u8]) -> Result<(), Error>,
    ) -> Result<Advance, Error> {
        let mut consumed: usize = 0;
        // Each turn consumes a header of at least 2 bytes.
        loop {
            let rest = input.get_mut(consumed..).unwrap_or_default();
            if self.frame_left > 0 {
                return self.payload(rest, consumed, check);
            }
            let Some(header) = ReceivedHeader::read(rest, self.masked, self.message.is_some())? else {
                return Ok(Advance { consumed, found: None });
            };
            match header.opcode {
                OpCode::Continuation => {}
                OpCode::Text => self.message = Some(MessageKind::Text),
                OpCode::Binary => self.message = Some(MessageKind::Binary),
                control => {
                    // At most 125, because a header with more is refused.
                    let len = usize::from(header.payload_len.to_le_bytes()[0]);
                    let end = header.header_len.saturating_add(len);
                    let found = rest.get_mut(header.header_len..end).map(|payload| {
                        mask::apply(payload, header.key);
                        consumed = consumed.saturating_add(end);
                        Found { what: What::Control(control), len }
                    });
                    return Ok(Advance { consumed, found });
                }
            }
            self.begin_frame(header)?;
            consumed = consumed.saturating_add(header.header_len);
            if self.frame_left == 0 && self.fin {
                return self.payload(&mut [], consumed, check);
            }
        }
    }

    /// Starts a data frame from its header. Checks the limits before it reads any byte of the payload.
    fn begin_frame(&mut self, header: ReceivedHeader) -> Result<(), Error> {
        let too_long = Error::MessageTooLong { max: self.max_message_len };
        let frame_len = u32::try_from(header.payload_len).map_err(|_| too_long)?;
        self.message_len = self.message_len.checked_add(frame_len).ok_or(too_long)?;
        if self.message_len > self.max_message_len {
            return Err(too_long);
        }
        if frame_len == 0 && !header.fin {
            self.empty_fragments = self.empty_fragments.saturating_add(1);
            if self.empty_fragments > MAX_EMPTY_FRAGMENTS {
                return Err(Error::EmptyFragments);
            }
        }
        self.frame_left = frame_len;
        self.fin = header.fin;
        self.key = header.key;
        Ok(())
    }

    /// Takes the part of the current data frame's payload that is in `rest`.
    fn payload(
        &mut self,
        rest: &mut [u8],
        consumed: usize,
        check: impl Fn(&mut Utf8, &[u8]) -> Result<(), Error>,
    ) -> Result<Advance, Error> {
        let wanted = usize::try_from(self.frame_left).unwrap_or(usize::MAX);
        let bytes = match rest.get_mut(..wanted) {
            Some(all) => all,
            None => rest,
        };
        let len = bytes.len();
        let last = self.fin && len == wanted;
        let Some(kind) = self.message.filter(|_| len > 0 || last) else {
            return Ok(Advance { consumed, found: None });
        };

        mask::apply(bytes, self.key);
        self.key = mask::advance(self.key, len);
        // `bytes` has at most `frame_left` of them.
        self.frame_left = self.frame_left.saturating_sub(u32::try_from(len).unwrap_or(u32::MAX));

        let first = !self.begun;
        let what = if first && last {
            What::Message(kind)
        } else {
            if kind == MessageKind::Text {
                check(&mut self.utf8, bytes)?;
            }
            What::Piece { kind, first, last }
        };
        self.begun = true;
        if last {
            if !self.utf8.is_complete() {
                return Err(Error::InvalidUtf8);
            }
            self.message = None;
            self.message_len = 0;
            self.empty_fragments = 0;
            self.begun = false;
        }
        Ok(Advance { consumed: consumed.saturating_add(len), found: Some(Found { what, len }) })
    }
}

/// Builds an item from its unmasked bytes. Checks text and the bodies of close frames.
pub(super) fn received(what: What, bytes: &[u8]) -> Result<Received<'_>, Error> {
    Ok(match what {
        What::Piece { kind, first, last } => Received::Piece(Piece { kind, bytes, first, last }),
        What::Message(kind) => Received::Message(message(kind, bytes)?),
        What::Control(OpCode::Ping) => Received::Control(ControlFrame::Ping(bytes)),
        What::Control(OpCode::Pong) => Received::Control(ControlFrame::Pong(bytes)),
        What::Control(_) => Received::Control(ControlFrame::Close(close_body(bytes)?)),
    })
}

/// Builds a whole message from its bytes. Checks text.
fn message(kind: MessageKind, bytes: &[u8]) -> Result<WebSocketMessage<'_>, Error> {
    match kind {
        MessageKind::Text => match from_utf8(bytes) {
            Some(text) => Ok(WebSocketMessage::Text(text)),
            None => Err(Error::InvalidUtf8),
        },
        MessageKind::Binary => Ok(WebSocketMessage::Binary(bytes)),
    }
}

/// Reads the body of a close frame: nothing, or a code and a reason (RFC 6455 section 5.5.1).
fn close_body(body: &[u8]) -> Result<Option<Close<'_>>, Error> {
    let Some((&code, reason)) = body.split_first_chunk() else {
        return if body.is_empty() { Ok(None) } else { Err(Error::TruncatedCloseCode) };
    };
    let code = u16::from_be_bytes(code);
    if !CloseCode::new(code).is_sendable() {
        return Err(Error::InvalidCloseCode(code));
    }
    match from_utf8(reason) {
        Some(reason) => Ok(Some(Close { code: CloseCode::new(code), reason })),
        None => Err(Error::InvalidCloseReason),
    }
}

/// Returns the last `len` of the first `consumed` bytes.
pub(super) fn last_bytes(input: &[u8], consumed: usize, len: usize) -> &[u8] {
    input.get(consumed.saturating_sub(len)..consumed).unwrap_or_default()
}

/// An item without its bytes, so that it borrows nothing. [`Reader`](super::Reader) moves pieces before it reads them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) what: What,
    pub(super) len: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A whole message. Text is not yet known to be UTF-8.
    Message(MessageKind),
    Piece {
        kind: MessageKind,
        first: bool,
        last: bool,
    },
    /// A control frame with this opcode. The body of a close frame is not yet checked.
    Control(OpCode),
}

#[derive(Clone, Copy)]
pub(super) struct Advance {
    pub(super) consumed: usize,
    pub(super) found: Option<Found>,
}

/// Whether there is anything more to decode.
#[derive(Clone, Copy, Debug)]
enum End {
    Not,
    Closed,
    Failed(Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_32_bytes() {
        assert_eq!(size_of::<Decoder>(), 32);
    }

    #[test]
    fn a_decoder_can_live_in_a_static() {
        static DECODER: Decoder = Decoder::server(100);
        assert!(!DECODER.is_closed());
    }

    #[test]
    fn a_payload_comes_out_as_it_comes_in() {
        let mut decoder = Decoder::client(10);
        let mut header = *b"\x81\x05";
        assert_eq!(decoder.decode(&mut header), Ok(Decoded { consumed: 2, item: None }));
        assert_eq!(decoder.decode(&mut []), Ok(Decoded { consumed: 0, item: None }));
        for (i, byte) in b"Hello".iter().enumerate() {
            let mut input = [*byte];
            let bytes = core::slice::from_ref(byte);
            let piece = Piece { kind: MessageKind::Text, bytes, first: i == 0, last: i == 4 };
            let expected = Decoded { consumed: 1, item: Some(Item::Piece(piece)) };
            assert_eq!(decoder.decode(&mut input), Ok(expected));
        }
    }

    #[test]
    fn a_message_after_empty_fragments_is_still_whole() {
        let mut input = *b"\x01\x00\x00\x00\x80\x02hi";
        let decoded = Decoder::client(2).decode(&mut input);
        assert_eq!(
            decoded,
            Ok(Decoded { consumed: 8, item: Some(Item::Message(WebSocketMessage::Text("hi"))) })
        );
    }

    #[test]
    fn the_limit_holds_over_all_fragments_and_from_the_header_on() {
        let mut decoder = Decoder::client(5);
        assert!(decoder.decode(&mut b"\x02\x03abc".to_vec()).is_ok());
        let error = Error::MessageTooLong { max: 5 };
        assert_eq!(decoder.decode(&mut b"\x80\x03".to_vec()), Err(error));
        assert_eq!(decoder.decode(&mut []), Err(error), "an error is permanent");

        let longest = *b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(
            Decoder::client(u32::MAX).decode(&mut longest.clone()),
            Err(Error::MessageTooLong { max: u32::MAX })
        );
        assert!(Decoder::client(0).decode(&mut b"\x81\x00".to_vec()).is_ok());
    }

    #[test]
    fn text_that_the_caller_checks_comes_in_unchecked_pieces_and_everything_else_is_still_checked() {
        let mut decoder = Decoder::client(5);
        let mut decode = |bytes: &[u8]| {
            let mut input = bytes.to_vec();
            let item = decoder.decode_unchecked_text(&mut input)?.item;
            Ok(item.map(|item| match item {
                Item::Piece(Piece { kind, bytes, first, last }) => (kind, bytes.to_vec(), first, last),
                item => panic!("{item:?}"),
            }))
        };
        let piece = |kind, bytes: &[u8], first, last| Ok(Some((kind, bytes.to_vec(), first, last)));
        let (text, binary) = (MessageKind::Text, MessageKind::Binary);
        assert_eq!(decode(b"\x81\x02\xff\xff"), piece(text, b"\xff\xff", true, true));
        assert_eq!(decode(b"\x82\x00"), piece(binary, b"", true, true));
        assert_eq!(decode(b"\x01\x03\xff"), piece(text, b"\xff", true, false));
        assert_eq!(decode(b"\xff\xff"), piece(text, b"\xff\xff", false, false));
        assert_eq!(decode(b"\x80\x01"), Ok(None));
        assert_eq!(decode(b"\xf0"), piece(text, b"\xf0", false, true));
        assert_eq!(decode(b"\x81\x06"), Err(Error::MessageTooLong { max: 5 }));

        let mut decoder = Decoder::client(5);
        let mut close = *b"\x88\x03\x03\xe8\xff";
        assert_eq!(decoder.decode_unchecked_text(&mut close), Err(Error::InvalidCloseReason));
        assert_eq!(decoder.decode_unchecked_text(&mut []), Err(Error::InvalidCloseReason));
    }

    #[test]
    fn what_is_left_of_a_payload_counts_the_present_frame_only() {
        let mut decoder = Decoder::server(1_000);
        assert_eq!(decoder.payload_left(), 0);
        let mut input = *b"\x01\x83\0\0\0\0ab";
        assert!(decoder.decode(&mut input).is_ok());
        assert_eq!(decoder.payload_left(), 1);
        assert!(decoder.decode(&mut input[6..7]).is_ok());
        assert_eq!(decoder.payload_left(), 0, "the message goes on, the frame does not");
        let mut header = *b"\x80\xfe\x01\x00\0\0\0\0";
        assert!(decoder.decode(&mut header).is_ok());
        assert_eq!(decoder.payload_left(), 256);
    }

    #[test]
    fn empty_fragments_have_a_limit_of_their_own() {
        let mut decoder = Decoder::client(100);
        assert!(decoder.decode(&mut [0x01, 0]).is_ok());
        for _ in 1..MAX_EMPTY_FRAGMENTS {
            assert_eq!(decoder.decode(&mut [0, 0]), Ok(Decoded { consumed: 2, item: None }));
        }
        assert_eq!(decoder.clone().decode(&mut [0, 0]), Err(Error::EmptyFragments));
        let mut end = [0x80, 0];
        let end = decoder.decode(&mut end).map(|decoded| decoded.item);
        assert_eq!(end, Ok(Some(Item::Message(WebSocketMessage::Text("")))));
        assert!(decoder.decode(&mut [0x01, 0]).is_ok(), "the next message counts anew");
    }

    #[test]
    fn nothing_after_a_close_frame_matters() {
        let mut decoder = Decoder::client(100);
        let mut input = *b"\x88\x00\xff\xff\x81\x01x";
        let close = decoder.decode(&mut input);
        assert_eq!(close, Ok(Decoded { consumed: 2, item: Some(Item::Control(ControlFrame::Close(None))) }));
        assert!(decoder.is_closed());
        assert_eq!(decoder.decode(&mut input[2..]), Ok(Decoded { consumed: 5, item: None }));
    }
}
