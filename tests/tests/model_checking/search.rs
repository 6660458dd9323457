//! Breadth-first search through every state of a world, remembering how each was reached.

use core::fmt::{self, Write as _};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};

use crate::world::{Setting, Step, Ticks, World};

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
    let mut layer = vec![(0, World::new(setting))];
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (index, world) in layer {
            report.states += 1;
            report.noticed_after = report.noticed_after.max(world.noticed_after());
            report.upgraded += usize::from(world.is_upgraded());
            if world.is_over(setting) {
                continue;
            }
            let steps = world.steps(setting);
            if steps.is_empty() {
                return Found::Violation(told(&history, index, None, "a dead end", &world));
            }
            for step in steps {
                match world.after(setting, step) {
                    Ok(after) => {
                        if seen.insert(fingerprint(&after)) {
                            history.push((index, Some(step)));
                            next.push((history.len() - 1, after));
                        }
                    }
                    Err(violation) => {
                        return Found::Violation(told(&history, index, Some(step), &violation, &world));
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
    world: &World,
) -> String {
    let mut steps: Vec<Step> = last.into_iter().collect();
    while let (before, Some(step)) = history[index] {
        steps.push(step);
        index = before;
    }
    steps.reverse();
    format!("{violation}, in tick {}, after {steps:?}\nbefore the last step: {world:?}", world.now)
}

/// Two hashes of everything there is to know about a world: 128 bits make a false match unlikely enough.
fn fingerprint(world: &World) -> (u64, u64) {
    struct Into2(DefaultHasher, DefaultHasher);
    impl fmt::Write for Into2 {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            self.1.write(text.as_bytes());
            Ok(())
        }
    }
    let mut hashers = Into2(DefaultHasher::new(), DefaultHasher::new());
    hashers.1.write_u8(1);
    write!(hashers, "{world:?}").expect("hashing cannot fail");
    (hashers.0.finish(), hashers.1.finish())
}
