//! The codes of the requests that came last, so that none is taken twice.

use std::collections::HashSet;

/// How many codes a generation has at most. A code takes about 16 bytes.
const MAX: usize = 32 * 1024;

/// The codes that were seen within a time, and some of those before.
///
/// There are two generations. A new one begins when its time is over or its room is used up. So memory is bounded: with more
/// than 32,768 requests within the time, the oldest codes are forgotten early, and no request is refused for that.
#[derive(Debug, Default)]
pub(super) struct Seen {
    began: u64,
    new: HashSet<u64>,
    old: HashSet<u64>,
}

impl Seen {
    /// Notes a code, at this time. Both times are in milliseconds. Returns `false` if it was seen within `time` before.
    pub(super) fn note(&mut self, code: u64, now: u64, time: u64) -> bool {
        let age = now.saturating_sub(self.began);
        if age >= time || self.new.len() >= MAX {
            self.old = core::mem::take(&mut self.new);
            self.began = now;
            if age >= time.saturating_mul(2) {
                self.old = HashSet::new();
            }
        }
        !self.old.contains(&code) && self.new.insert(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_new_once_within_the_time() {
        let mut seen = Seen::default();
        assert!(seen.note(7, 1_000, 100));
        for now in [1_000, 1_050, 1_099, 1_100] {
            assert!(!seen.note(7, now, 100), "{now}");
        }
        assert!(seen.note(8, 1_199, 100));
        assert!(!seen.note(8, 1_200, 100));
        assert!(seen.note(7, 5_000, 100));
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut seen = Seen::default();
        assert!((0..200_000).all(|code| seen.note(code, 1_000, 100)));
        assert!(seen.new.len() <= MAX && seen.old.len() <= MAX);
        assert!(!seen.note(199_999, 1_001, 100));
    }
}
