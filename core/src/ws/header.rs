//! Frame headers, read and written (RFC 6455 section 5.2).

use super::{Error, mask};
use crate::BufferTooSmall;

/// The type of a frame. The discriminant is the number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the opcodes of RFC 6455; the others are reserved, and refused")]
pub enum OpCode {
    /// The next fragment of the message that a text or binary frame without the final bit began.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The sender will send nothing more.
    Close = 0x8,
    /// Asks for a pong with the same payload.
    Ping = 0x9,
    /// Answers a ping, or shows without a ping that the sender is alive.
    Pong = 0xa,
}

impl OpCode {
    /// Returns whether this is a control frame: close, ping or pong. Control frames may come between the fragments of a
    /// message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn from_bits(bits: u8) -> Result<Self, Error> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            reserved => return Err(Error::ReservedOpcode(reserved)),
        })
    }
}

/// The header of a frame to write. On the wire the payload follows it, masked if the header has a mask.
///
/// Header and payload are separate, so that a large payload need not be copied and one unmasked frame can be sent to
/// many receivers.
///
/// ```
/// use eio_core::ws::{FrameHeader, OpCode};
///
/// let mut out = [0; FrameHeader::MAX_LEN];
/// let len = FrameHeader::new(OpCode::Binary, 256).encode(&mut out)?;
/// assert_eq!(out[..len], [0x82, 0x7e, 0x01, 0x00]);
/// # Ok::<(), eio_core::BufferTooSmall>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "the header of RFC 6455 without its reserved bits")]
pub struct FrameHeader {
    /// Whether this frame is the last of its message.
    pub fin: bool,
    /// The type of the frame.
    pub opcode: OpCode,
    /// The masking key. A client's frame always has one, which must be fresh and unpredictable. A server's frame never
    /// has one.
    pub mask: Option<[u8; 4]>,
    /// The number of payload bytes that follow.
    pub payload_len: usize,
}

impl FrameHeader {
    /// The length of the longest header: 2 bytes, a 64-bit length and a mask.
    pub const MAX_LEN: usize = 14;

    /// Creates the header of a frame that is a whole message from a server: final and not masked.
    #[must_use]
    pub const fn new(opcode: OpCode, payload_len: usize) -> Self {
        Self { fin: true, opcode, mask: None, payload_len }
    }

    /// Returns the length of the header, 2 to 14 bytes.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        match (self.payload_len, self.mask) {
            (0..=125, None) => 2,
            (0..=125, Some(_)) => 6,
            (126..=0xffff, None) => 4,
            (126..=0xffff, Some(_)) => 8,
            (_, None) => 10,
            (_, Some(_)) => 14,
        }
    }

    /// Writes the header and returns its length.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `out` is shorter than [`encoded_len`](Self::encoded_len).
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        for (out, byte) in out.iter_mut().zip(&self.to_bytes()) {
            *out = *byte;
        }
        Ok(needed)
    }

    /// Writes the frame with this payload of `payload_len` bytes, and returns its length. Writes nothing if it does not
    /// fit.
    pub(super) fn encode_frame<'p>(
        &self,
        payload: impl Iterator<Item = &'p u8>,
        out: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let header_len = self.encoded_len();
        let needed = header_len.saturating_add(self.payload_len);
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        self.encode(out)?;
        let room = out.get_mut(header_len..).unwrap_or_default();
        for (out, &byte) in room.iter_mut().zip(payload) {
            *out = byte;
        }
        if let Some(key) = self.mask {
            mask::mask(room, key, 0);
        }
        Ok(needed)
    }

    /// Turns a payload in `buffer` into a frame: masks it if the header has a mask, and writes the header directly
    /// before it. Returns the frame to send.
    ///
    /// `buffer` starts with [`MAX_LEN`](Self::MAX_LEN) bytes of space, followed by the payload. Encode a packet into
    /// `buffer[14..]`, and no byte of it needs to be copied.
    ///
    /// ```
    /// use eio_core::ws::{FrameHeader, OpCode};
    ///
    /// let mut buffer = [0; 64];
    /// buffer[14..20].copy_from_slice(b"3probe");
    /// let frame = FrameHeader::new(OpCode::Text, 6).frame_in_place(&mut buffer)?;
    /// assert_eq!(frame, b"\x81\x063probe");
    /// # Ok::<(), eio_core::BufferTooSmall>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `buffer` is shorter than this space and the payload.
    pub fn frame_in_place<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], BufferTooSmall> {
        let needed = Self::MAX_LEN.saturating_add(self.payload_len);
        let too_small = BufferTooSmall { needed };
        let frame = buffer.get_mut(..needed).ok_or(too_small)?;
        let (room, payload) = frame.split_at_mut_checked(Self::MAX_LEN).ok_or(too_small)?;
        if let Some(key) = self.mask {
            mask::mask(payload, key, 0);
        }
        // From the last byte to the first.
        let mut places = room.iter_mut().rev();
        let mut put = |byte| {
            if let Some(place) = places.next() {
                *place = byte;
            }
        };
        let mut mask_bit = 0;
        if let Some([a, b, c, d]) = self.mask {
            put(d);
            put(c);
            put(b);
            put(a);
            mask_bit = MASK;
        }
        let (short, length_len) = match self.payload_len {
            len @ 0..=125 => (len.to_le_bytes()[0], 0),
            126..=0xffff => (LEN_16, 2),
            _ => (LEN_64, 8),
        };
        let mut length = self.payload_len;
        for _ in 0..length_len {
            put(length.to_le_bytes()[0]);
            length >>= 8;
        }
        put(mask_bit | short);
        put(self.opcode as u8 | if self.fin { FIN } else { 0 });
        let start = places.len();
        Ok(frame.get(start..).unwrap_or_default())
    }

    /// Returns the header, followed by zeros.
    #[expect(clippy::cast_possible_truncation, reason = "each arm has seen that the length fits")]
    fn to_bytes(self) -> [u8; Self::MAX_LEN] {
        let first = self.opcode as u8 | if self.fin { FIN } else { 0 };
        let (mask_bit, [a, b, c, d]) = self.mask.map_or((0, [0; 4]), |key| (MASK, key));
        match self.payload_len {
            len @ 0..=125 => [first, mask_bit | len as u8, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0],
            len @ 126..=0xffff => {
                let [l1, l0] = (len as u16).to_be_bytes();
                [first, mask_bit | LEN_16, l1, l0, a, b, c, d, 0, 0, 0, 0, 0, 0]
            }
            len => {
                // No slice is longer than `isize::MAX`, so the most significant bit is set only by a caller's mistake.
                let [l7, l6, l5, l4, l3, l2, l1, l0] = (len as u64 & u64::MAX >> 1).to_be_bytes();
                [first, mask_bit | LEN_64, l7, l6, l5, l4, l3, l2, l1, l0, a, b, c, d]
            }
        }
    }
}

