//! The developer's one command: `cargo xtask check`, `cargo xtask test`, `cargo xtask prove`, `cargo xtask firmware`,
//! `cargo xtask bench`.
//!
//! A *part* is one thing that must hold ([`part::PARTS`] lists them all). A *verb* runs the parts that belong to it
//! and closes with a summary. [`runner`] runs each part in a [`job::Job`], which keeps what its commands print in a log,
//! after [`need`] has installed what the part needs. [`lanes`] says which parts run beside one another.
//!
//! Two things need Linux. A command that exceeds its part's limit is stopped together with everything that it has
//! started, which is found through `/proc`; on other systems only the command itself is stopped. And parts whose tests read
//! `/proc` or make namespaces are not run on other systems.
#![forbid(unsafe_code)]

mod bench;
mod cli;
mod install;
mod job;
mod lanes;
mod llvm;
mod metadata;
mod need;
mod part;
mod parts;
mod programs;
mod record;
mod runner;
mod shard;
mod stopwatch;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Chosen, Order};
use crate::part::Verb;
use crate::runner::Manner;
use crate::shard::Shard;
use crate::workspace::Workspace;

fn main() -> ExitCode {
    let done = match Order::parse() {
        Order::List => {
            println!("{}", cli::list());
            Ok(true)
        }
        Order::Firmware { template: Some(board), .. } => {
            Workspace::load().and_then(|workspace| runner::build_board(&workspace, &board)).map(|()| true)
        }
        Order::Firmware { server, key, template: None } => Workspace::load()
            .and_then(|workspace| runner::demonstrate(&workspace, server.as_deref(), key.as_deref()))
            .map(|()| true),
        Order::MutantsPage { pages } => {
            Workspace::load().and_then(|workspace| parts::mutants::merge(&workspace, &pages)).map(|()| true)
        }
        Order::Bench(order) => Workspace::load().and_then(|workspace| bench::run(&workspace, &order)),
        Order::Check(chosen) => run(Verb::Check, &chosen, None),
        Order::Test(chosen) => run(Verb::Test, &chosen, None),
        Order::Prove { chosen, shard } => run(Verb::Prove, &chosen, shard),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether no part failed.
fn run(verb: Verb, chosen: &Chosen, shard: Option<Shard>) -> Result<bool, String> {
    let parts = chosen.parts(verb);
    if shard.is_some() {
        cli::check_shard(&parts)?;
    }
    let shard = shard.unwrap_or(Shard::WHOLE);
    let manner = Manner { verbose: chosen.verbose, record: chosen.record, shard };
    runner::run(&parts, &manner, &Workspace::load()?)
}
