//! Very many sessions, or very long ones, in a world where everything goes wrong that can: does each keep the bounds of
//! `eio_core::detect`? Every world of `eio-sim` checks that (`eio_sim::Breach`); this one tries hard. At the root:
//!
//! ```sh
//! cargo run --profile dist --package eio-sim --example scale -- million
//! cargo run --profile dist --package eio-sim --example scale -- months --seed 7
//! ```
//!
//! | world | places | simulated time |
//! |---|---|---|
//! | `million` | 1,000,000 | an hour |
//! | `months` | 1,000 | 90 days |
//! | `small` | 400 | an hour |
//!
//! Both transports and upgrades between them, both revisions, many heartbeats; clocks that are ahead and drift; links that
//! lose, delay and are cut; programs that stall or do not read, machines that sleep, die or are unplugged, programs that are
//! killed.
//! A place has one session after the other. The first one begins within 10 minutes, or an hour where there are months, and
//! the next one within twice that after an end: the summary says how many were open at a time, on average. All processors
//! take part, each with a world of its own.
//!
//! A whole world fails, too, if one of the usual ends, or an upgrade, never happened in it.
//!
//! Whatever happens to a place follows from the seed and the number of the place
//! alone. So a failure prints a command that runs this place by itself:
//!
//! | option | meaning |
//! |---|---|
//! | `--seed 7` | another world; 1 by default |
//! | `--place 1234` | only this place, and the timetable of its failure |
//! | `--sessions 5000`, `--hours 3` | a smaller or larger world |
//! | `--worlds 2` | how many worlds share the sessions, each on a thread of its own; the number of processors by default |
//! | `--shorten 1` | bounds that are shorter by so many milliseconds: shows that the check can fail |

mod fleet;
mod options;
mod places;
mod report;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use options::Options;
use places::Failure;
use report::Report;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(mistake) => {
            eprintln!("{mistake}");
            return ExitCode::from(2);
        }
    };
    let measures = report::Measures::begin();
    match run(&options) {
        Ok(report) => {
            print!("{report}{measures}");
            match report.lacks().filter(|_| options.is_whole) {
                Some(what) => {
                    println!("scale: failed: this never happened: {what}");
                    ExitCode::FAILURE
                }
                None => ExitCode::SUCCESS,
            }
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all places, or the one that is asked for.
fn run(options: &Options) -> Result<Report, Failure> {
    let worlds = if options.place.is_some() { 1 } else { options.worlds };
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let run = |world| places::run(options, world, &failed);
        let worlds: Vec<_> = (0..worlds).map(|world| scope.spawn(move || run(world))).collect();
        let mut report = Report::new(options);
        for world in worlds {
            report.add(&world.join().unwrap_or_else(|panic| Err(Failure::whole(options, &*panic)))?);
        }
        Ok(report)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        Options::read(line.split_whitespace().map(str::to_owned)).expect("options")
    }

    #[test]
    fn every_session_of_a_small_world_keeps_its_bounds() {
        let report = run(&options("small")).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(report.lacks(), None, "{report}");
    }

    #[test]
    fn a_world_in_which_nothing_happens_says_so() {
        let empty = options("small --sessions 0");
        let report = run(&empty).unwrap_or_else(|failure| panic!("{failure}"));
        let lacks = "ping timeout, transport, forced close, open timeout, application stalled, judged silence, upgrade";
        assert_eq!(report.lacks().as_deref(), Some(lacks));
        assert!(report.to_string().contains("margins are none to the latest"), "{report}");
        assert!(options("small").is_whole && !empty.is_whole && !options("small --place 1").is_whole);
    }

    #[test]
    fn a_few_sessions_keep_them_for_two_weeks() {
        run(&options("months --sessions 4 --hours 336")).unwrap_or_else(|failure| panic!("{failure}"));
    }

    #[test]
    fn the_number_of_worlds_changes_nothing() {
        let [one, three] = [1, 3].map(|worlds| {
            let report = run(&options(&format!("small --sessions 60 --worlds {worlds}")));
            report.unwrap_or_else(|failure| panic!("{failure}")).to_string()
        });
        assert_eq!(one, three);
    }

    #[test]
    fn a_failure_prints_a_command_that_runs_the_same_failure_alone() {
        let failure =
            run(&options("small --seed 5 --shorten 1 --worlds 2")).err().expect("bounds that nobody keeps");
        let command = failure.command();
        let (cargo, line) = command.split_once(" -- ").expect("options");
        assert_eq!(cargo, "cargo run --profile dist --package eio-sim --example scale");
        let again = run(&options(line)).err().expect("the same failure");
        assert_eq!(failure.what(), again.what());
        assert_eq!(again.command(), command);
        let story = again.to_string();
        assert!(story.contains("sends a request") && story.contains("is open"), "{story}");
    }
}
