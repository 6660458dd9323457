//! Where the frames of a WebSocket end, in bytes that are only passed on.

/// The opcode of a close frame (RFC 6455 section 5.5.1).
const CLOSE: u8 = 0x8;

/// The longest header of a frame: two bytes, eight of the length, and four of the mask.
const LONGEST_HEADER: usize = 14;

/// Follows the frames of one direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; LONGEST_HEADER],
    /// How many bytes of the next header have come.
    have: usize,
    /// How many bytes of the current frame have not come.
    missing: u64,
    has_closed: bool,
}

impl Frames {
    /// Follows the next bytes.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.missing > 0 {
                let skipped = usize::try_from(self.missing).unwrap_or(usize::MAX).min(bytes.len());
                self.missing -= skipped as u64;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            if let Some(place) = self.header.get_mut(self.have) {
                *place = first;
            }
            self.have += 1;
            bytes = rest;
            if let Some(payload) = self.payload() {
                self.missing = payload;
                self.has_closed |= self.header[0] & 0x0f == CLOSE;
                self.have = 0;
            }
        }
    }

    /// Returns the length of the payload once the header is complete.
    fn payload(&self) -> Option<u64> {
        let second = *self.header.get(1).filter(|_| self.have >= 2)?;
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if self.have < 2 + extended + mask {
            return None;
        }
        let length = self.header.get(2..2 + extended)?;
        Some(match length {
            [] => u64::from(second & 0x7f),
            bytes => bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        })
    }

    /// Returns whether the last frame is complete, so that another one may follow.
    pub(super) fn is_between(&self) -> bool {
        self.have == 0 && self.missing == 0
    }

    /// Returns whether a whole close frame has come.
    pub(super) fn has_closed(&self) -> bool {
        self.has_closed && self.is_between()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with a payload of this length.
    fn frame(opcode: u8, masked: bool, len: usize) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match len {
            0..126 => frame.push(mask | u8::try_from(len).unwrap()),
            126..0x1_0000 => {
                frame.push(mask | 0x7e);
                frame.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask | 0x7f);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend(vec![0xff; if masked { 4 } else { 0 } + len]);
        frame
    }

    #[test]
    fn a_frame_ends_where_its_header_says_in_pieces_of_any_size() {
        for masked in [false, true] {
            for len in [0, 1, 125, 126, 0xffff, 0x1_0000] {
                let bytes = frame(1, masked, len);
                for piece in [1, 3, 7, 4096, bytes.len()] {
                    let mut frames = Frames::default();
                    let mut came = 0;
                    for piece in bytes.chunks(piece) {
                        frames.follow(piece);
                        came += piece.len();
                        assert_eq!(frames.is_between(), came == bytes.len(), "{masked} {len}");
                    }
                    frames.follow(&frame(8, masked, 2));
                    assert!(frames.is_between() && frames.has_closed());
                }
            }
        }
    }

    #[test]
    fn only_a_whole_close_frame_counts() {
        let mut frames = Frames::default();
        frames.follow(&frame(2, true, 8));
        assert!(frames.is_between() && !frames.has_closed());
        let close = frame(8, true, 2);
        let (last, front) = close.split_last().unwrap();
        frames.follow(front);
        assert!(!frames.has_closed());
        frames.follow(&[*last]);
        assert!(frames.has_closed());
    }

    #[test]
    fn the_longest_length_does_not_overflow() {
        let mut frames = Frames::default();
        frames.follow(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1]);
        assert!(!frames.is_between());
    }
}
