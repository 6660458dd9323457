//! Runs the tasks of a plan one after the other and keeps what they yield.

use std::collections::BTreeMap;

use crate::bench::plan::{Plan, Task};
use crate::bench::progress::Progress;
use crate::bench::results::{Results, Sample};
use crate::bench::row::Row;
use crate::bench::server::Server;

/// How a measure ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Measured(BTreeMap<String, f64>),
    /// The program says that it cannot take part, and why.
    Cannot(String),
    /// It should have run, and did not.
    Failed(String),
}

/// What measures. Tests have another one than people.
pub(crate) trait Lab {
    /// Measures one server, with this many messages a second where the row says at which rate.
    fn measure(&mut self, task: &Task, rate: Option<f64>) -> Outcome;
}

/// A server that fails this often in a row of the table is not tried again.
const TRIES: usize = 2;

/// Runs the whole plan.
pub(crate) fn run(
    plan: &Plan,
    mut results: Results,
    unavailable: &[(Server, String)],
    lab: &mut dyn Lab,
    progress: &mut Progress,
) -> Results {
    note_absent(plan, &mut results, unavailable);
    let tasks = plan.tasks(results.machine.cores);
    for (place, task) in tasks.iter().enumerate() {
        progress.show(&tasks, place);
        if is_given_up(&results, task) {
            continue;
        }
        let outcome = match half_load(&results, task) {
            Ok(rate) => lab.measure(task, rate),
            Err(reason) => Outcome::Failed(reason),
        };
        let cell = results.cell_mut(task.row.name, task.server);
        match outcome {
            Outcome::Measured(numbers) => cell.samples.push(Sample { round: task.round, numbers }),
            Outcome::Cannot(reason) => cell.not_run = Some(reason),
            Outcome::Failed(reason) => cell.failures.push(reason),
        }
        progress.done(task);
    }
    progress.end();
    results
}

/// Writes down who does not take part before anything runs.
fn note_absent(plan: &Plan, results: &mut Results, unavailable: &[(Server, String)]) {
    let cores = results.machine.cores;
    for row in &plan.rows {
        for server in Server::ALL {
            let missing = unavailable.iter().find(|(missing, _)| *missing == server);
            let reason = row.absence(server).map(str::to_owned).or_else(|| too_few_cores(row, cores));
            if let Some(reason) = reason.or_else(|| Some(missing?.1.clone())) {
                results.cell_mut(row.name, server).not_run = Some(reason);
            }
        }
    }
}

fn too_few_cores(row: &Row, cores: usize) -> Option<String> {
    (row.cores > cores).then(|| format!("it needs {} cores, and this machine has {cores}", row.cores))
}

fn is_given_up(results: &Results, task: &Task) -> bool {
    results
        .cell(task.row.name, task.server)
        .is_some_and(|cell| cell.not_run.is_some() || cell.failures.len() >= TRIES)
}

