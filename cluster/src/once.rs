//! A message to several topics comes once for each of them: this takes it once.

use std::collections::{HashMap, VecDeque};

/// How many publishers are remembered. Beyond them, the one that came first is forgotten.
const PUBLISHERS: usize = 2_048;
/// How many 64s of a publisher's numbers are remembered, up to the highest: 65,536 numbers, in 8 KiB. Older ones count as
/// taken. On one connection, the copies of a message come one behind the other. Over the masters of a Redis Cluster, one can
/// come later than what was published after it; a master that is silent for 5 s is lost, and 13,000 messages a second fit
/// into that time.
const WORDS: usize = 1_024;

/// The messages that were taken of each publisher, within a bound of memory.
#[derive(Default)]
pub(crate) struct Taken {
    publishers: HashMap<u64, Window>,
    order: VecDeque<u64>,
}

/// The numbers of one publisher.
struct Window {
    /// The highest number divided by 64.
    newest: u64,
    /// A bit for each number, by 64s, the newest at `newest % WORDS`.
    words: Box<[u64]>,
}

impl Taken {
    /// Returns whether a message comes for the first time.
    pub(crate) fn take(&mut self, incarnation: u64, number: u64) -> bool {
        if !self.publishers.contains_key(&incarnation) {
            if self.order.len() >= PUBLISHERS
                && let Some(first) = self.order.pop_front()
            {
                self.publishers.remove(&first);
            }
            self.order.push_back(incarnation);
        }
        let new = || Window { newest: number / 64, words: vec![0; WORDS].into() };
        self.publishers.entry(incarnation).or_insert_with(new).take(number)
    }
}

impl Window {
    fn take(&mut self, number: u64) -> bool {
        let word = number / 64;
        if word > self.newest {
            let passed = (word - self.newest).min(WORDS as u64);
            for step in 1..=passed {
                self.words[Self::slot(word - passed + step)] = 0;
            }
            self.newest = word;
        } else if self.newest - word >= WORDS as u64 {
            return false;
        }
        let bits = &mut self.words[Self::slot(word)];
        let bit = 1 << (number % 64);
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }

    fn slot(word: u64) -> usize {
        // Below WORDS.
        usize::try_from(word % WORDS as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_number_is_taken_once_in_any_order_within_the_window() {
        let mut taken = Taken::default();
        let mut model = HashSet::new();
        // Jumps back and forth by up to 900, ahead on the whole.
        let mut number: u64 = 5_000;
        for step in 0..20_000_u64 {
            number = number + step * step % 41 - step * 7 % 19;
            let number = number - step * 31 % 900;
            assert_eq!(taken.take(1, number), model.insert(number), "{number}");
        }
        assert!(taken.take(2, number), "another publisher has numbers of its own");
    }

    #[test]
    fn a_number_far_behind_counts_as_taken_and_a_jump_forgets_the_rest() {
        let mut taken = Taken::default();
        assert!(taken.take(1, 100) && taken.take(1, u64::MAX));
        assert!(!taken.take(1, 100) && !taken.take(1, u64::MAX));
        assert!(taken.take(1, u64::MAX - 1) && taken.take(1, u64::MAX - 64 * (WORDS as u64 - 1)));
        assert!(!taken.take(1, u64::MAX - 64 * WORDS as u64), "it is older than the window");
    }

    #[test]
    fn publishers_have_a_bound() {
        let mut taken = Taken::default();
        for incarnation in 0..10 * PUBLISHERS as u64 {
            assert!(taken.take(incarnation, 7) && !taken.take(incarnation, 7));
        }
        assert_eq!((taken.publishers.len(), taken.order.len()), (PUBLISHERS, PUBLISHERS));
    }
}