/// A header that was read. Every rule that needs only the header was checked.
#[derive(Clone, Copy)]
pub(super) struct ReceivedHeader {
    pub(super) fin: bool,
    pub(super) opcode: OpCode,
    /// Zero in unmasked frames. Masking with zero changes nothing.
    pub(super) key: u32,
    pub(super) header_len: usize,
    pub(super) payload_len: u64,
}

impl ReceivedHeader {
    /// Reads the header at the start of `input`. Returns `None` if it is incomplete. The checks follow the order of the
    /// bytes, and each fails at the first byte that shows the error, so the result does not depend on how the input was
    /// cut.
    ///
    /// `masked` says whether the peer's role requires a mask. `continues` says whether a fragmented message is open.
    pub(super) fn read(input: &[u8], masked: bool, continues: bool) -> Result<Option<Self>, Error> {
        let Some((&first, rest)) = input.split_first() else { return Ok(None) };
        if first & RSV != 0 {
            return Err(Error::ReservedBits);
        }
        let fin = first & FIN != 0;
        let opcode = OpCode::from_bits(first & 0x0f)?;
        match opcode {
            OpCode::Continuation if !continues => return Err(Error::UnexpectedContinuation),
            OpCode::Text | OpCode::Binary if continues => return Err(Error::ExpectedContinuation),
            OpCode::Close | OpCode::Ping | OpCode::Pong if !fin => return Err(Error::FragmentedControl),
            _ => {}
        }

        let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
        match (second & MASK != 0, masked) {
            (false, true) => return Err(Error::UnmaskedFrame),
            (true, false) => return Err(Error::MaskedFrame),
            _ => {}
        }
        let short = second & !MASK;
        if opcode.is_control() && short > 125 {
            return Err(Error::ControlTooLong);
        }

        let (payload_len, length_len, rest) = match short {
            LEN_16 => {
                let Some((&bytes, rest)) = rest.split_first_chunk() else { return Ok(None) };
                let len = u16::from_be_bytes(bytes);
                if len < 126 {
                    return Err(Error::NonMinimalLength);
                }
                (u64::from(len), 2, rest)
            }
            LEN_64 => {
                let Some((&bytes, rest)) = rest.split_first_chunk() else { return Ok(None) };
                let len = u64::from_be_bytes(bytes);
                if len <= 0xffff {
                    return Err(Error::NonMinimalLength);
                }
                if len > u64::MAX >> 1 {
                    return Err(Error::LengthTopBit);
                }
                (len, 8, rest)
            }
            len => (u64::from(len), 0, rest),
        };

        let (key, key_len) = match (masked, rest.first_chunk()) {
            (false, _) => (0, 0),
            (true, Some(&key)) => (u32::from_le_bytes(key), 4),
            (true, None) => return Ok(None),
        };
        let header_len = 2_usize.saturating_add(length_len).saturating_add(key_len);
        Ok(Some(Self { fin, opcode, key, header_len, payload_len }))
    }
}

