//! How far a long simulation is, on a terminal's standard error.

use core::fmt::Write as _;
use core::time::Duration;
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};

use crate::clock::Clock;
use crate::duration::spoken;

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
    done: u64,
    total: u64,
}

impl Progress {
    /// Shows the progress if standard error is a terminal.
    pub(crate) fn on_stderr() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_seen = io::stderr().is_terminal() && !is_dumb;
        let state =
            || State { clock: Clock::start(), shown_at: None, what: String::new(), done: 0, total: 0 };
        Self { state: is_seen.then(|| Mutex::new(state())) }
    }

    /// Begins `what`, which takes so many steps.
    pub(crate) fn begin(&self, what: &str, steps: u64) {
        self.change(|state| {
            what.clone_into(&mut state.what);
            state.total += steps;
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
    let mut line = format!("Simulating {}: {:.0} %", state.what, (share * 100.0).floor());
    if share > 0.02 {
        let left = spoken(now.mul_f64((1.0 - share).max(0.0) / share));
        let _ = write!(line, ", about {left} left");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_much_is_done_and_how_long_the_rest_takes() {
        let mut state = State {
            clock: Clock::start(),
            shown_at: None,
            what: "100 sessions".to_owned(),
            done: 1,
            total: 100,
        };
        assert_eq!(line(&state, Duration::from_secs(1)), "Simulating 100 sessions: 1 %");
        state.done = 25;
        assert_eq!(line(&state, Duration::from_secs(10)), "Simulating 100 sessions: 25 %, about 30.0 s left");
        state.done = 100;
        assert_eq!(
            line(&state, Duration::from_secs(10)),
            "Simulating 100 sessions: 100 %, about 0.0 ms left"
        );
    }
}
