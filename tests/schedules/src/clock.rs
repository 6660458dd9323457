//! The clock of a scenario, which is tokio's, and a task of the scenario.

use core::mem::ManuallyDrop;
use core::time::Duration;

use shuttle::scheduler::TaskId;
use shuttle::sync::mpsc::{Receiver, Sender, channel};
use shuttle::{future, thread};
use tokio::runtime::{Builder, RngSeed, Runtime};
use tokio::task::coop::unconstrained;

/// How far the clock moves at once.
const TICK: Duration = Duration::from_millis(100);

/// How often it does so: a few noops of an upgrade, but no limit of time that could make up for a lost wake-up.
const TICKS: usize = 20;

/// What the clock does while all tasks wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clock {
    /// It stands still.
    Stands,
    /// It moves by 100 ms, at most twenty times.
    Moves,
}

impl Clock {
    /// The clock is the first task that a scenario starts.
    pub(crate) fn task() -> TaskId {
        TaskId::from(1)
    }

    /// Runs a scenario, while which this clock is the time of tokio.
    pub(crate) fn run<F: Future<Output = ()>>(self, scenario: impl Fn() -> F) {
        let (begins, begun) = channel();
        let (ends, ended) = channel();
        let clock = thread::spawn(move || self.tick(&begins, &ended));
        begun.recv().expect("the clock begins");
        future::block_on(scenario());
        ends.send(()).expect("the clock goes on");
        clock.join().expect("the clock ends");
    }

    /// Lives within a runtime of tokio. As all tasks of shuttle share a thread, all find this runtime and its time.
    fn tick(self, begins: &Sender<()>, ended: &Receiver<()>) {
        // Never dropped: that would wake what a failed schedule has left behind, which has no scheduler any more.
        let runtime = ManuallyDrop::new(runtime());
        // Without a limit to what a task may do at once, which would be one limit for all tasks.
        runtime.block_on(unconstrained(async {
            begins.send(()).expect("the scenario begins");
            let ticks = if self == Self::Moves { TICKS } else { 0 };
            for _ in 0..ticks {
                thread::yield_now();
                if ended.try_recv().is_ok() {
                    return;
                }
                tokio::time::advance(TICK).await;
            }
            ended.recv().expect("the scenario ends");
        }));
    }
}

/// A runtime that draws the same random numbers each time.
fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    let rng_seed = RngSeed::from_bytes(&[]);
    builder.enable_time().start_paused(true).rng_seed(rng_seed).build().expect("a runtime without sockets")
}
