//! What servers on the internet need of the HTTP side, each on in-memory connections and a clock that does not run.

mod accepting;
mod admission;
mod handshake;
mod keeping;
mod limits;
mod nodes;
mod origins;
mod payloads;
mod polling;
mod refusals;
mod support;
mod upgrade;
mod versions;
#[path = "../exact/support/watch.rs"]
#[expect(dead_code, reason = "no task of a session panics here")]
mod watch;
