//! How far a long simulation is, on a terminal's standard error.

use core::fmt::Write as _;
use core::time::Duration;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::clock::Clock;
use crate::duration::spoken;
use crate::style::obeys_sequences;

/// Short simulations show nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// The time between two updates.
const PERIOD: Duration = Duration::from_millis(200);

/// How much is done of how much. Threads share it.
pub(crate) struct Progress {
    /// `None` if nobody looks.
    state: Option<Mutex<State>>,
}

struct State {
    clock: Clock,
    shown_at: Option<Duration>,
    what: String,
    /// A sweep simulates several rounds, and what one finds decides whether there is another. So each is counted alone.
    round: u32,
    began_at: Duration,
    done: u64,
    total: u64,
}

impl State {
    fn new() -> Self {
        let (clock, began_at) = (Clock::start(), Duration::ZERO);
        Self { clock, shown_at: None, what: String::new(), round: 0, began_at, done: 0, total: 0 }
    }

    fn begin(&mut self, what: &str, steps: u64, now: Duration) {
        what.clone_into(&mut self.what);
        self.round += 1;
        (self.began_at, self.done, self.total) = (now, 0, steps);
    }
}

impl Progress {
    /// Shows the progress if standard error is a terminal that obeys escape sequences.
    pub(crate) fn on_stderr() -> Self {
        Self { state: obeys_sequences(&io::stderr()).then(|| Mutex::new(State::new())) }
    }

    /// Begins a round, which simulates `what` in so many steps.
    pub(crate) fn begin(&self, what: &str, steps: u64) {
        self.change(|state| {
            let now = state.clock.elapsed();
            state.begin(what, steps, now);
        });
    }

    /// Notes that so many steps are done.
    pub(crate) fn add(&self, steps: u64) {
        self.change(|state| {
            state.done += steps;
            let now = state.clock.elapsed();
            let due = state.shown_at.map_or(PATIENCE, |shown| shown + PERIOD);
            if now >= due {
                state.shown_at = Some(now);
                show(&format!("\r{}\x1b[K", line(state, now)));
            }
        });
    }

    /// Removes the line.
    pub(crate) fn clear(&self) {
        self.change(|state| {
            if state.shown_at.take().is_some() {
                show("\r\x1b[K");
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = &self.state {
            change(&mut state.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Writes to the terminal. If it is gone, nobody looks.
fn show(text: &str) {
    let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes());
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn line(state: &State, now: Duration) -> String {
    let share = state.done as f64 / state.total.max(1) as f64;
    let mut line = format!("Simulating {}", state.what);
    if state.round > 1 {
        let _ = write!(line, ", round {}", state.round);
    }
    let _ = write!(line, ": {:.0} %", (share * 100.0).floor());
    if share > 0.02 {
        let spent = now.saturating_sub(state.began_at);
        let left = spoken(spent.mul_f64((1.0 - share).max(0.0) / share));
        let _ = write!(line, ", about {left} left");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_is_done_and_how_long_the_rest_takes() {
        let mut state = State::new();
        state.begin("100 sessions", 100, Duration::ZERO);
        state.done = 1;
        assert_eq!(line(&state, Duration::from_secs(1)), "Simulating 100 sessions: 1 %");
        state.done = 25;
        assert_eq!(line(&state, Duration::from_secs(10)), "Simulating 100 sessions: 25 %, about 30.0 s left");
        state.done = 100;
        assert_eq!(
            line(&state, Duration::from_secs(10)),
            "Simulating 100 sessions: 100 %, about 0.0 ms left"
        );
    }

    #[test]
    fn each_round_counts_from_its_own_beginning() {
        let mut state = State::new();
        state.begin("9 settings of 100 sessions", 900, Duration::ZERO);
        state.done = 900;
        state.begin("3 settings of 500 sessions", 1_500, Duration::from_secs(10));
        state.done = 750;
        assert_eq!(
            line(&state, Duration::from_secs(13)),
            "Simulating 3 settings of 500 sessions, round 2: 50 %, about 3.0 s left"
        );
    }
}
