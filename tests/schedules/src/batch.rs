//! Schedules that are played one after the other.

use core::fmt;
use core::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::{Clock, Scenario};

/// How many schedules of each order are tried, and the variable that says it.
const SCHEDULES: u64 = 20;
const SCHEDULES_VARIABLE: &str = "EIO_SCHEDULES";

/// The variable that names one batch to play again, as `pct:7`.
const BATCH_VARIABLE: &str = "EIO_SCHEDULE_BATCH";

/// How many schedules a batch has. PCT learns the length of a scenario from the first one.
const BATCH: u64 = 20;

/// How many tasks PCT holds up in a schedule, plus one.
const DEPTH: usize = 4;

/// A scenario with more steps goes in circles.
const STEPS: usize = 100_000;

#[derive(Clone, Copy)]
pub(crate) struct Batch {
    order: Order,
    seed: u64,
}

#[derive(Clone, Copy)]
enum Order {
    Random,
    Pct,
}

impl Batch {
    /// One batch, to compare with itself.
    pub(crate) fn first() -> Self {
        Self { order: Order::Random, seed: 0 }
    }

    /// The batch that `EIO_SCHEDULE_BATCH` names, or else as many as `EIO_SCHEDULES` asks for.
    fn all() -> Vec<Self> {
        let variable = |name| std::env::var(name).ok();
        if let Some(name) = variable(BATCH_VARIABLE) {
            let batch =
                name.parse().unwrap_or_else(|()| panic!("{BATCH_VARIABLE} is not as `pct:7`: {name}"));
            return vec![batch];
        }
        let schedules = variable(SCHEDULES_VARIABLE).map_or(SCHEDULES, |number| {
            number.parse().unwrap_or_else(|_| panic!("{SCHEDULES_VARIABLE} is no number: {number}"))
        });
        let seeds = 0..schedules.div_ceil(BATCH);
        seeds.flat_map(|seed| [Order::Random, Order::Pct].map(|order| Self { order, seed })).collect()
    }

    /// Plays all batches, on all processors. Returns one that fails, if there is one.
    pub(crate) fn play_all(scenario: &Scenario) -> Result<Played, Self> {
        let batches = Mutex::new(Self::all().into_iter());
        let sum = Mutex::new(Ok(Played::default()));
        let work = || {
            while let Some(batch) = next(&batches) {
                let played = batch.play(scenario);
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                let Ok(all) = &mut *sum else { return };
                let Ok(played) = played else {
                    *sum = Err(batch);
                    return;
                };
                all.schedules += played.schedules;
                all.steps += played.steps;
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        sum.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn play(self, scenario: &Scenario) -> thread::Result<Played> {
        let schedules = usize::try_from(BATCH).expect("a small number");
        let clock = Some(Clock::task());
        match self.order {
            Order::Random => play(scenario, RandomScheduler::new_from_seed(self.seed, schedules), clock),
            Order::Pct => play(scenario, PctScheduler::new_from_seed(self.seed, DEPTH, schedules), clock),
        }
    }

    /// The command that plays the batch again.
    pub(crate) fn command(self, test: &str) -> String {
        format!(
            "{BATCH_VARIABLE}={self} cargo --config tests/schedules/shuttle.toml test --target-dir target/shuttle \
             --package eio-schedules {test} -- --nocapture"
        )
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            Order::Random => "random",
            Order::Pct => "pct",
        };
        write!(f, "{order}:{}", self.seed)
    }
}

impl FromStr for Batch {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (order, seed) = text.split_once(':').ok_or(())?;
        let order = match order {
            "random" => Order::Random,
            "pct" => Order::Pct,
            _ => return Err(()),
        };
        Ok(Self { order, seed: seed.parse().map_err(drop)? })
    }
}

fn next(batches: &Mutex<impl Iterator<Item = Batch>>) -> Option<Batch> {
    batches.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// What was tried.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Played {
    pub(crate) schedules: usize,
    /// How often the scheduler has chosen a task.
    pub(crate) steps: usize,
    /// Which tasks these were, as a hash.
    pub(crate) course: u64,
}

/// Plays a scenario in the orders of a scheduler, on a new thread, whose thread-local state is fresh. `clock` is the task
/// that moves only when all others wait.
pub(crate) fn play(
    scenario: &Scenario,
    scheduler: impl Scheduler + Send + 'static,
    clock: Option<TaskId>,
) -> thread::Result<Played> {
    let scenario = Arc::clone(scenario);
    let played = thread::spawn(move || {
        let played = Arc::<Mutex<Played>>::default();
        let scheduler = ClockLast { scheduler, clock, played: Arc::clone(&played) };
        let schedules = Runner::new(scheduler, config()).run(move || scenario());
        let Played { steps, course, .. } = *played.lock().unwrap_or_else(PoisonError::into_inner);
        Played { schedules, steps, course }
    });
    played.join()
}

fn config() -> Config {
    let mut config = Config::new();
    // What a server does for a request, without optimisation.
    config.stack_size = 1 << 20;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    // The seed of the batch says the same.
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    config
}

/// Lets the clock move only when all other tasks wait.
struct ClockLast<S> {
    scheduler: S,
    clock: Option<TaskId>,
    played: Arc<Mutex<Played>>,
}

impl<S: Scheduler> Scheduler for ClockLast<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.scheduler.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let is_other = |task: &&Task| Some(task.id()) != self.clock;
        let others: Vec<&Task> = runnable.iter().copied().filter(is_other).collect();
        let runnable = if others.is_empty() { runnable } else { &others };
        let next = self.scheduler.next_task(runnable, current, is_yielding);
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        played.steps += 1;
        let chosen = next.map_or(0, usize::from) as u64;
        played.course = (played.course ^ chosen).wrapping_mul(0x0100_0000_01b3);
        next
    }

    fn next_u64(&mut self) -> u64 {
        self.scheduler.next_u64()
    }
}
