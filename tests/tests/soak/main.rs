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
    let tally = fleet::run(&plan).await;
    assert_eq!(tally.summarize(), 0, "failures, which are listed above");
}
