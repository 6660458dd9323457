//! Medians and quartiles of the rounds, and ratios within a round.

/// What a row's rounds say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    /// A quarter of the rounds lies below.
    pub(crate) lower: f64,
    /// A quarter of the rounds lies above.
    pub(crate) upper: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// How many rounds there are.
    pub(crate) count: usize,
}

impl Summary {
    /// Sums up these numbers. Returns `None` without any.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 2)?,
            lower: quantile(&sorted, 1)?,
            upper: quantile(&sorted, 3)?,
            least: *sorted.first()?,
            most: *sorted.last()?,
            count: sorted.len(),
        })
    }

    /// Half the distance between the quartiles, in per cent of the median.
    pub(crate) fn scatter(&self) -> f64 {
        if self.median.abs() < f64::EPSILON {
            return 0.0;
        }
        ((self.upper - self.lower) / 2.0 / self.median * 100.0).abs()
    }

    /// Whether two summaries lie apart: no round of either comes to the median of the other.
    pub(crate) fn is_apart_from(&self, other: &Self) -> bool {
        let holds = |range: &Self, value: f64| (range.least..=range.most).contains(&value);
        !holds(self, other.median) && !holds(other, self.median)
    }
}

/// The value that this many quarters of the sorted values lie below, between two values where it falls between them.
fn quantile(sorted: &[f64], quarters: usize) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? * quarters;
    let (below, rest) = (sorted.get(place / 4)?, place % 4);
    let above = sorted.get(place / 4 + 1).unwrap_or(below);
    let part = [0.0, 0.25, 0.5, 0.75].get(rest)?;
    Some(below + (above - below) * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Summary {
        Summary::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn the_median_of_an_even_number_of_rounds_lies_between_two() {
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]).median.to_bits(), 2.5f64.to_bits());
        assert_eq!(of(&[3.0, 1.0, 100.0]).median.to_bits(), 3.0f64.to_bits());
    }

    #[test]
    fn quartiles_leave_out_what_one_round_does() {
        let summary = of(&[1.0, 2.0, 3.0, 4.0, 500.0]);
        assert_eq!((summary.lower, summary.upper), (2.0, 4.0));
        assert_eq!((summary.least, summary.most, summary.count), (1.0, 500.0, 5));
        assert_eq!(format!("{:.1}", summary.scatter()), "33.3");
    }

    #[test]
    fn one_round_has_no_scatter_and_no_round_has_no_summary() {
        assert_eq!(of(&[7.0]).scatter().to_bits(), 0.0f64.to_bits());
        assert_eq!(Summary::of([]), None);
        assert_eq!(of(&[0.0, 0.0]).scatter().to_bits(), 0.0f64.to_bits());
    }

    #[test]
    fn summaries_are_apart_only_if_neither_reaches_the_others_median() {
        let (low, high) = (of(&[1.0, 2.0, 3.0]), of(&[4.0, 5.0, 6.0]));
        assert!(low.is_apart_from(&high) && high.is_apart_from(&low));
        assert!(!low.is_apart_from(&of(&[2.0, 4.0, 6.0])), "a round of it lies at the other's median");
        assert!(!low.is_apart_from(&low));
    }
}
