//! `cargo xtask bench`: our server beside a bare loop and other people's servers, on one machine in one go.
//!
//! [`rows`] lists what is measured, and [`plan`] in which order. [`session`] runs the plan with real [`process`]es and
//! keeps the numbers as [`results`]. [`mod@line`] works out what each line of the table says, [`verdict`] whether a goal is
//! reached. [`terminal`], [`markdown`], [`glance`] and [`plot`] decide how it looks, and [`compare`] finds what has changed.

mod compare;
mod glance;
mod line;
mod machine;
mod markdown;
mod nodes;
mod number;
mod plan;
mod plot;
mod process;
mod programs;
mod progress;
mod results;
mod row;
pub(crate) mod rows;
mod server;
mod session;
mod statistics;
mod terminal;
mod verdict;
mod versions;

pub(crate) use programs::build_socketioxide;

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::machine::{Cores, Machine};
use crate::bench::plan::{Mode, Plan};
use crate::bench::process::Machinery;
use crate::bench::programs::Kit;
use crate::bench::progress::Progress;
use crate::bench::results::Results;
use crate::bench::row::With;
use crate::bench::server::Server;
use crate::cli::Bench;
use crate::job::{Job, Stop, failed};
use crate::need::Need;
use crate::part::{NATS, NODE, NPM, REDIS, TASKSET};
use crate::runner;
use crate::stopwatch::{Spoken, Stopwatch};
use crate::workspace::Workspace;

/// Where the results of machines are committed.
const COMMITTED: &str = "benches/results";

/// Where to read what building and installing printed.
const SET_UP_LOG: &str = "xtask/bench.log in cargo's target folder";

/// How long building and installing may take.
const SET_UP_LIMIT: Duration = Duration::from_hours(1);

/// Measures, prints, and writes the files. Returns whether everything ran that should have.
pub(crate) fn run(workspace: &Workspace, order: &Bench) -> Result<bool, String> {
    let machine = Machine::detect()?;
    Cores::for_workers(1)?;
    let mode = if order.quick { Mode::Quick } else { Mode::Full };
    let plan = Plan::new(mode, &order.only, order.rounds);
    println!("Building and installing what takes part; the first time takes some minutes.");
    let (kit, missing, versions) = prepare(workspace, &plan, machine.cores)?;
    for (server, reason) in &missing {
        println!("Without {}: {reason}. {SET_UP_LOG} says more.", server.column());
    }
    println!("Measuring on {}", machine.sentence());
    let watch = Stopwatch::start();
    let mut results = Results::new(machine, plan.rounds, order.quick);
    results.versions = versions;
    let mut lab = Machinery { kit: &kit };
    let results = session::run(&plan, results, &missing, &mut lab, &mut Progress::new());
    let took = watch.elapsed();
    println!("\n{}", terminal::render(&results));
    println!("{}", compared(workspace, &results));
    let folder = folder(workspace, order, &plan);
    println!("Written to {}: {}", folder.display(), write(&folder, &results)?.join(", "));
    println!("Measured in {}", Spoken(took));
    let failures = results.failures();
    for failure in &failures {
        println!("FAILED: {failure}");
    }
    for (server, reason) in &missing {
        println!("FAILED: {}: {reason}", server.column());
    }
    Ok(failures.is_empty() && missing.is_empty())
}

/// Runs every row of ours once, with few connections and for a moment, in the profile of the tests: the part `bench`.
pub(crate) fn smoke(job: &mut Job<'_>) -> Result<(), Stop> {
    let not_run = |reason: String| Stop::NotRun(reason);
    let machine = Machine::detect().map_err(not_run)?;
    Cores::for_workers(1).map_err(not_run)?;
    let kit = Kit::quickly_built(job)?;
    programs::check_peers(job)?;
    let plan = Plan::new(Mode::Smoke, &[], None);
    let results = Results::new(machine, plan.rounds, true);
    let mut lab = Machinery { kit: &kit };
    let results = session::run(&plan, results, &[], &mut lab, &mut Progress::silent());
    let faults = faults(&results);
    if let Some(first) = faults.first() {
        let sentence = format!("{first} ({} in all)", faults.len());
        for fault in faults {
            job.note(fault);
        }
        return failed(sentence);
    }
    let rendered = [terminal::render(&results), markdown::render(&results), plot::render(&results)];
    job.note(format!("{} rows, {} characters of results", plan.rows.len(), rendered.concat().len()));
    match Results::from_json(&results.to_json()) {
        Ok(_) => Ok(()),
        Err(error) => failed(format!("its own JSON file cannot be read: {error}")),
    }
}

/// What a smoke run must not leave: a failure, or a number of ours that no measure has yielded.
fn faults(results: &Results) -> Vec<String> {
    let mut faults = results.failures();
    for line in line::lines(results) {
        let is_run = results.cell(line.row.name, Server::Ours).is_some_and(|cell| cell.not_run.is_none());
        let number = line.measured(Server::Ours).map(|ours| ours.own.median);
        if is_run && !number.is_some_and(f64::is_finite) {
            faults.push(format!("{} yields no {}", line.row.name, line.metric.key));
        }
    }
    faults
}

type Prepared = (Kit, Vec<(Server, String)>, std::collections::BTreeMap<String, String>);

