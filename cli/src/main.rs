//! `eio`: Engine.IO on the command line.
#![forbid(unsafe_code)]

mod args;
mod clock;
mod config_file;
mod connect;
mod duration;
mod interrupt;
mod log;
mod nearest;
mod output;
mod preview;
mod proxies;
mod serve;
mod settings;
mod sids;
mod simulate;
mod style;
mod usage;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    let command = match args::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(exit) => return exit.print(),
    };
    let outcome = match command {
        Command::Serve(options) => serve::run(options),
        Command::Connect(options) => connect::run(&options),
        Command::Simulate(options) => simulate::run(&options),
    };
    outcome.unwrap_or_else(usage::Exit::print)
}