pub(super) const FIN: u8 = 0x80;
const RSV: u8 = 0x70;
pub(super) const MASK: u8 = 0x80;
/// The largest payload whose length needs no further bytes.
pub(super) const MAX_SHORT: u8 = 125;
const LEN_16: u8 = 126;
const LEN_64: u8 = 127;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_takes_its_shortest_form() {
        let encode = |payload_len| {
            let mut out = [0xee; FrameHeader::MAX_LEN];
            let len = FrameHeader::new(OpCode::Text, payload_len).encode(&mut out).unwrap();
            (len, out)
        };
        assert_eq!(encode(125).1[..2], [0x81, 125]);
        assert_eq!(encode(126).1[..4], [0x81, 126, 0, 126]);
        assert_eq!(encode(0xffff).1[..4], [0x81, 126, 0xff, 0xff]);
        assert_eq!(encode(0x1_0000).1[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(encode(125).0, 2);
        assert_eq!(encode(126).0, 4);
        assert_eq!(encode(0x1_0000).0, 10);
        assert_eq!(encode(125).1[2..], [0xee; 12], "bytes beyond the header stay as they are");
    }

    #[test]
    fn a_header_that_does_not_fit_is_not_begun() {
        let header = FrameHeader { mask: Some([1, 2, 3, 4]), ..FrameHeader::new(OpCode::Ping, 0) };
        let mut out = [0xee; 5];
        assert_eq!(header.encode(&mut out), Err(BufferTooSmall { needed: 6 }));
        assert_eq!(out, [0xee; 5]);
    }

    #[test]
    fn what_was_written_is_read_back_as_soon_as_it_is_complete() {
        for payload_len in [0, 1, 125, 126, 0xffff, 0x1_0000, usize::MAX >> 1] {
            for mask in [None, Some([9, 8, 7, 6])] {
                let header = FrameHeader { fin: false, opcode: OpCode::Text, mask, payload_len };
                let mut out = [0; FrameHeader::MAX_LEN];
                let len = header.encode(&mut out).unwrap();
                assert_eq!(len, header.encoded_len());
                for cut in 0..len {
                    assert!(ReceivedHeader::read(&out[..cut], mask.is_some(), false).unwrap().is_none());
                }
                let read = ReceivedHeader::read(&out, mask.is_some(), false).unwrap().unwrap();
                assert_eq!(read.header_len, len);
                assert_eq!(read.payload_len, payload_len as u64);
                assert_eq!((read.fin, read.opcode), (false, OpCode::Text));
                assert_eq!(read.key.to_le_bytes(), mask.unwrap_or_default());
            }
        }
    }

    #[test]
    fn a_length_in_more_bytes_than_it_needs_or_above_63_bits_is_refused() {
        let read = |bytes: &[u8]| {
            ReceivedHeader::read(bytes, false, false).map(|header| header.unwrap().payload_len)
        };
        let long = |len: u64| {
            let mut bytes = [0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0];
            bytes[2..].copy_from_slice(&len.to_be_bytes());
            read(&bytes)
        };
        assert_eq!(read(&[0x82, 126, 0, 125]), Err(Error::NonMinimalLength));
        assert_eq!(read(&[0x82, 126, 0, 126]), Ok(126));
        assert_eq!(long(0xffff), Err(Error::NonMinimalLength));
        assert_eq!(long(0x1_0000), Ok(0x1_0000));
        assert_eq!(long(u64::MAX >> 1), Ok(u64::MAX >> 1));
        assert_eq!(long((u64::MAX >> 1) + 1), Err(Error::LengthTopBit));
        assert_eq!(long(u64::MAX), Err(Error::LengthTopBit));
    }

    #[test]
    fn a_frame_made_in_place_equals_header_and_masked_payload() {
        for payload_len in [0, 5, 125, 126, 300] {
            for key in [None, Some([0x37, 0xfa, 0x21, 0x3d])] {
                let header = FrameHeader { mask: key, ..FrameHeader::new(OpCode::Binary, payload_len) };
                let mut buffer: [u8; 320] = core::array::from_fn(|i| u8::try_from(i % 251).unwrap());
                let mut payload = [0; 300];
                payload[..payload_len].copy_from_slice(&buffer[14..14 + payload_len]);
                mask::mask(&mut payload[..payload_len], key.unwrap_or_default(), 0);
                let mut head = [0; 14];
                let head_len = header.encode(&mut head).unwrap();

                assert_eq!(
                    header.frame_in_place(&mut buffer[..13 + payload_len]),
                    Err(BufferTooSmall { needed: 14 + payload_len })
                );
                let frame = header.frame_in_place(&mut buffer).unwrap();
                assert_eq!(frame[..head_len], head[..head_len]);
                assert_eq!(frame[head_len..], payload[..payload_len]);
            }
        }
    }

    #[test]
    fn a_mask_is_where_the_role_has_it() {
        let read =
            |second, masked| ReceivedHeader::read(&[0x81, second], masked, false).map(|read| read.is_some());
        assert_eq!(read(0, false), Ok(true));
        assert_eq!(read(MASK, false), Err(Error::MaskedFrame));
        assert_eq!(read(0, true), Err(Error::UnmaskedFrame));
        assert_eq!(read(MASK, true), Ok(false), "its key is to come");
    }
}
