//! What wakes a board in an hour without messages.

use eio_embassy::ClientSettings;

use crate::clock;
use crate::session::{SECOND, Session};

/// The periods in seconds, and the wake-ups of an hour: one for each ping.
const HOURS: [(u32, u32, u64); 5] = [(25, 20, 144), (25, 26, 144), (25, 60, 144), (5, 3, 720), (240, 20, 15)];

#[test]
fn an_hour_of_heartbeats_wakes_the_board_once_for_each_ping() {
    let _clock = clock::clock();
    for (interval, timeout, wakes) in HOURS {
        clock::start_at(clock::Moment(0));
        let millis = |seconds: u32| u64::from(seconds) * 1_000;
        let mut session = Session::open(millis(interval), millis(timeout), &ClientSettings::DEFAULT);
        let opened_at = clock::moment();
        for beat in 1..=3_600 / interval {
            session.sleep_until(clock::Moment(opened_at.0 + clock::units(beat * interval * SECOND)));
            session.ping();
        }
        assert_eq!(session.wakes, wakes, "at {interval} s and {timeout} s");
    }
}
