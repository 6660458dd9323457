//! What inputs have reached in the code under test. The test `replay` fails if nothing reaches what a target names, because
//! then its inputs have become useless.

use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    /// A target plays on one thread.
    static REACHED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that an input has reached this.
pub(crate) fn note(milestone: &'static str) {
    REACHED.with_borrow_mut(|reached| reached.insert(milestone));
}

/// Returns what this thread has reached since the last call.
#[must_use]
pub fn take_reached() -> BTreeSet<&'static str> {
    REACHED.take()
}
