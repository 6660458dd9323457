//! No session is lost where heartbeats meet the limits of idle connections: many clients that only answer heartbeats,
//! over real sockets, directly and over links that delay, lose and are slow.
//!
//! A server that closes a connection just when a client sends the next heartbeat on it loses the session. It therefore
//! keeps the connections of a session for longer than the interval, whatever its idle limit is. Some of the clients use
//! the same two connections to the end, so that none of them misses a connection that is closed too early; a link's delay
//! lets its end and the heartbeat cross. `cargo xtask test idle-limits` runs a short plan, intervals of 1 to 6 s against
//! limits of 1 to 3 s. `cargo xtask prove soak` sets `EIO_SOAK_MINUTES` and runs the long one: intervals of 30 to 90 s
//! against the limit that a server has unless set otherwise, 75 s.

mod fleet;
mod kept;
mod plan;
mod tally;

use core::time::Duration;

use plan::Plan;

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_lost_where_heartbeats_meet_idle_limits() {
    let plan = match std::env::var("EIO_SOAK_MINUTES") {
        Err(_) => Plan::short(),
        Ok(minutes) => {
            let minutes: u32 = minutes.parse().expect("EIO_SOAK_MINUTES: expected a whole number of minutes");
            Plan::long(Duration::from_mins(minutes.into()))
        }
    };
    for group in &plan.groups {
        assert!(group.expected(plan.lasts) > 0, "{:?} is too short for a heartbeat: {group}", plan.lasts);
    }
    let tally = fleet::run(&plan).await;
    assert_eq!(tally.summarize(), 0, "failures, which are listed above");
}
