//! Small pieces, in all orders of their steps.

use eio_schedules::{exhaust, pieces};

const AT_MOST: usize = 300_000;

#[test]
fn a_connection_that_ends_makes_room() {
    exhaust("a_connection_that_ends_makes_room", AT_MOST, pieces::room);
}

#[test]
fn whoever_gives_up_waiting_takes_no_wake_up_with_it() {
    exhaust("whoever_gives_up_waiting_takes_no_wake_up_with_it", AT_MOST, pieces::given_up);
}

#[test]
fn a_change_is_seen_by_all_who_wait_for_it() {
    exhaust("a_change_is_seen_by_all_who_wait_for_it", AT_MOST, pieces::change);
}
