//! Which parts run beside one another.
//!
//! Parts that compile run one after the other, and beside them, also one after the other, those that mostly wait: the first
//! have the lowest priority, so that the second get the processor as soon as they want it, and are as punctual as
//! alone. Then come the parts that measure, each alone. The parts of one kind keep the order of the list.

use std::panic::resume_unwind;
use std::thread;

use crate::part::{Load, Part};

/// Runs every part after the one before it. Returns what `run` has returned for each; it is also told which one it is.
pub(crate) fn in_order<T>(parts: &[&Part], run: impl Fn(usize, &Part) -> T) -> Vec<T> {
    (1..).zip(parts).map(|(position, part)| run(position, part)).collect()
}

/// Runs parts beside one another where they may. Returns what `run` has returned, in the order of the list.
pub(crate) fn beside<T: Send>(parts: &[&Part], run: impl Fn(usize, &Part) -> T + Sync) -> Vec<T> {
    let all = |load| {
        let chosen = (1..).zip(parts).filter(move |(_, part)| part.load == load);
        chosen.map(|(position, part)| (position, run(position, part))).collect::<Vec<_>>()
    };
    let is_beside_others = parts.iter().any(|part| part.load == Load::Waits);
    let mut done = thread::scope(|scope| {
        let compiling = scope.spawn(|| {
            if is_beside_others {
                give_way();
            }
            all(Load::Compiles)
        });
        let mut done = all(Load::Waits);
        done.extend(compiling.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done
    });
    done.extend(all(Load::Measures));
    done.sort_unstable_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Gives this thread, and what it starts, the lowest priority. On other systems than Linux, a priority is the whole
/// program's.
fn give_way() {
    #[cfg(target_os = "linux")]
    // Without it, all is the same but less punctual.
    let _ = rustix::process::setpriority_process(None, 19);
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;
    use crate::part::Verb;

    fn parts() -> Vec<&'static Part> {
        Verb::Test.parts()
    }

    #[test]
    fn results_are_in_the_order_of_the_list_however_the_parts_ran() {
        let names: Vec<_> = parts().iter().map(|part| part.name).collect();
        assert_eq!(beside(&parts(), |_, part| part.name), names);
        assert_eq!(in_order(&parts(), |_, part| part.name), names);
        assert_eq!(beside(&parts(), |position, _| position), (1..=names.len()).collect::<Vec<_>>());
    }

    #[test]
    fn what_waits_runs_beside_what_compiles() {
        let meeting = Barrier::new(2);
        let meet = |_, part: &Part| {
            if ["clippy", "page"].contains(&part.name) {
                meeting.wait();
            }
        };
        assert_eq!(beside(&parts(), meet).len(), parts().len());
    }

    #[test]
    fn what_measures_runs_alone_and_last() {
        let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let before = beside(&parts(), |_, part| {
            let before = (begun.fetch_add(1, SeqCst), ended.load(SeqCst));
            thread::yield_now();
            ended.fetch_add(1, SeqCst);
            (part.load == Load::Measures).then_some(before)
        });
        let measures: Vec<_> = before.into_iter().flatten().collect();
        assert!(!measures.is_empty() && measures.len() < parts().len());
        assert!(measures.iter().all(|(begun, ended)| begun == ended), "{measures:?}");
        assert!(measures.iter().map(|(begun, _)| *begun).eq(parts().len() - measures.len()..parts().len()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_compiles_gives_way_to_what_waits_and_to_nothing_else() {
        let priority = |_: usize, part: &Part| {
            let priority = rustix::process::getpriority_process(None).unwrap();
            (part.load, priority)
        };
        let usual = rustix::process::getpriority_process(None).unwrap();
        for (load, priority) in beside(&parts(), priority) {
            assert_eq!(priority, if load == Load::Compiles { 19 } else { usual }, "{load:?}");
        }
        let alone: Vec<_> = parts().into_iter().filter(|part| part.load == Load::Compiles).collect();
        assert!(beside(&alone, priority).iter().all(|(_, priority)| *priority == usual));
    }
}
