//! A board that wakes later than it asked for: because it was busy, or because its clock is coarse.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_embassy::ClientSettings;
use embassy_time::TICK_HZ;

use crate::clock;
use crate::session::{Session, assert_on_time, phases};

/// A wake-up is late if it is more than 10 ms and a tick after its deadline. These two are counted from the alarm, which
/// rings up to a tick after the deadline: the first is never late, and the second always.
const HARDLY_LATE: Duration = Duration::from_millis(9);
const LATE: Duration = Duration::from_millis(if TICK_HZ < 1_000 { 2_000 / TICK_HZ } else { 12 });
/// What the network gets after a late one, and a moment within that time.
const CATCH_UP: Duration = Duration::from_millis(5);
const SOON: Duration = Duration::from_millis(3);

/// A session whose server is silent, and whose task wakes so long after its alarm.
fn woken_late(phase: u64, by: Duration) -> Session {
    clock::start_at(clock::Moment(0));
    let mut session = Session::open(300, 200, &ClientSettings::DEFAULT);
    clock::advance_units(phase);
    session.ping();
    clock::advance_to(clock::next_alarm().expect("an alarm"));
    clock::advance_units(clock::units(by));
    session
}

#[test]
fn no_tick_is_so_coarse_that_its_rounding_looks_like_a_late_wake_up() {
    let _clock = clock::clock();
    for phase in phases() {
        for by in [Duration::ZERO, HARDLY_LATE] {
            let mut session = woken_late(phase, by);
            let end = session.wake().expect("the end");
            assert_eq!(end.reason, DisconnectReason::PingTimeout);
        }
    }
}

#[test]
fn after_a_late_wake_up_the_network_gets_its_five_milliseconds_at_each_tick_rate() {
    let _clock = clock::clock();
    for phase in phases() {
        let mut session = woken_late(phase, LATE);
        let woken_at = clock::moment();
        assert_eq!(session.wake(), None, "not believed");
        session.sleep_until_end();
        assert_on_time(CATCH_UP, clock::moment().since(woken_at));

        let mut session = woken_late(phase, LATE);
        assert_eq!(session.wake(), None, "not believed");
        clock::advance_units(clock::units(SOON));
        session.ping();
        assert_eq!(session.wake(), None, "alive");
    }
}
