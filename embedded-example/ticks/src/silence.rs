//! The end of a session with a silent server, and the pings of revision 3.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_embassy::{ClientSettings, Protocol};

use crate::clock;
use crate::fakes::text;
use crate::session::{SECOND, Session, assert_on_time, epochs, phases};

const PERIODS: [(u64, u64); 5] = [(25_000, 20_000), (1, 1), (7, 13), (300, 200), (1_001, 999)];

#[test]
fn a_silent_server_is_given_its_whole_time_and_at_most_two_ticks_more() {
    let _clock = clock::clock();
    for epoch in epochs() {
        for phase in phases() {
            for (interval, timeout) in PERIODS {
                clock::start_at(epoch);
                let mut session = Session::open(interval, timeout, &ClientSettings::DEFAULT);
                clock::advance_units(phase);
                session.ping();
                let pinged_at = clock::moment();
                let end = session.sleep_until_end();
                assert_eq!(end.reason, DisconnectReason::PingTimeout);
                assert_on_time(Duration::from_millis(interval + timeout), clock::moment().since(pinged_at));
                assert_eq!(session.wakes, 2, "one for the ping, one for the end");
            }
        }
    }
}

#[test]
fn no_counter_wraps_while_a_session_lives() {
    let _clock = clock::clock();
    for epoch in epochs() {
        clock::start_at(epoch);
        let mut session = Session::open(25_000, 20_000, &ClientSettings::DEFAULT);
        // 125 s, of which the wrap comes after 40.
        for _ in 0..5 {
            session.sleep_until(clock::Moment(clock::moment().0 + clock::units(25 * SECOND)));
            session.ping();
        }
        assert_eq!(session.wakes, 5, "from {epoch:?}");
        let pinged_at = clock::moment();
        assert_eq!(session.sleep_until_end().reason, DisconnectReason::PingTimeout);
        assert_on_time(45 * SECOND, clock::moment().since(pinged_at));
    }
}

#[test]
fn a_client_of_revision_3_pings_when_its_interval_has_passed() {
    let _clock = clock::clock();
    let settings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };
    for epoch in epochs() {
        for (interval, timeout) in PERIODS {
            clock::start_at(epoch);
            let mut session = Session::open(interval, timeout, &settings);
            let opened_at = clock::moment();
            clock::advance_to(clock::next_alarm().expect("an alarm"));
            assert_eq!(session.wake(), None);
            assert_eq!(session.server.take(), [text("2")]);
            assert_on_time(Duration::from_millis(interval), clock::moment().since(opened_at));
        }
    }
}
