//! Payloads of a revision that is known only at run time, and their exact length.

use core::iter::FusedIterator;

use super::v3::{self, Framing};
use super::v4::{self, EncodeError};
use crate::packet::{DecodeError, Packet};
use crate::{BufferTooSmall, Revision};

/// The payloads that a peer can read.
///
/// ```
/// use eio_core::Revision;
/// use eio_core::packet::{Packet, WebSocketMessage};
/// use eio_core::payload::{DEFAULT_MAX_PACKETS, Format};
/// use eio_core::payload::v3::Framing;
///
/// let packets = [Packet::PING, Packet::message(WebSocketMessage::Binary(&[1, 2]))];
/// let mut buffer = [0; 64];
/// for (format, framing, payload) in [
///     (Format::new(Revision::V4, false), Framing::Text, &b"2\x1ebAQI="[..]),
///     (Format::new(Revision::V3, true), Framing::Text, b"1:26:b4AQI="),
///     (Format::new(Revision::V3, false), Framing::Binary, b"\x00\x01\xff2\x01\x03\xff\x04\x01\x02"),
/// ] {
///     let layout = format.layout(packets);
///     assert_eq!((layout.framing(), layout.len()), (framing, payload.len()));
///     assert_eq!(layout.encode(packets, &mut buffer), Ok(payload));
///     assert_eq!(format.decode(framing, payload, DEFAULT_MAX_PACKETS).count(), 2);
/// }
/// # Ok::<(), eio_core::payload::v4::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "revision 3 is final, and revision 4 has one form")]
pub enum Format {
    /// Revision 4. Bytes are sent as base64, so the payload is text.
    V4,
    /// Revision 3, for a peer that can read bytes: binary framing if one of the packets is binary.
    V3,
    /// Revision 3, for a peer that reads only text: its query had `b64`, or `j` for a script.
    V3Text,
}

impl Format {
    /// Returns the format for a peer that speaks `revision`. `text_only` is true for a peer that can read only text.
    #[must_use]
    pub const fn new(revision: Revision, text_only: bool) -> Self {
        match revision {
            Revision::V4 => Self::V4,
            Revision::V3 if text_only => Self::V3Text,
            Revision::V3 => Self::V3,
        }
    }

    /// Returns the revision.
    #[must_use]
    pub const fn revision(self) -> Revision {
        match self {
            Self::V4 => Revision::V4,
            Self::V3 | Self::V3Text => Revision::V3,
        }
    }

    /// Returns the layout of a payload with these packets.
    #[must_use]
    pub fn layout<'p>(self, packets: impl IntoIterator<Item = Packet<'p>>) -> Layout {
        packets.into_iter().fold(Layout::new(self), |layout, packet| layout.with(&packet))
    }

    /// Returns an iterator over the packets in `body`. It accepts at most `max_packets` (see
    /// [`DEFAULT_MAX_PACKETS`](super::DEFAULT_MAX_PACKETS)). See [`v4::decode`] and [`v3::decode`].
    ///
    /// Take `framing` from the content type of the request or the answer: see [`Framing::of_content_type`]. Revision 4
    /// has only text, so it ignores `framing`.
    pub const fn decode(self, framing: Framing, body: &[u8], max_packets: usize) -> Decoder<'_> {
        Decoder(match self {
            Self::V4 => Either::V4(v4::decode(body, max_packets)),
            Self::V3 | Self::V3Text => Either::V3(v3::decode(framing, body, max_packets)),
        })
    }
}

/// An iterator over the packets of one payload; see [`Format::decode`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Decoder<'a>(Either<'a>);

#[derive(Clone, Debug)]
enum Either<'a> {
    V4(v4::Decoder<'a>),
    V3(v3::Decoder<'a>),
}

impl<'a> Iterator for Decoder<'a> {
    type Item = Result<Packet<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Either::V4(decoder) => decoder.next(),
            Either::V3(decoder) => decoder.next(),
        }
    }
}

impl FusedIterator for Decoder<'_> {}

