//! Revision 3: each packet follows its length.
//!
//! | framing | a packet | its length counts |
//! |---|---|---|
//! | [`Framing::Text`] | `<length>:<packet>`, length in decimal digits | UTF-16 code units, as JavaScript does: `2:4€`, `3:4😀` |
//! | [`Framing::Binary`] | 0x00 (text) or 0x01 (bytes), the length's digits as numbers 0 to 9, 0xFF, packet | bytes |
//!
//! Text framing carries binary packets as base64. Binary framing is used if the peer can read it and at least one
//! packet of the payload is binary: see [`Framing::of`].

use core::iter::FusedIterator;

use crate::BufferTooSmall;
use crate::packet::{Data, DecodeError, DecodeErrorKind, Packet, WebSocketMessage, Writer, v3};
use crate::text::Decimal;

/// The way in which packets are combined into one payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "revision 3 is final and has these two")]
pub enum Framing {
    /// Text, content type `text/plain; charset=UTF-8`.
    Text,
    /// Bytes, content type `application/octet-stream` without parameters.
    Binary,
}

impl Framing {
    /// Returns the framing that the reference server chooses for `packets`: binary if the peer can read it (its query
    /// had no `b64`) and one of the packets needs it, and text otherwise.
    ///
    /// ```
    /// use eio_core::packet::{Packet, WebSocketMessage};
    /// use eio_core::payload::v3::Framing;
    ///
    /// let packets = [Packet::PONG, Packet::message(WebSocketMessage::Binary(&[1, 2]))];
    /// assert_eq!(Framing::of(&packets, true), Framing::Binary);
    /// assert_eq!(Framing::of(&packets, false), Framing::Text);
    /// assert_eq!(Framing::of(&packets[..1], true), Framing::Text);
    /// ```
    #[must_use]
    pub fn of<'p, 'a: 'p>(packets: impl IntoIterator<Item = &'p Packet<'a>>, supports_binary: bool) -> Self {
        if supports_binary && packets.into_iter().any(|packet| packet.data.is_binary()) {
            Self::Binary
        } else {
            Self::Text
        }
    }

    /// Returns the content type of a payload in this framing.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=UTF-8",
            Self::Binary => BINARY,
        }
    }

    /// Returns the framing of a body with this content type: binary for exactly `application/octet-stream`, as in the
    /// reference server, and text for everything else.
    ///
    /// ```
    /// use eio_core::payload::v3::Framing;
    ///
    /// assert_eq!(Framing::of_content_type(b"application/octet-stream"), Framing::Binary);
    /// assert_eq!(Framing::of_content_type(b"text/plain;charset=UTF-8"), Framing::Text);
    /// for framing in [Framing::Text, Framing::Binary] {
    ///     assert_eq!(Framing::of_content_type(framing.content_type().as_bytes()), framing);
    /// }
    /// ```
    #[must_use]
    pub fn of_content_type(content_type: &[u8]) -> Self {
        if content_type == BINARY.as_bytes() { Self::Binary } else { Self::Text }
    }
}

const BINARY: &str = "application/octet-stream";

