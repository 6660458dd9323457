//! Summaries of many observations.

/// Observations in nanoseconds, or in any other unit.
#[derive(Debug, Default)]
pub struct Observations {
    values: Vec<i64>,
}

impl Observations {
    /// Adds an observation.
    pub fn add(&mut self, value: i64) {
        self.values.push(value);
    }

    /// Sorts them, for reading.
    #[must_use]
    pub fn sorted(mut self) -> Sorted {
        self.values.sort_unstable();
        Sorted { values: self.values }
    }
}

/// Sorted observations.
#[derive(Debug)]
pub struct Sorted {
    values: Vec<i64>,
}

impl Sorted {
    /// Returns the smallest value that at least `per_mille` of a thousand observations do not exceed (the *nearest
    /// rank*), or 0 if there are none.
    ///
    /// 0 asks for the smallest observation, 500 for the median, and 1000 for the largest.
    #[must_use]
    pub fn at(&self, per_mille: usize) -> i64 {
        let rank = (self.values.len() * per_mille).div_ceil(1_000).max(1);
        self.values.get(rank - 1).or(self.values.last()).copied().unwrap_or(0)
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(values: impl IntoIterator<Item = i64>) -> Sorted {
        let mut observations = Observations::default();
        values.into_iter().for_each(|value| observations.add(value));
        observations.sorted()
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let thousand = sorted((1..=1_000).rev());
        assert_eq!(thousand.at(0), 1);
        assert_eq!(thousand.at(500), 500);
        assert_eq!(thousand.at(990), 990);
        assert_eq!(thousand.at(999), 999);
        assert_eq!(thousand.at(1_000), 1_000);
    }

    #[test]
    fn a_high_percentile_of_few_observations_is_the_largest() {
        let five = sorted([50, 10, 40, 20, 30]);
        assert_eq!(five.at(500), 30);
        assert_eq!(five.at(990), 50);
        assert_eq!(five.at(999), 50);
    }

    #[test]
    fn without_observations_every_percentile_is_zero() {
        assert_eq!(sorted([]).at(999), 0);
    }
}
