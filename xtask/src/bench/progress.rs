//! Tells people what is measured at the moment and how long the rest takes.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};

use crate::bench::plan::Task;
use crate::bench::server::Server;
use crate::stopwatch::{Spoken, Stopwatch};

/// What a task takes beyond its measure until one like it has been timed: a start, connections, an end.
const OVERHEAD: Duration = Duration::from_millis(400);

/// The line that shows where a run is.
pub(crate) struct Progress {
    output: Output,
    watch: Stopwatch,
    /// How long a row took with a server the last time.
    known: BTreeMap<(&'static str, Server), Duration>,
    /// What the last line without a terminal was about.
    last: Option<(usize, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    /// One line, written over and over.
    Terminal,
    /// One line for each row of each round.
    Log,
    Silent,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self::to(if std::io::stdout().is_terminal() { Output::Terminal } else { Output::Log })
    }

    /// Shows nothing.
    pub(crate) fn silent() -> Self {
        Self::to(Output::Silent)
    }

    fn to(output: Output) -> Self {
        Self { output, watch: Stopwatch::start(), known: BTreeMap::new(), last: None }
    }

    /// Shows which task begins.
    pub(crate) fn show(&mut self, tasks: &[Task], place: usize) {
        self.watch = Stopwatch::start();
        let Some(task) = tasks.get(place) else { return };
        let text = self.text(tasks, place, task);
        match self.output {
            Output::Terminal => print!("\r\x1b[K{text}: {}", task.row.title_of(task.server)),
            Output::Log if self.last != Some((task.round, task.row.name)) => println!("{text}"),
            _ => {}
        }
        let _ = std::io::stdout().flush();
        self.last = Some((task.round, task.row.name));
    }

    /// Learns how long the task took.
    pub(crate) fn done(&mut self, task: &Task) {
        self.known.insert((task.row.name, task.server), self.watch.elapsed());
    }

    /// Leaves the line.
    pub(crate) fn end(&self) {
        if self.output == Output::Terminal {
            print!("\r\x1b[K");
        }
    }

    fn text(&self, tasks: &[Task], place: usize, task: &Task) -> String {
        let rounds = tasks.iter().map(|task| task.round + 1).max().unwrap_or(0);
        let left: Duration = tasks.iter().skip(place).map(|task| self.estimate(task)).sum();
        format!("[round {}/{rounds}, about {} left] {}", task.round + 1, Spoken(left), task.row.name)
    }

    fn estimate(&self, task: &Task) -> Duration {
        let measured = || {
            Duration::from_secs_f64(task.seconds().unwrap_or(1.0) + task.warm_up().unwrap_or(0.0)) + OVERHEAD
        };
        self.known.get(&(task.row.name, task.server)).copied().unwrap_or_else(measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::{Mode, Plan};

    #[test]
    fn the_time_left_is_what_the_rest_took_before() {
        let tasks = Plan::new(Mode::Full, &["echo-1k".to_owned()], Some(2)).tasks(2);
        let mut progress = Progress::silent();
        for server in Server::ALL {
            progress.known.insert(("echo-1k", server), Duration::from_mins(1));
        }
        let place = tasks.len() - 2;
        let text = progress.text(&tasks, place, &tasks[place]);
        assert_eq!(text, "[round 2/2, about 2 min 00 s left] echo-1k");
    }

    #[test]
    fn before_anything_is_known_the_time_left_comes_from_the_plan() {
        let tasks = Plan::new(Mode::Full, &["echo-1k".to_owned()], Some(1)).tasks(2);
        let text = Progress::silent().text(&tasks, 0, &tasks[0]);
        assert!(text.starts_with("[round 1/1, about 4.4 s left] echo-1k"), "{text}");
    }
}
