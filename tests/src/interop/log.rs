//! What happened in one case, for whoever has to find out why it failed.

use core::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// Lines from all sides of a case, with the time since its start.
#[derive(Clone, Debug)]
pub struct Log {
    start: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    /// How much of a line is kept: messages can be megabytes.
    const WIDTH: usize = 240;

    /// How many lines are kept: floods are long.
    const LINES: usize = 4000;

    /// An empty one; its time starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now(), lines: Arc::default() }
    }

    /// Notes that `who` did or said `what`.
    pub fn line(&self, who: &str, what: &str) {
        let mut line = format!("{:9.3} {who:<8} ", self.start.elapsed().as_secs_f64());
        match what.char_indices().nth(Self::WIDTH) {
            None => line.push_str(what),
            Some((cut, _)) => {
                let _ = write!(line, "{}… ({} bytes)", &what[..cut], what.len());
            }
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < Self::LINES {
            lines.push(line);
        } else if lines.len() == Self::LINES {
            lines.push("          … and so on".to_owned());
        }
    }

    /// All lines.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}
