//! A shortcut for most frames: whole messages of at most 125 bytes.
//!
//! The general way decodes such a frame as well, with twice as many instructions. [`Reader`](crate::ws::Reader) takes only
//! that way, because small images have no room for both.

use crate::ws::header::{FIN, MASK, MAX_SHORT};
use crate::ws::{MessageKind, OpCode, mask};

/// A message in one short frame that is completely in the input.
#[derive(Clone, Copy)]
pub(super) struct ShortMessage {
    pub(super) kind: MessageKind,
    key: Option<u32>,
    /// The payload is at `start..end`.
    start: usize,
    pub(super) end: usize,
}

impl ShortMessage {
    /// Returns the message in the frame at the start of `input`, if the frame is such a message and keeps the rules. It
    /// is only for a decoder between two messages.
    pub(super) fn find(input: &[u8], masked: bool, max_message_len: u32) -> Option<Self> {
        const TEXT: u8 = FIN | OpCode::Text as u8;
        const BINARY: u8 = FIN | OpCode::Binary as u8;
        let (&[first, second], rest) = input.split_first_chunk()?;
        let kind = match first {
            TEXT => MessageKind::Text,
            BINARY => MessageKind::Binary,
            _ => return None,
        };
        // With the wrong mask bit, this is too long.
        let len = second ^ if masked { MASK } else { 0 };
        if len > MAX_SHORT || u32::from(len) > max_message_len {
            return None;
        }
        let (key, start) =
            if masked { (Some(u32::from_le_bytes(*rest.first_chunk()?)), 6) } else { (None, 2) };
        let end = usize::from(len).saturating_add(start);
        (end <= input.len()).then_some(Self { kind, key, start, end })
    }

    /// Unmasks the payload in the input in which the message was found, and returns it.
    pub(super) fn unmask(self, input: &mut [u8]) -> &[u8] {
        let payload = input.get_mut(self.start..self.end).unwrap_or_default();
        if let Some(key) = self.key {
            mask::apply(payload, key);
        }
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::WebSocketMessage;
    use crate::ws::decoder::End;
    use crate::ws::{Decoded, Decoder, Error, FrameHeader, Item};

    #[test]
    fn the_shortcut_is_for_messages_of_both_kinds_up_to_the_longest_short_one_and_to_the_limit() {
        for (first, kind) in [(FIN | 1, MessageKind::Text), (FIN | 2, MessageKind::Binary)] {
            for (len, masked) in [0, 1, 124, 125].into_iter().flat_map(|len| [(len, false), (len, true)]) {
                let mut input = [0; 131];
                input[..2].copy_from_slice(&[first, if masked { len | MASK } else { len }]);
                let found =
                    ShortMessage::find(&input, masked, len.into()).map(|found| (found.kind, found.end));
                assert_eq!(found, Some((kind, usize::from(len) + if masked { 6 } else { 2 })));
            }
        }
    }

    type Decode = for<'b> fn(&mut Decoder, &'b mut [u8]) -> Result<Decoded<'b>, Error>;

    /// The public ways, each with the general one behind it.
    const WAYS: [(Decode, Decode); 2] = [
        (Decoder::decode, Decoder::decode_any),
        (Decoder::decode_unchecked_text, Decoder::decode_any_unchecked_text),
    ];

    /// Checks that the shortcut gives the same results as the general way, the same bytes, and what follows.
    fn assert_agreement(decoder: &Decoder, input: &[u8]) {
        for (short, general) in WAYS {
            let (mut one, mut other) = (decoder.clone(), decoder.clone());
            let (mut bytes, mut other_bytes) = ([0; 150], [0; 150]);
            bytes[..input.len()].copy_from_slice(input);
            other_bytes[..input.len()].copy_from_slice(input);
            let result = short(&mut one, &mut bytes[..input.len()]);
            let expected = general(&mut other, &mut other_bytes[..input.len()]);
            assert_eq!(result, expected, "{input:x?} by {decoder:?}");
            let rest = result.map_or(0, |decoded| decoded.consumed)..input.len();
            assert_eq!(bytes, other_bytes, "{input:x?} by {decoder:?}");
            let next = short(&mut one, &mut bytes[rest.clone()]);
            assert_eq!(next, general(&mut other, &mut other_bytes[rest]), "after {input:x?} by {decoder:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn the_shortcut_agrees_with_the_general_way_whatever_the_header_says() {
        for (limit, masked) in [(0, true), (30, true), (30, false), (u32::MAX, true), (u32::MAX, false)] {
            let idle = Decoder::new(limit, masked);
            let mut open = idle.clone();
            let mut key = [0x01, if masked { MASK } else { 0 }, 0, 0, 0, 0];
            assert!(open.decode(&mut key[..if masked { 6 } else { 2 }]).is_ok());
            let mut closed = idle.clone();
            closed.end = End::Closed;
            let mut failed = idle.clone();
            failed.end = End::Failed(Error::ReservedBits);
            for decoder in [idle, open, closed, failed] {
                for first in 0..=u8::MAX {
                    for second in
                        [0, 1, 4, 30, 31, 124, 125, 126, 127].map(|len| [len, len | MASK]).as_flattened()
                    {
                        let mut input = [b'x'; 150];
                        input[..6].copy_from_slice(&[first, *second, 0, 0, 0, 0]);
                        assert_agreement(&decoder, &input);
                    }
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn a_short_message_is_found_at_every_length_and_place_once_it_is_complete() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for (len, start) in (0..=125_u8).flat_map(|len| (0..8).map(move |start| (len, start))) {
            let plain: [u8; 125] = core::array::from_fn(|i| b'a' + u8::try_from(i % 26).unwrap());
            let plain = &plain[..usize::from(len)];
            for masked in [false, true] {
                let mut buffer = [0; 8 + 6 + 125 + 1];
                let mask = masked.then_some(key);
                let header = FrameHeader { mask, ..FrameHeader::new(OpCode::Text, plain.len()) };
                let frame_len = header.encode_frame(plain.iter(), &mut buffer[start..]).unwrap();
                let frame = &mut buffer[start..=start + frame_len];
                let decoder = Decoder::new(u32::from(len), masked);
                for cut in 0..frame_len {
                    assert_agreement(&decoder, &frame[..cut]);
                }
                let text = WebSocketMessage::Text(core::str::from_utf8(plain).unwrap());
                let whole = Ok(Decoded { consumed: frame_len, item: Some(Item::Message(text)) });
                assert_eq!(decoder.clone().decode(frame), whole);
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn a_short_text_that_is_not_utf_8_is_refused_wherever_its_bad_byte_stands() {
        for (len, start, kind) in
            (1..=40).flat_map(|len| (0..8).flat_map(move |at| [(len, at, 1), (len, at, 2)]))
        {
            for at in 0..len {
                let mut buffer = [b'x'; 50];
                buffer[start..start + 2].copy_from_slice(&[FIN | kind, u8::try_from(len).unwrap()]);
                buffer[start + 2 + at] = 0xff;
                let mut decoder = Decoder::client(100);
                let result = decoder.decode(&mut buffer[start..]).map(|decoded| decoded.consumed);
                assert_eq!(result, if kind == 2 { Ok(len + 2) } else { Err(Error::InvalidUtf8) });
                let again = decoder.decode(&mut [FIN | 2, 0]).map(|decoded| decoded.consumed);
                assert_eq!(
                    again,
                    if kind == 2 { Ok(2) } else { Err(Error::InvalidUtf8) },
                    "an error is permanent"
                );
            }
        }
    }
}
