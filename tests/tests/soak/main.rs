//! No session is lost where heartbeats meet the limits of idle connections: many clients that only answer heartbeats,
//! over real sockets, directly and over links that delay, lose and are slow.
//!
//! A connection that was idle for as long as a limit allows is closed just when the next heartbeat wants it, if the
//! heartbeat's interval is that long; the link's delay lets the two cross. `cargo xtask test idle-limits` runs a short
//! plan, intervals of 1 to 3 s against limits of 1 to 3 s. `cargo xtask prove soak` sets `EIO_SOAK_MINUTES` and runs the
//! long one: intervals of 29, 30, 31 and 60 s against the limits that everything has unless set otherwise.

mod fleet;
mod plan;
mod tally;

use core::time::Duration;
use std::process::ExitCode;

use plan::Plan;
use tally::Tally;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        println!("soak: test");
        return ExitCode::SUCCESS;
    }
    let plan = match std::env::var("EIO_SOAK_MINUTES").ok().map(|minutes| minutes.parse::<u32>()) {
        None => Plan::short(),
        Some(Ok(minutes)) => Plan::long(Duration::from_mins(minutes.into())),
        Some(Err(error)) => {
            eprintln!("EIO_SOAK_MINUTES: {error}: expected a whole number of minutes");
            return ExitCode::FAILURE;
        }
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    let tally: Tally = runtime.block_on(fleet::run(&plan));
    let (passed, failed) = tally.summarize();
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
