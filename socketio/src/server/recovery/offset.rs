//! Offsets: the places of packets in the history of a namespace, as clients see them.

use core::hash::BuildHasher;
use core::sync::atomic::Ordering;
use std::hash::RandomState;
use std::sync::Arc;

use crate::sync::AtomicU64;

/// Numbers the packets of a namespace, and reads the numbers that clients hand back. Clones are handles of the same
/// numbering.
///
/// Stock clients take the last argument of any event for an offset if it is a text, also where another client has written
/// that text. So each offset carries a few characters that only its server can compute: no other text is taken for one,
/// and nobody can name an offset that was not sent yet.
#[derive(Clone, Default)]
pub(crate) struct Offsets(Arc<Numbering>);

#[derive(Default)]
struct Numbering {
    last: AtomicU64,
    key: RandomState,
}

/// The offset of one packet, which no other packet of the namespace has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    number: u64,
    text: String,
}

impl Offset {
    /// Returns the text that goes to the clients as the last argument.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the number, which is never 0.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// The digits, of which each is worth six bits.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
/// How many digits a proof has.
const PROOF: usize = 4;
/// How many digits the largest number has.
const MAX_DIGITS: usize = 11;

impl Offsets {
    /// Returns the offset of the next packet. It needs no lock: packets may enter the history in another order.
    pub(crate) fn next(&self) -> Offset {
        let number = self.0.last.fetch_add(1, Ordering::Relaxed) + 1;
        Offset { number, text: self.text(number) }
    }

    /// Returns the number of an offset that a client hands back, unless it is none of ours.
    pub(super) fn parse(&self, text: &str) -> Option<u64> {
        if text.len() > PROOF + MAX_DIGITS {
            return None;
        }
        let digits = text.as_bytes().get(PROOF..)?;
        let number = digits.iter().try_fold(0_u64, |number, byte| {
            let digit = DIGITS.iter().position(|digit| digit == byte)?;
            number.checked_mul(64)?.checked_add(digit as u64)
        })?;
        (number > 0 && self.text(number) == text).then_some(number)
    }

    fn text(&self, number: u64) -> String {
        let proof = self.0.key.hash_one(number);
        let length = (number.checked_ilog2().map_or(0, |bits| bits as usize + 1)).div_ceil(6);
        let digits =
            |value: u64, length: usize| (0..length).rev().map(move |place| digit(value >> (6 * place)));
        digits(proof, PROOF).chain(digits(number, length)).collect()
    }
}

/// Returns the digit of the lowest six bits.
fn digit(value: u64) -> char {
    char::from(DIGITS[(value & 63) as usize])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_offset_is_short_unlike_any_other_and_read_back() {
        let offsets = Offsets::default();
        let all: Vec<_> = (0..5000).map(|_| offsets.clone().next()).collect();
        assert_eq!(all.iter().map(Offset::as_str).collect::<HashSet<_>>().len(), all.len());
        assert!(all.iter().all(|offset| offsets.parse(offset.as_str()) == Some(offset.number())));
        assert!(all.iter().all(|offset| offset.as_str().len() <= 7));
        offsets.0.last.store(u64::MAX - 1, Ordering::Relaxed);
        let largest = offsets.next();
        assert_eq!((largest.number(), largest.as_str().len()), (u64::MAX, PROOF + MAX_DIGITS));
        assert_eq!(offsets.parse(largest.as_str()), Some(u64::MAX));
    }

    #[test]
    fn a_text_that_the_server_has_not_made_is_no_offset() {
        let (offsets, other) = (Offsets::default(), Offsets::default());
        let ours: Vec<_> = (0..500).map(|_| offsets.next().text).collect();
        // Of the same numbers elsewhere, one in 16 million has the same proof.
        let alike = ours.iter().filter(|text| other.parse(text).is_some()).count();
        assert!(alike < 2, "{alike}");
        for text in
            ["", "0000", "00000", "hello", "a chat message", "äöü", "____________________", "----___________"]
        {
            assert_eq!(offsets.parse(text), None, "{text}");
        }
        let known = &ours[0];
        for changed in [
            format!("{known} "),
            format!(" {known}"),
            known.replacen(&known[4..], "0", 1) + "1",
            known[..4].into(),
        ] {
            assert_eq!(offsets.parse(&changed), None, "{changed}");
        }
    }
}
