//! Several nodes over real servers of Redis and NATS, which are started, stopped, killed and overrun.
//!
//! `cargo xtask test cluster` installs those servers and runs this.

mod buses;
mod crowd;
mod nats;
mod nodes;
mod redis;
mod redis_cluster;
mod servers;
mod whole;

use std::process::ExitCode;

/// Most of what the cases do is waiting.
const AT_ONCE: usize = 6;

/// Makes a case of each function. Its name is a sentence.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        vec![$(eio_tests::interop::Case::new(stringify!($case).replace('_', " "), |log| Box::pin($case(log)))),*]
    };
}

use cases;

fn main() -> ExitCode {
    let mut cases = buses::cases();
    cases.extend(redis::cases());
    cases.extend(redis_cluster::cases());
    cases.extend(nats::cases());
    cases.extend(nodes::cases());
    eio_tests::interop::run(cases, AT_ONCE)
}
