//! The developer's one command: `cargo xtask check`, `cargo xtask test`, `cargo xtask prove`, `cargo xtask firmware`.
//!
//! A *part* is one thing that must hold ([`part::PARTS`] lists them all); a *verb* runs the parts that belong to it
//! and closes with a summary. [`need`] installs what the chosen parts need, [`runner`] runs them one after the
//! other, each in a [`job::Job`], which captures what its commands print.
//!
//! Two things need Linux. A command that exceeds its part's limit is stopped with all that it has started, which is
//! found through `/proc`; elsewhere it is stopped alone. The parts `attacks` and `faults`, which read `/proc` and make
//! network namespaces, are not run elsewhere.

mod cli;
mod install;
mod job;
mod need;
mod part;
mod parts;
mod programs;
mod runner;
mod stopwatch;
mod workspace;

use std::process::ExitCode;

/// The exit code of a command line that makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let order = match cli::parse(&arguments) {
        Ok(order) => order,
        Err(sentence) => {
            eprintln!("{sentence}");
            return ExitCode::from(USAGE);
        }
    };
    match order {
        cli::Order::Help => print!("{}", cli::help()),
        cli::Order::List => print!("{}", cli::list()),
        cli::Order::Firmware { server } => {
            let shown = workspace::Workspace::load()
                .and_then(|workspace| runner::demonstrate(&workspace, server.as_deref()));
            if let Err(sentence) = shown {
                eprintln!("{sentence}");
                return ExitCode::FAILURE;
            }
        }
        cli::Order::Run { title, parts, verbose } => {
            let workspace = match workspace::Workspace::load() {
                Ok(workspace) => workspace,
                Err(sentence) => {
                    eprintln!("{sentence}");
                    return ExitCode::FAILURE;
                }
            };
            if !runner::run(&title, &parts, verbose, &workspace) {
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
