//! Repeats one of the core's hot paths, so that a tool can count its instructions.
//!
//! `cargo xtask test instructions` runs every case under callgrind and compares the counts with `budget.json`. The cost of
//! a case is the difference between two runs with different numbers of repetitions, minus the same difference for its
//! *bare loop*, which passes the same times and results without calling the core. So the costs of the start, the set-up
//! and the loop cancel out, and every run of one binary gives the same count.
//!
//! All values between the loop and the core pass through `black_box`. So the compiler knows neither the state nor the
//! input of a call, as in a program that waits for a socket between calls.
#![forbid(unsafe_code)]

mod bulk;
mod heartbeats;
mod legacy;
mod messages;

use std::process::ExitCode;

/// A hot path of the core.
struct Case {
    /// The case's name on the command line and in the budget.
    name: &'static str,
    /// Describes one repetition.
    about: &'static str,
    /// Repeats the hot path.
    run: fn(u64),
    /// Repeats the loop without the hot path.
    bare: fn(u64),
}

/// Lists every case.
fn cases() -> impl Iterator<Item = &'static Case> {
    heartbeats::CASES.iter().chain(messages::CASES).chain(bulk::CASES).chain(legacy::CASES)
}

const USAGE: &str =
    "`eio-benches` lists the cases; `eio-benches <case> run|bare <times>` repeats one, or its bare loop";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => cases().for_each(|case| println!("{}\t{}", case.name, case.about)),
        [name, what @ ("run" | "bare"), times] => {
            let (Some(case), Ok(times)) = (cases().find(|case| case.name == name), times.parse()) else {
                eprintln!("{USAGE}");
                return ExitCode::FAILURE;
            };
            if what == "run" { (case.run)(times) } else { (case.bare)(times) }
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_and_its_bare_loop_come_to_their_end() {
        for case in cases() {
            (case.run)(3);
            (case.bare)(3);
        }
    }
}
