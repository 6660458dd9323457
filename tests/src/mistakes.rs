//! A comparison with a model can fail: a plausible error, made in the model on purpose, must be found.

use core::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Checks that `compare` finds a counterexample for each of the `mistakes`, and none without a mistake.
///
/// # Panics
/// When a mistake goes unnoticed.
pub fn assert_noticed<L: Debug, M: Copy + Debug>(
    none: M,
    mistakes: &[M],
    lives: &impl Strategy<Value = L>,
    compare: impl Fn(&L, M) -> Result<(), TestCaseError>,
) {
    assert!(!is_noticed(lives, |life| compare(life, none)), "a counterexample without a mistake");
    for &mistake in mistakes {
        assert!(is_noticed(lives, |life| compare(life, mistake)), "{mistake:?} went unnoticed");
    }
}

/// Whether `compare` finds a counterexample within the usual number of cases, or more if more are asked for.
fn is_noticed<L: Debug>(
    lives: &impl Strategy<Value = L>,
    compare: impl Fn(&L) -> Result<(), TestCaseError>,
) -> bool {
    let usual = Config::default();
    let config =
        Config { cases: usual.cases.max(512), failure_persistence: None, max_shrink_iters: 0, ..usual };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng).run(lives, |life| compare(&life)).is_err()
}