/// Returns an iterator over the packets in `body`. It accepts at most `max_packets` (see
/// [`DEFAULT_MAX_PACKETS`](super::DEFAULT_MAX_PACKETS)).
///
/// Take the framing from the request's content type. An empty body is an error in text framing, and holds no packet in
/// binary framing. `0:` holds no packet. Lengths are plain decimal digits; leading zeros are allowed.
///
/// In binary framing all markers and lengths are checked first, as the reference server does. If one of them is wrong,
/// the iterator returns only that error. An error inside a packet is returned when its turn comes.
///
/// ```
/// use eio_core::packet::{Packet, WebSocketMessage};
/// use eio_core::payload::{DEFAULT_MAX_PACKETS, v3};
///
/// let mut packets = v3::decode(v3::Framing::Text, "2:4€1:29:4".as_bytes(), DEFAULT_MAX_PACKETS);
/// assert_eq!(packets.next(), Some(Ok(Packet::message(WebSocketMessage::Text("€")))));
/// assert_eq!(packets.next(), Some(Ok(Packet::PING)));
/// assert_eq!(packets.next().unwrap().unwrap_err().at, 9);
/// assert_eq!(packets.next(), None);
///
/// let mut packets = v3::decode(v3::Framing::Binary, &[1, 3, 0xff, 4, 1, 2], DEFAULT_MAX_PACKETS);
/// assert_eq!(packets.next(), Some(Ok(Packet::message(WebSocketMessage::Binary(&[1, 2])))));
/// assert_eq!(packets.next(), None);
/// ```
pub const fn decode(framing: Framing, body: &[u8], max_packets: usize) -> Decoder<'_> {
    Decoder { framing, rest: Some(body), at: 0, left: max_packets }
}

/// An iterator over the packets of one payload; see [`decode`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Decoder<'a> {
    framing: Framing,
    /// The part that is still to be decoded. `None` at the end of the payload and after an error.
    rest: Option<&'a [u8]>,
    /// The offset of `rest` in the payload.
    at: usize,
    /// The number of packets that are still allowed.
    left: usize,
}

impl<'a> Iterator for Decoder<'a> {
    type Item = Result<Packet<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Each turn consumes at least the two bytes of a packet of length zero.
        loop {
            let at = self.at;
            let rest = self.rest.take()?;
            if rest.is_empty() {
                let missing = at == 0 && self.framing == Framing::Text;
                return missing.then_some(Err(DecodeError::new(DecodeErrorKind::Empty, 0)));
            }
            if at == 0
                && self.framing == Framing::Binary
                && let Err(error) = check_binary(rest)
            {
                return Some(Err(error));
            }
            let packet = self.step(rest).map_err(|error| error.after(at)).transpose();
            if packet.is_some() {
                return packet;
            }
        }
    }
}

impl FusedIterator for Decoder<'_> {}

impl<'a> Decoder<'a> {
    /// Takes the first packet off `rest`. Returns `None` if its length is zero and the framing allows that. Positions
    /// of errors are offsets in `rest`.
    fn step(&mut self, rest: &'a [u8]) -> Result<Option<Packet<'a>>, DecodeError> {
        let cut = match self.framing {
            Framing::Text => cut_text(rest),
            Framing::Binary => cut_binary(rest),
        }?;
        let packet = if self.framing == Framing::Text && cut.packet.is_empty() {
            None
        } else {
            let left = self.left.checked_sub(1);
            self.left = left.ok_or(DecodeError::new(DecodeErrorKind::TooManyPackets, 0))?;
            Some(cut.decode().map_err(|error| error.after(cut.header))?)
        };
        self.at = self.at.saturating_add(rest.len()).saturating_sub(cut.next.len());
        self.rest = Some(cut.next);
        Ok(packet)
    }
}

/// The first packet of a payload, separated from the rest.
struct Cut<'a> {
    /// The total length of the marker and the length prefix.
    header: usize,
    is_text: bool,
    packet: &'a [u8],
    next: &'a [u8],
}

impl<'a> Cut<'a> {
    fn decode(&self) -> Result<Packet<'a>, DecodeError> {
        v3::decode(if self.is_text {
            WebSocketMessage::Text(utf8(self.packet)?)
        } else {
            WebSocketMessage::Binary(self.packet)
        })
    }
}

