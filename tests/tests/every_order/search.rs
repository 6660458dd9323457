//! Breadth-first search through every state that can be reached, remembering how each was reached.

use core::fmt::{self, Write as _};
use core::hash::Hasher as _;
use std::collections::HashSet;
use std::hash::DefaultHasher;

use super::state::{Setting, State, Step, Ticks};

/// What a search came to.
pub(crate) enum Found {
    Nothing(Report),
    /// What went wrong, and the steps that lead to it.
    Violation(String),
}

/// What was seen on the way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    pub(crate) states: usize,
    /// The longest that a death went unnoticed.
    pub(crate) noticed_after: Option<Ticks>,
    /// How many states had a session on its new transport.
    pub(crate) upgraded: usize,
}

/// Visits every state.
pub(crate) fn explore(setting: Setting) -> Found {
    let mut report = Report::default();
    let mut seen = HashSet::new();
    let mut history: Vec<(usize, Option<Step>)> = vec![(0, None)];
    let mut layer = vec![(0, State::new(setting))];
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (index, state) in layer {
            report.states += 1;
            report.noticed_after = report.noticed_after.max(state.noticed_after());
            report.upgraded += usize::from(state.is_upgraded());
            if state.is_over(setting) {
                continue;
            }
            let steps = state.steps(setting);
            if steps.is_empty() {
                return Found::Violation(told(&history, index, None, "a dead end", &state));
            }
            for step in steps {
                match state.after(setting, step) {
                    Ok(after) => {
                        if seen.insert(fingerprint(&after)) {
                            history.push((index, Some(step)));
                            next.push((history.len() - 1, after));
                        }
                    }
                    Err(violation) => {
                        return Found::Violation(told(&history, index, Some(step), &violation, &state));
                    }
                }
            }
        }
        layer = next;
    }
    Found::Nothing(report)
}

/// The violation and every step that leads to it.
fn told(
    history: &[(usize, Option<Step>)],
    mut index: usize,
    last: Option<Step>,
    violation: &str,
    state: &State,
) -> String {
    let mut steps: Vec<Step> = last.into_iter().collect();
    while let (before, Some(step)) = history[index] {
        steps.push(step);
        index = before;
    }
    steps.reverse();
    format!("{violation}, in tick {}, after {steps:?}\nbefore the last step: {state:?}", state.now)
}

/// A hash of everything that decides about a state's future. Among a million states, two share one of 64 bits with a
/// probability of one in thirty million.
///
/// Sessions have no equality, but they tell all they hold to `Debug`. The last sign of life and the round trip are left
/// out: they are told, and nothing depends on them.
fn fingerprint(state: &State) -> u64 {
    let mut text = Hashing { hasher: DefaultHasher::new(), is_field_left_out: false };
    write!(text, "{state:?}").expect("hashing cannot fail");
    text.hasher.finish()
}

/// Hashes text instead of keeping it.
struct Hashing {
    hasher: DefaultHasher,
    is_field_left_out: bool,
}

impl fmt::Write for Hashing {
    /// A derived `Debug` writes names, separators, values and ends one by one.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match text {
            "last_seen" | "rtt_micros" => self.is_field_left_out = true,
            ", " | " }" => self.is_field_left_out = false,
            _ => {}
        }
        if !self.is_field_left_out {
            self.hasher.write(text.as_bytes());
        }
        Ok(())
    }
}
