//! Repeats one of the core's hot paths, so that a tool can count its instructions.
//!
//! `cargo xtask test instructions` runs every case under callgrind and holds the counts against `budget.json`. What a
//! case costs is the difference between two runs that differ in the number of repetitions alone, less the same
//! difference for its *bare loop*, which hands over the same times and results without a call of the core. So start,
//! set-up and loop cancel out, and the count is the same on every run of one binary.
//!
//! What passes between the loop and the core goes through `black_box`: the compiler knows neither the state nor the
//! input of a call, as in a program that waits for a socket between two of them.

mod heartbeats;
mod messages;

use std::process::ExitCode;

/// Something that happens often.
struct Case {
    /// Its name on the command line and in the budget.
    name: &'static str,
    /// What happens once per repetition.
    about: &'static str,
    /// Repeats it.
    run: fn(u64),
    /// Repeats everything around it.
    bare: fn(u64),
}

const USAGE: &str =
    "`eio-benches` lists the cases; `eio-benches <case> run|bare <times>` repeats one, or its bare loop";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let cases = || heartbeats::CASES.iter().chain(messages::CASES);
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
        for case in heartbeats::CASES.iter().chain(messages::CASES) {
            (case.run)(3);
            (case.bare)(3);
        }
    }
}