fn cut_text(body: &[u8]) -> Result<Cut<'_>, DecodeError> {
    let digits = body.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(body.len());
    if digits == 0 || body.get(digits) != Some(&b':') {
        return Err(DecodeError::new(DecodeErrorKind::InvalidLength, digits));
    }
    let length = number(body.iter().take(digits).map(|digit| digit.wrapping_sub(b'0')));
    let header = digits.saturating_add(1);
    let rest = body.get(header..).unwrap_or_default();

    // The packet ends before the first character that the length does not cover. A count below the length then means
    // that the payload is too short. A count above it means that the last character takes two units where only one was
    // left.
    let mut units = 0_usize;
    let end = rest.iter().position(|byte| {
        let width = utf16_units(*byte);
        let beyond = width > 0 && units >= length;
        units = units.saturating_add(if beyond { 0 } else { width });
        beyond
    });
    let (packet, next) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or_default();
    if units != length {
        // Bytes that are not UTF-8 cannot be counted, so this error is reported first.
        utf8(packet).map_err(|error| error.after(header))?;
        return Err(DecodeError::new(DecodeErrorKind::InvalidLength, 0));
    }
    Ok(Cut { header, is_text: true, packet, next })
}

/// Longer numbers in binary framing are refused, as the reference server does. It stops after as many digits as the
/// largest JavaScript number has.
const MAX_DIGITS: usize = 311;

fn cut_binary(body: &[u8]) -> Result<Cut<'_>, DecodeError> {
    let Some((&marker, rest)) = body.split_first() else {
        return Err(DecodeError::new(DecodeErrorKind::Empty, 0));
    };
    if marker > 1 {
        return Err(DecodeError::new(DecodeErrorKind::InvalidMarker(marker), 0));
    }
    let digits = rest.iter().take(MAX_DIGITS).take_while(|byte| **byte <= 9).count();
    let past_digits = digits.saturating_add(1);
    if digits == 0 || rest.get(digits) != Some(&0xff) {
        return Err(DecodeError::new(DecodeErrorKind::InvalidLength, past_digits));
    }
    let length = number(rest.iter().take(digits).copied());
    let rest = rest.get(past_digits..).unwrap_or_default();
    let Some((packet, next)) = rest.split_at_checked(length) else {
        return Err(DecodeError::new(DecodeErrorKind::InvalidLength, 1));
    };
    Ok(Cut { header: past_digits.saturating_add(1), is_text: marker == 0, packet, next })
}

/// Checks that the markers and lengths in `body` lead to its end.
fn check_binary(body: &[u8]) -> Result<(), DecodeError> {
    let mut rest = body;
    while !rest.is_empty() {
        let at = body.len().saturating_sub(rest.len());
        rest = cut_binary(rest).map_err(|error| error.after(at))?.next;
    }
    Ok(())
}

fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    core::str::from_utf8(bytes)
        .map_err(|error| DecodeError::new(DecodeErrorKind::InvalidUtf8, error.valid_up_to()))
}

/// Returns the number with these decimal digits, or the largest `usize`, because no payload is that long.
fn number(digits: impl Iterator<Item = u8>) -> usize {
    digits.fold(0_usize, |number, digit| number.saturating_mul(10).saturating_add(usize::from(digit)))
}

/// Returns the number of UTF-16 code units of the character whose UTF-8 form starts with `byte`, or zero if no
/// character starts with it.
const fn utf16_units(byte: u8) -> usize {
    match byte {
        0x80..=0xbf => 0,
        0xf0.. => 2,
        _ => 1,
    }
}

/// Writes a payload into the caller's buffer, packet by packet.
///
/// ```
/// use eio_core::packet::{Packet, WebSocketMessage};
/// use eio_core::payload::v3::{Encoder, Framing};
///
/// let packets = [Packet::message(WebSocketMessage::Text("😀")), Packet::message(WebSocketMessage::Binary(&[255]))];
/// let mut buffer = [0; 64];
/// let mut payload = Encoder::new(Framing::of(&packets, false), &mut buffer);
/// for packet in &packets {
///     payload.push(packet)?;
/// }
/// assert_eq!(payload.finish(), "3:4😀6:b4/w==".as_bytes());
///
/// let mut payload = Encoder::new(Framing::of(&packets, true), &mut buffer);
/// for packet in &packets {
///     payload.push(packet)?;
/// }
/// assert_eq!(payload.finish(), b"\x00\x05\xff4\xf0\x9f\x98\x80\x01\x02\xff\x04\xff");
/// # Ok::<(), eio_core::BufferTooSmall>(())
/// ```
#[derive(Debug)]
pub struct Encoder<'o> {
    framing: Framing,
    writer: Writer<'o>,
}

