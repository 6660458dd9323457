//! The time between two attempts to connect.

use core::convert::Infallible;
use core::ops::ControlFlow;
use core::pin::pin;
use core::time::Duration;

use eio_core::backoff::Backoff;
use eio_embassy::{Loss, Reconnect, State};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::Watch;

use crate::clock;
use crate::fakes::Task;
use crate::session::{assert_on_time, epochs, phases};

#[test]
fn a_delay_is_waited_for_as_a_whole_and_the_watch_shows_its_end() {
    let _clock = clock::clock();
    for epoch in epochs() {
        for phase in phases() {
            clock::start_at(epoch);
            clock::advance_units(phase);
            let watch: Watch<NoopRawMutex, State, 1> = Watch::new();
            let mut states = watch.receiver().expect("a receiver");
            let backoff = Backoff::new(Duration::from_millis(7), Duration::from_secs(20)).expect("valid");
            // The longest delay is twice the shortest, and grows.
            let mut longest = || u32::MAX;
            let mut reconnect = Reconnect::new(backoff, &mut longest, watch.dyn_sender());
            let task = Task::new();
            let mut run =
                pin!(reconnect.run(async |_| ControlFlow::<Infallible, _>::Continue(Loss::Unreachable)));
            for delay in [14, 28, 56, 112] {
                assert!(task.poll(run.as_mut()).is_pending());
                let failed_at = clock::moment();
                let Some(State::Waiting { until, .. }) = states.try_get() else { panic!("it does not wait") };
                let alarm = clock::next_alarm().expect("an alarm");
                assert_eq!(alarm, clock::Moment::of_tick(until.as_ticks()));
                assert_on_time(Duration::from_millis(delay), alarm.since(failed_at));
                clock::advance_to(alarm);
                assert!(task.is_woken());
            }
        }
    }
}
