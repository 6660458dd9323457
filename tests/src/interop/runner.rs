//! Runs cases beside one another, and prints what the standard test runner would, with the logs of those that failed.

use core::pin::Pin;
use core::time::Duration;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Log;
use crate::command_line::filters;

/// What a case does.
type Run = Box<dyn FnOnce(Log) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// One thing that must hold. It does not when its future panics.
pub struct Case {
    name: String,
    run: Run,
}

impl Case {
    /// `name` is a sentence.
    pub fn new<F, R>(name: impl Into<String>, run: F) -> Self
    where
        F: FnOnce(Log) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self { name: name.into(), run: Box::new(move |log| Box::pin(run(log))) }
    }
}

impl core::fmt::Debug for Case {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A case that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(90);

tokio::task_local! {
    /// The log of the case that a task works for, so that a panic is told there.
    static LOG: Log;
}

/// Runs the cases that the command line asks for, at most `at_once` of them at a time.
///
/// # Panics
/// When no runtime can be made.
#[must_use]
pub fn run(cases: Vec<Case>, at_once: usize) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filters = filters(&arguments);
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let all = cases.len();
    let cases: Vec<Case> = cases.into_iter().filter(|case| wanted(&case.name)).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for case in &cases {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    tell_panics_to_logs();
    let filtered = all - cases.len();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(run_all(cases, at_once, filtered))
}

async fn run_all(cases: Vec<Case>, at_once: usize, filtered: usize) -> ExitCode {
    let start = Instant::now();
    println!("\nrunning {} tests", cases.len());
    let turn = Arc::new(Semaphore::new(at_once));
    let running: Vec<_> = cases
        .into_iter()
        .map(|case| {
            let turn = Arc::clone(&turn);
            tokio::spawn(async move {
                let _turn = turn.acquire_owned().await;
                run_one(case).await
            })
        })
        .collect();
    let mut passed = 0;
    let mut failures = Vec::new();
    for case in running {
        match case.await.expect("a case's panic is caught where it runs") {
            None => passed += 1,
            Some(failure) => failures.push(failure),
        }
    }
    for (name, log) in &failures {
        println!("\n---- {name} ----\n{}", log.text());
    }
    let stray_panics = STRAY_PANICS.load(Ordering::SeqCst);
    if stray_panics > 0 {
        println!("\n{stray_panics} panics outside of the cases, printed where they happened");
    }
    let holds = failures.is_empty() && stray_panics == 0;
    let verdict = if holds { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; 0 ignored; 0 measured; {filtered} filtered out; \
         finished in {:.2}s\n",
        failures.len(),
        start.elapsed().as_secs_f64()
    );
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The name and the log of the case, if it failed.
async fn run_one(case: Case) -> Option<(String, Log)> {
    let log = Log::start();
    let start = Instant::now();
    let run = LOG.scope(log.clone(), (case.run)(log.clone()));
    let mut task = tokio::spawn(run);
    let outcome = tokio::time::timeout(LIMIT, &mut task).await;
    let took = start.elapsed().as_secs_f64();
    let passed = match outcome {
        Ok(Ok(())) => true,
        Ok(Err(_)) => false,
        Err(_) => {
            log.line("runner", &format!("stopped after {LIMIT:?}"));
            task.abort();
            false
        }
    };
    println!("test {} ... {} ({took:.1} s)", case.name, if passed { "ok" } else { "FAILED" });
    (!passed).then_some((case.name, log))
}

/// Panics of tasks that are no case's own: of a server, say.
static STRAY_PANICS: AtomicUsize = AtomicUsize::new(0);

fn tell_panics_to_logs() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if LOG.try_with(|log| log.line("test", &panic.to_string())).is_err() {
            STRAY_PANICS.fetch_add(1, Ordering::SeqCst);
            usual(panic);
        }
    }));
}
