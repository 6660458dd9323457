//! What the timers take in memory.

use core::any::type_name;

use eio_legacy::timers::{ClientTimers, PollingServerTimers, ServerTimers};

fn assert_at_most<T>(limit: usize) {
    let size = size_of::<T>();
    println!("{size:3} bytes: {}", type_name::<T>());
    assert!(size <= limit, "{} has {size} bytes: expected at most {limit}", type_name::<T>());
}

#[test]
fn the_timers_of_a_session_fit_one_cache_line() {
    assert_at_most::<ServerTimers>(64);
    assert_at_most::<PollingServerTimers>(64);
    assert_at_most::<ClientTimers>(64);
}
