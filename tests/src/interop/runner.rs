//! Runs cases beside one another, as the standard test runner would, and prints the logs of those that fail.

use core::pin::Pin;
use core::time::Duration;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use super::Log;

/// What a case does.
type Run = Box<dyn FnOnce(Log) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// One thing that must hold. It does not when its future panics.
pub struct Case {
    name: String,
    run: Run,
    ignored: Option<&'static str>,
    limit: Duration,
    turn: Option<Arc<Mutex<()>>>,
}

impl Case {
    /// `name` is a sentence.
    pub fn new<F, R>(name: impl Into<String>, run: F) -> Self
    where
        F: FnOnce(Log) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self {
            name: name.into(),
            run: Box::new(move |log| Box::pin(run(log))),
            ignored: None,
            limit: LIMIT,
            turn: None,
        }
    }

    /// Lists the case with the reason why it is not run.
    #[must_use]
    pub fn ignored(self, reason: &'static str) -> Self {
        Self { ignored: Some(reason), ..self }
    }

    /// Returns this case, which may take this long, and not only 90 s.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Returns this case, which waits for its turn: of those that share it, one runs at a time. The wait is no part of
    /// the time that it may take.
    #[must_use]
    pub fn in_turn(self, turn: &Arc<Mutex<()>>) -> Self {
        Self { turn: Some(Arc::clone(turn)), ..self }
    }
}

impl core::fmt::Debug for Case {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A case that takes longer hangs, unless it says otherwise.
const LIMIT: Duration = Duration::from_secs(90);

tokio::task_local! {
    /// The log of the case that a task works for. The message of a panic goes there.
    static LOG: Log;
}

/// Runs the cases that the command line asks for, at most `at_once` of them at a time, unless it says otherwise.
///
/// # Panics
/// Panics if no runtime can be made.
#[must_use]
pub fn run(cases: Vec<Case>, at_once: usize) -> ExitCode {
    run_in_turn([(cases, at_once)])
}

/// Does the same for one list of cases after the other.
///
/// # Panics
/// Panics if no runtime can be made.
#[must_use]
pub fn run_in_turn(lists: impl IntoIterator<Item = (Vec<Case>, usize)>) -> ExitCode {
    let stray_panics = send_panics_to_logs();
    let runtime = Arc::new(Runtime::new().expect("a runtime can be made"));
    let mut exit_code = ExitCode::SUCCESS;
    for (cases, at_once) in lists {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(at_once);
        let tests = cases.into_iter().map(|case| {
            let runtime = Arc::clone(&runtime);
            let ignored = case.ignored;
            let trial = Trial::test(case.name.clone(), move || runtime.block_on(hold(case)));
            match ignored {
                None => trial,
                Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
            }
        });
        let conclusion = libtest_mimic::run(&arguments, tests.collect());
        if conclusion.has_failed() {
            exit_code = conclusion.exit_code();
        }
    }
    match stray_panics.load(Ordering::SeqCst) {
        0 => exit_code,
        count => {
            println!("{count} panics outside of the cases, printed where they happened");
            ExitCode::FAILURE
        }
    }
}

/// Runs a case in a task of its own. Its log is the failure.
async fn hold(case: Case) -> Result<(), Failed> {
    let Case { run, limit, turn, .. } = case;
    let _turn = match &turn {
        Some(turn) => Some(turn.lock().await),
        None => None,
    };
    let log = Log::start();
    let mut task = tokio::spawn(LOG.scope(log.clone(), run(log.clone())));
    match tokio::time::timeout(limit, &mut task).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(_)) => {}
        Err(_) => {
            task.abort();
            log.line("runner", &format!("stopped after {limit:?}"));
        }
    }
    Err(log.text().into())
}

/// Writes the panics of cases to their logs. Returns the count of the others: of a server's tasks, for example.
fn send_panics_to_logs() -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let stray_panics = Arc::clone(&count);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if LOG.try_with(|log| log.line("test", &panic.to_string())).is_err() {
            stray_panics.fetch_add(1, Ordering::SeqCst);
            usual(panic);
        }
    }));
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_its_turn_is_no_part_of_the_time_that_a_case_may_take() {
        let turn = Arc::default();
        let long = || Case::new("long", |_| tokio::time::sleep(LIMIT * 2 / 3)).in_turn(&turn);
        let (first, second) = tokio::join!(hold(long()), hold(long()));
        assert!(first.is_ok() && second.is_ok());
        let endless = Case::new("endless", |_| core::future::pending()).in_turn(&turn);
        assert!(hold(endless).await.is_err());
    }
}