impl<'o> Encoder<'o> {
    /// Creates an empty payload in `out`. The length of `out` limits the length of the payload.
    #[must_use]
    pub const fn new(framing: Framing, out: &'o mut [u8]) -> Self {
        Self { framing, writer: Writer::new(out) }
    }

    /// Adds `packet`.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if the packet does not fit. `needed` is the length of the payload with this packet.
    /// The payload is unchanged, and a shorter packet may still fit.
    pub fn push(&mut self, packet: &Packet<'_>) -> Result<(), BufferTooSmall> {
        match self.framing {
            Framing::Text => self.push_text(packet),
            Framing::Binary => self.push_binary(packet),
        }
    }

    fn push_text(&mut self, packet: &Packet<'_>) -> Result<(), BufferTooSmall> {
        let Prefix { digits, len } = Prefix::text(packet);
        self.writer.reserve(len)?;
        self.writer.bytes(digits.as_str().as_bytes());
        self.writer.byte(b':');
        v3::write_text(packet, &mut self.writer);
        Ok(())
    }

    fn push_binary(&mut self, packet: &Packet<'_>) -> Result<(), BufferTooSmall> {
        let Prefix { digits, len } = Prefix::binary(packet);
        self.writer.reserve(len)?;
        self.writer.byte(u8::from(packet.data.is_binary()));
        digits.as_str().bytes().for_each(|digit| self.writer.byte(digit.wrapping_sub(b'0')));
        self.writer.byte(0xff);
        if packet.data.is_binary() {
            v3::write_binary(packet, &mut self.writer);
        } else {
            v3::write_text(packet, &mut self.writer);
        }
        Ok(())
    }

    /// Returns the current length of the payload, in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.writer.len()
    }

    /// Returns whether no packet has been added yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.writer.len() == 0
    }

    /// Returns the number of free bytes in the buffer. The next packet needs some of them for its length.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.writer.remaining()
    }

    /// Returns the payload. Without packets it is `0:` in text framing, which every peer reads as no packet, and empty
    /// in binary framing.
    #[must_use]
    pub fn finish(self) -> &'o [u8] {
        if self.framing == Framing::Text && self.is_empty() { b"0:" } else { self.writer.finish() }
    }
}

/// The length that stands before a packet.
struct Prefix {
    /// Its digits.
    digits: Decimal,
    /// The bytes of the packet with everything before it.
    len: usize,
}

impl Prefix {
    fn text(packet: &Packet<'_>) -> Self {
        let bytes = v3::encoded_len(packet, false);
        let units = match packet.data {
            // The type's digit, then the text.
            Data::Text(text) => text.bytes().map(utf16_units).fold(1, usize::saturating_add),
            _ => bytes,
        };
        // The colon takes one byte.
        Self::new(units, bytes.saturating_add(1))
    }

    fn binary(packet: &Packet<'_>) -> Self {
        let bytes = v3::encoded_len(packet, true);
        // The marker and 0xFF take two bytes.
        Self::new(bytes, bytes.saturating_add(2))
    }

    fn new(number: usize, without_digits: usize) -> Self {
        let digits = Decimal::new(number as u64);
        let len = without_digits.saturating_add(digits.as_str().len());
        Self { digits, len }
    }
}

/// Returns the bytes that `packet` takes in a payload of this framing, with its length prefix.
pub(super) fn packet_len(framing: Framing, packet: &Packet<'_>) -> usize {
    match framing {
        Framing::Text => Prefix::text(packet).len,
        Framing::Binary => Prefix::binary(packet).len,
    }
}