/// Half of the rate that the same server has reached in the same round, for a row that wants it.
fn half_load(results: &Results, task: &Task) -> Result<Option<f64>, String> {
    let Some(row) = task.row.half_of else { return Ok(None) };
    match results.number(row, task.server, task.round, "per_second") {
        Some(rate) => Ok(Some(rate / 2.0)),
        None => Err(format!("its load is half of {row}, which has yielded no rate in this round")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::Mode;
    use crate::bench::results::tests::machine;

    type Answer = dyn Fn(&Task, Option<f64>) -> Outcome;

    struct Fake<'a> {
        answer: &'a Answer,
        asked: Vec<(usize, &'static str, Server)>,
    }

    impl Lab for Fake<'_> {
        fn measure(&mut self, task: &Task, rate: Option<f64>) -> Outcome {
            self.asked.push((task.round, task.row.name, task.server));
            (self.answer)(task, rate)
        }
    }

    fn measured(key: &str, value: f64) -> Outcome {
        Outcome::Measured(BTreeMap::from([(key.to_owned(), value)]))
    }

    fn played(
        rows: &[&str],
        unavailable: &[(Server, String)],
        answer: &Answer,
    ) -> (Results, Vec<(usize, &'static str, Server)>) {
        let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        let plan = Plan::new(Mode::Full, &rows, Some(3));
        let mut lab = Fake { answer, asked: Vec::new() };
        let results = Results::new(machine(), plan.rounds, false);
        let results = run(&plan, results, unavailable, &mut lab, &mut Progress::silent());
        (results, lab.asked)
    }

    #[test]
    fn every_round_leaves_a_sample_for_every_server() {
        let (results, asked) = played(&["echo-1k"], &[], &|task, _| {
            measured("per_second", f64::from(u32::try_from(task.round).unwrap()))
        });
        assert_eq!(asked.len(), 3 * 3 + 2, "Bun and Node take part in the first of three rounds");
        for server in [Server::Ours, Server::Bare, Server::Engineioxide] {
            let summary = results.summary("echo-1k", server, "per_second").unwrap();
            assert_eq!((summary.least, summary.median, summary.most), (0.0, 1.0, 2.0));
        }
        assert!(results.failures().is_empty());
    }

    #[test]
    fn the_load_of_a_latency_is_half_of_the_rate_of_the_same_round() {
        let (results, _) = played(&["latency"], &[], &|task, rate| match rate {
            Some(rate) => measured("p50_us", rate),
            None => measured("per_second", if task.round == 0 { 100.0 } else { 300.0 }),
        });
        let summary = results.summary("latency", Server::Ours, "p50_us").unwrap();
        assert_eq!((summary.least, summary.most), (50.0, 150.0));
    }

    #[test]
    fn who_cannot_take_part_is_asked_once() {
        let (results, asked) = played(&["tls"], &[], &|task, _| match task.server {
            Server::Bare => Outcome::Cannot("no TLS".to_owned()),
            _ => measured("per_second", 1.0),
        });
        assert_eq!(asked.iter().filter(|(_, _, server)| *server == Server::Bare).count(), 1);
        assert_eq!(results.cell("tls", Server::Bare).unwrap().not_run.as_deref(), Some("no TLS"));
        assert!(results.failures().is_empty(), "it is not a failure");
    }

    #[test]
    fn a_failure_is_kept_and_the_others_still_run() {
        let (results, asked) = played(&["echo-1k"], &[], &|task, _| match task.server {
            Server::Bare => Outcome::Failed("it crashed".to_owned()),
            _ => measured("per_second", 1.0),
        });
        assert_eq!(results.failures(), ["echo-1k, bare loop: it crashed", "echo-1k, bare loop: it crashed"]);
        assert_eq!(asked.iter().filter(|(_, _, server)| *server == Server::Bare).count(), TRIES);
        assert_eq!(results.cell("echo-1k", Server::Engineioxide).unwrap().samples.len(), 3);
    }

    #[test]
    fn a_server_that_could_not_be_installed_is_not_asked() {
        let unavailable = [(Server::Bun, "npm is missing".to_owned())];
        let (results, asked) = played(&["echo-1k"], &unavailable, &|_, _| measured("per_second", 1.0));
        assert!(asked.iter().all(|(_, _, server)| *server != Server::Bun));
        let cell = results.cell("echo-1k", Server::Bun).unwrap();
        assert_eq!(cell.not_run.as_deref(), Some("npm is missing"));
    }

    #[test]
    fn a_row_for_more_cores_than_there_are_says_so() {
        let (results, asked) = played(&["workers-2-rate"], &[], &|_, _| measured("per_second", 1.0));
        assert!(asked.is_empty());
        let cell = results.cell("workers-2-rate", Server::Ours).unwrap();
        assert_eq!(cell.not_run.as_deref(), Some("it needs 4 cores, and this machine has 2"));
    }
}
