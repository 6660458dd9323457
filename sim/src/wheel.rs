//! Who wakes up next: a hierarchical timing wheel with one entry for each session.
//!
//! A slot of level 0 is one microsecond wide, and each further level is 64 times as wide. To set, move or remove an entry
//! takes the same time however many there are. Entries of the same microsecond come in the order in which they were set.

use crate::time::{Micros, NEVER};

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 11;
const NOBODY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    when: Micros,
    before: u32,
    after: u32,
    /// `NOBODY` while it is in no slot.
    slot: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    last: u32,
}

#[derive(Debug)]
pub(crate) struct Wheel {
    now: Micros,
    entries: Vec<Entry>,
    slots: Vec<Slot>,
    /// For each level, which slots are not empty.
    taken: [u64; LEVELS],
}

impl Wheel {
    pub(crate) fn new() -> Self {
        let empty = Slot { first: NOBODY, last: NOBODY };
        Self { now: 0, entries: Vec::new(), slots: vec![empty; SLOTS * LEVELS], taken: [0; LEVELS] }
    }

    /// Wakes `who` at `when` and at no other time; [`NEVER`] only removes it.
    pub(crate) fn set(&mut self, who: u32, when: Micros) {
        let index = who as usize;
        if index >= self.entries.len() {
            let nothing = Entry { when: NEVER, before: NOBODY, after: NOBODY, slot: NOBODY };
            self.entries.resize(index + 1, nothing);
        }
        self.unlink(who);
        self.entries[index].when = when;
        if when != NEVER {
            self.link(who, when.max(self.now));
        }
    }

    /// Takes the next one that wakes up, if that is by `until`, and moves the time there.
    pub(crate) fn take(&mut self, until: Micros) -> Option<(u32, Micros)> {
        loop {
            let level = self.taken.iter().position(|taken| *taken != 0)?;
            let index = self.taken[level].trailing_zeros() as usize;
            let shift = BITS * u32::try_from(level).unwrap_or(0);
            // The slot's beginning: the bits of now above this level, and the slot's own.
            let above = (self.now >> shift) >> BITS;
            let begins = ((above << BITS) | index as u64) << shift;
            if level == 0 {
                if begins > until {
                    return None;
                }
                self.now = begins;
                let who = self.slots[index].first;
                self.unlink(who);
                return Some((who, begins));
            }
            if begins > until {
                return None;
            }
            // Its entries move to lower levels, in their order.
            self.now = self.now.max(begins);
            while self.slots[level * SLOTS + index].first != NOBODY {
                let who = self.slots[level * SLOTS + index].first;
                self.unlink(who);
                self.link(who, self.entries[who as usize].when.max(self.now));
            }
        }
    }

    /// Moves the time on, to where nobody wakes up before.
    pub(crate) fn advance(&mut self, now: Micros) {
        // Entries stand where the distance to an earlier time put them. Their slots stay right, because no slot that
        // begins by `now` is left.
        self.now = self.now.max(now);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.slots.capacity() * size_of::<Slot>()
    }

    fn link(&mut self, who: u32, when: Micros) {
        // The highest bit in which the time differs from now.
        let bit = ((when ^ self.now) | 1).ilog2();
        let level = (bit / BITS) as usize;
        #[expect(clippy::cast_possible_truncation, reason = "six bits")]
        let index = ((when >> (BITS * (bit / BITS))) as usize) & (SLOTS - 1);
        let place = level * SLOTS + index;
        let slot = &mut self.slots[place];
        let before = core::mem::replace(&mut slot.last, who);
        if before == NOBODY {
            slot.first = who;
        } else {
            self.entries[before as usize].after = who;
        }
        self.taken[level] |= 1 << index;
        let entry = &mut self.entries[who as usize];
        (entry.before, entry.after) = (before, NOBODY);
        entry.slot = u32::try_from(place).unwrap_or(NOBODY);
    }

    fn unlink(&mut self, who: u32) {
        let Entry { before, after, slot, .. } = self.entries[who as usize];
        if slot == NOBODY {
            return;
        }
        self.entries[who as usize].slot = NOBODY;
        let place = slot as usize;
        match before {
            NOBODY => self.slots[place].first = after,
            before => self.entries[before as usize].after = after,
        }
        match after {
            NOBODY => self.slots[place].last = before,
            after => self.entries[after as usize].before = before,
        }
        if self.slots[place].first == NOBODY {
            self.taken[place / SLOTS] &= !(1 << (place % SLOTS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn entries_wake_up_in_the_order_of_time_and_then_of_setting() {
        let seeds = if cfg!(miri) { 2 } else { 50 };
        for seed in 0..seeds {
            let mut random = Random::new(seed);
            let mut wheel = Wheel::new();
            // The slow and obvious one: a list of (time, order of setting).
            let mut list: Vec<Option<(Micros, u64)>> = vec![None; 40];
            let mut now = 0;
            for order in 0..2_000 {
                let who = random.below(40);
                if random.one_in(3) {
                    let when = match random.below(20) {
                        0 => NEVER,
                        1 => now,
                        _ => now + (random.next() >> (20 + random.below(44))),
                    };
                    wheel.set(u32::try_from(who).unwrap(), when);
                    list[usize::try_from(who).unwrap()] = (when != NEVER).then_some((when, order));
                } else {
                    let until = now + (random.next() >> (20 + random.below(44)));
                    let expected = list
                        .iter()
                        .enumerate()
                        .filter_map(|(who, entry)| entry.map(|(when, order)| (when, order, who)))
                        .min()
                        .filter(|(when, ..)| *when <= until);
                    let taken = wheel.take(until);
                    assert_eq!(taken, expected.map(|(when, _, who)| (u32::try_from(who).unwrap(), when)));
                    if let Some((when, _, who)) = expected {
                        now = when;
                        list[who] = None;
                    } else {
                        now = until;
                        wheel.advance(until);
                    }
                }
            }
        }
    }
}
