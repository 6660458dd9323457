//! A share of a part's work, so that several machines, or several nights, can do the whole.

use core::fmt;
use core::str::FromStr;

/// The `index`-th of `count` shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 1 to `count`.
    index: usize,
    count: usize,
}

impl Shard {
    /// All of the work.
    pub(crate) const WHOLE: Self = Self { index: 1, count: 1 };

    /// Which of these pieces of work belong to it: neighbours, whose sizes add up to about the same in each shard. Each
    /// piece belongs to exactly one shard of a count.
    pub(crate) fn chooses(self, sizes: &[usize]) -> Vec<bool> {
        let whole: usize = sizes.iter().sum();
        let mut before = 0;
        let mut chooses = |size: &usize| {
            // The shard in which the middle of the piece lies.
            let middle = 2 * before + size;
            before += size;
            let shard = (middle * self.count / (2 * whole).max(1)).min(self.count - 1);
            shard + 1 == self.index
        };
        sizes.iter().map(&mut chooses).collect()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected k/n, with k from 1 to n and n up to 1000";
        let (index, count) = text.split_once('/').ok_or(EXPECTED)?;
        let (Ok(index), Ok(count)) = (index.parse(), count.parse()) else { return Err(EXPECTED) };
        if (1..=count).contains(&index) && count <= 1000 { Ok(Self { index, count }) } else { Err(EXPECTED) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_belongs_to_exactly_one_shard() {
        let sizes = [5, 1, 0, 40, 7, 7, 7, 3];
        for count in 1..12 {
            let mut owners = [0; 8];
            for index in 1..=count {
                for (owner, chosen) in owners.iter_mut().zip(Shard { index, count }.chooses(&sizes)) {
                    *owner += usize::from(chosen);
                }
            }
            assert_eq!(owners, [1; 8], "{count}");
        }
        assert_eq!(Shard::WHOLE.chooses(&[0, 0]), [true, true]);
    }

    #[test]
    fn shards_are_about_equal() {
        let sizes = [10; 100];
        for index in 1..=8 {
            let chosen =
                Shard { index, count: 8 }.chooses(&sizes).into_iter().filter(|chosen| *chosen).count();
            assert!((12..=13).contains(&chosen), "{index}: {chosen}");
        }
    }

    #[test]
    fn a_shard_is_written_as_two_numbers_that_make_sense() {
        assert_eq!("2/8".parse(), Ok(Shard { index: 2, count: 8 }));
        assert_eq!("2/8".parse::<Shard>().map(|shard| shard.to_string()), Ok("2/8".to_owned()));
        for text in ["", "2", "0/8", "9/8", "1/0", "a/8", "1/8/2", "1/1001"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