/// The framing and the exact length of a payload, computed before it is written.
///
/// ```
/// use eio_core::packet::{Packet, WebSocketMessage};
/// use eio_core::payload::{Format, Layout};
///
/// // Count the packets that fit into a body of 12 bytes.
/// let queue = ["first", "second", "third"].map(|text| Packet::message(WebSocketMessage::Text(text)));
/// let (mut layout, mut fitting) = (Layout::new(Format::V4), 0);
/// for packet in &queue {
///     let longer = layout.with(packet);
///     if longer.len() > 12 {
///         break;
///     }
///     (layout, fitting) = (longer, fitting + 1);
/// }
/// let mut body = vec![0; layout.len()];
/// assert_eq!(layout.encode(queue.iter().copied().take(fitting), &mut body)?, b"4first");
/// # Ok::<(), eio_core::payload::v4::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Layout {
    format: Format,
    /// The length if the framing is text, in bytes.
    text_len: usize,
    /// The length if the framing is binary, in bytes.
    binary_len: usize,
    has_binary: bool,
}

impl Layout {
    /// Returns the layout of a payload without packets. Such a payload must not be sent.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { format, text_len: 0, binary_len: 0, has_binary: false }
    }

    /// Returns the layout with one more packet.
    #[must_use]
    pub fn with(mut self, packet: &Packet<'_>) -> Self {
        let text_len = match self.format {
            // No packet is empty, so an empty payload has no packets, and needs no separator.
            Format::V4 => v4::packet_len(packet).saturating_add(usize::from(self.text_len > 0)),
            Format::V3 | Format::V3Text => v3::packet_len(Framing::Text, packet),
        };
        self.text_len = self.text_len.saturating_add(text_len);
        if self.format == Format::V3 {
            self.binary_len = self.binary_len.saturating_add(v3::packet_len(Framing::Binary, packet));
            self.has_binary |= packet.data.is_binary();
        }
        self
    }

    /// Returns the framing of the payload, which decides its content type.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        if self.has_binary { Framing::Binary } else { Framing::Text }
    }

    /// Returns the length of the payload, in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.framing() {
            Framing::Text => self.text_len,
            Framing::Binary => self.binary_len,
        }
    }

    /// Returns whether no packet has been added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.text_len == 0
    }

    /// Writes the payload and returns it. `packets` are those that the layout was computed from.
    ///
    /// # Errors
    /// Returns [`EncodeError::BufferTooSmall`] if `out` is shorter than [`len`](Self::len). Nothing has been written then.
    /// Returns [`EncodeError::Separator`] for text that no payload of revision 4 can carry. `out` may hold a part of the
    /// payload then.
    pub fn encode<'p, 'o>(
        &self,
        packets: impl IntoIterator<Item = Packet<'p>>,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError> {
        if out.len() < self.len() {
            return Err(BufferTooSmall { needed: self.len() }.into());
        }
        match self.format {
            Format::V4 => {
                let mut encoder = v4::Encoder::new(out);
                packets.into_iter().try_for_each(|packet| encoder.push(&packet))?;
                Ok(encoder.finish())
            }
            Format::V3 | Format::V3Text => {
                let mut encoder = v3::Encoder::new(self.framing(), out);
                packets.into_iter().try_for_each(|packet| encoder.push(&packet))?;
                Ok(encoder.finish())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{PacketType, WebSocketMessage};
    use crate::payload::DEFAULT_MAX_PACKETS;

    #[test]
    fn a_layout_is_exact_and_one_byte_less_is_too_little() {
        let packets = [
            Packet::message(WebSocketMessage::Text("4€😀")),
            Packet::PONG_PROBE,
            Packet::message(WebSocketMessage::Binary(&[7; 12])),
            Packet::text(PacketType::Message, "0123456789"),
        ];
        for format in [Format::V4, Format::V3, Format::V3Text] {
            assert!(Layout::new(format).is_empty());
            for count in 1..=packets.len() {
                let packets = packets.iter().take(count).copied();
                let layout = format.layout(packets.clone());
                assert!(!layout.is_empty());
                let mut out = [0; 128];
                let payload = layout.encode(packets.clone(), &mut out).expect("128 bytes are enough");
                assert_eq!(payload.len(), layout.len(), "{format:?} {count}");
                let decoded = format.decode(layout.framing(), payload, DEFAULT_MAX_PACKETS);
                assert_eq!(decoded.flatten().count(), count, "{format:?} {count}");
                for len in 0..layout.len() {
                    let mut short = [0xaa; 128];
                    let error = layout.encode(packets.clone(), &mut short[..len]).unwrap_err();
                    let EncodeError::BufferTooSmall(BufferTooSmall { needed }) = error else {
                        panic!("{error}")
                    };
                    assert_eq!(needed, layout.len(), "{format:?} {count} {len}");
                    assert_eq!(short, [0xaa; 128], "nothing is written");
                }
            }
        }
    }
}
