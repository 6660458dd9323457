//! What happened in one case, to find out why it failed.

use core::fmt::Write as _;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Lines from all sides of a case, with the time since its start.
#[derive(Clone, Debug)]
pub struct Log {
    start: Instant,
    lines: Arc<Mutex<Lines>>,
}

/// The first lines, and the latest: floods are long.
#[derive(Debug, Default)]
struct Lines {
    first: Vec<String>,
    left_out: usize,
    latest: VecDeque<String>,
}

impl Log {
    /// How much of a line is kept: messages can be megabytes.
    const WIDTH: usize = 240;

    /// How many of the first lines, and of the latest, are kept.
    const LINES: usize = 500;

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
        let mut lines = self.lines();
        if lines.first.len() < Self::LINES {
            lines.first.push(line);
            return;
        }
        lines.latest.push_back(line);
        if lines.latest.len() > Self::LINES {
            lines.latest.pop_front();
            lines.left_out += 1;
        }
    }

    /// All lines.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.lines();
        let mut text = lines.first.join("\n");
        if lines.left_out > 0 {
            let _ = write!(text, "\n          … {} lines …", lines.left_out);
        }
        for line in &lines.latest {
            text.push('\n');
            text.push_str(line);
        }
        text
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