/// Builds and installs what the plan needs. Returns the servers that could not be had as well.
fn prepare(workspace: &Workspace, plan: &Plan, cores: usize) -> Result<Prepared, String> {
    let tasks = plan.tasks(cores);
    let mut wanted: Vec<Server> = tasks.iter().map(|task| task.server).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut needs = vec![TASKSET];
    if wanted.iter().any(|server| server.is_javascript()) {
        needs.extend([NODE, NPM]);
    }
    if plan.rows.iter().any(|row| matches!(row.with, With::Nodes(_))) {
        needs.extend([REDIS, NATS]);
    }
    let unmet: Vec<(Need, String)> = runner::set_up("set-up", &needs, false, workspace);
    if let Some((_, sentence)) = unmet.iter().find(|(need, _)| *need == TASKSET) {
        return Err(sentence.clone());
    }
    let mut job = Job::start(workspace, "bench", SET_UP_LIMIT, false).map_err(|error| error.to_string())?;
    let prepared = Kit::measured(&mut job).map(|mut kit| {
        let missing = kit.add_peers(&mut job, &wanted);
        (kit, missing, versions::collect(&mut job))
    });
    let (_, transcript, _) = job.finish();
    prepared.map_err(|stop| format!("{transcript}{}", stop.sentence()))
}

/// What has changed since the results of this machine that are committed.
fn compared(workspace: &Workspace, now: &Results) -> String {
    let file = format!("{COMMITTED}/{}.json", now.machine.file_name());
    let Some(text) = committed(workspace, &file) else {
        return format!("No results of this machine are committed: {file} does not exist.");
    };
    let before = match Results::from_json(&text) {
        Ok(before) => before,
        Err(error) => return format!("The committed results cannot be read: {file}: {error}"),
    };
    let mut sentences = compare::changes(&before, now);
    if before.machine.kernel != now.machine.kernel {
        sentences.push(format!("the kernel was {} and is {}", before.machine.kernel, now.machine.kernel));
    }
    if sentences.is_empty() {
        return format!("Nothing of ours has changed by more than the spread since {file}.");
    }
    format!("Changed by more than the spread since {file}:\n  {}", sentences.join("\n  "))
}

/// A file as it is in the last commit.
fn committed(workspace: &Workspace, file: &str) -> Option<String> {
    let shown =
        Command::new("git").args(["show", &format!("HEAD:{file}")]).current_dir(&workspace.root).output();
    let shown = shown.ok().filter(|shown| shown.status.success())?;
    String::from_utf8(shown.stdout).ok()
}

/// The folder for the files: what is worth committing goes where results are committed.
fn folder(workspace: &Workspace, order: &Bench, plan: &Plan) -> PathBuf {
    match &order.out {
        Some(folder) => folder.clone(),
        None if plan.is_complete() => workspace.root.join(COMMITTED),
        None => workspace.target.join("bench"),
    }
}

/// Writes the JSON file, the table and the plot. Returns their names.
fn write(folder: &Path, results: &Results) -> Result<Vec<String>, String> {
    let broken = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(broken)?;
    let name = results.machine.file_name();
    let files = [
        (format!("{name}.json"), results.to_json()),
        (format!("{name}.md"), markdown::render(results)),
        (format!("{name}.svg"), plot::render(results)),
    ];
    files
        .into_iter()
        .map(|(file, text)| fs::write(folder.join(&file), text).map_err(broken).map(|()| file))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::results;

    fn order(line: &[&str]) -> Bench {
        let rows = |name: &&str| (*name).to_owned();
        Bench { quick: false, only: line.iter().map(rows).collect(), rounds: None, out: None }
    }

    fn place(order: &Bench) -> PathBuf {
        let workspace = Workspace { root: "root".into(), target: "target".into(), packages: vec![] };
        folder(&workspace, order, &Plan::new(Mode::Full, &order.only, order.rounds))
    }

    #[test]
    fn only_whole_runs_go_where_results_are_committed() {
        assert_eq!(place(&order(&[])), Path::new("root/benches/results"));
        assert_eq!(place(&order(&["memory-5000"])), Path::new("target/bench"));
        assert_eq!(place(&Bench { rounds: Some(8), ..order(&[]) }), Path::new("target/bench"));
        assert_eq!(place(&Bench { out: Some("elsewhere".into()), ..order(&[]) }), Path::new("elsewhere"));
    }

    #[test]
    fn a_smoke_run_finds_rows_without_numbers() {
        let mut known = results(&[("memory-5000", Server::Ours, "bytes_each", &[1.0])]);
        assert_eq!(faults(&known), ["memory-5000 yields no open_cpu_us"]);
        known.cell_mut("memory-5000", Server::Bare).failures = vec!["broke".to_owned()];
        assert_eq!(faults(&known)[0], "memory-5000, bare loop: broke");
    }

    #[test]
    fn three_files_carry_the_name_of_the_machine() {
        let folder = Workspace::load().unwrap().target.join("xtask/test-of-bench-files");
        let known = results(&[("memory-5000", Server::Ours, "bytes_each", &[1.0])]);
        let files = write(&folder, &known).unwrap();
        assert_eq!(files, ["json", "md", "svg"].map(|end| format!("any-cpu-more-2-cores-8-gib.{end}")));
        let text = fs::read_to_string(folder.join(&files[0])).unwrap();
        assert_eq!(Results::from_json(&text), Ok(known));
    }
}
