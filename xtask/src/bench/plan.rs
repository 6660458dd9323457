//! What runs when: rounds of rows of servers, so that what the machine does at a time meets every server alike.

use crate::bench::row::Row;
use crate::bench::rows::{self, ROWS};
use crate::bench::server::Server;

/// How many rounds a verdict takes at least.
pub(crate) const ROUNDS_FOR_A_VERDICT: usize = 9;

/// In every round whose number, from 0, this divides, all servers take part in all rows. In the others those in
/// JavaScript do not, and in slow rows only those that a goal speaks of: a run would take half as long again.
const PEERS_PACE: usize = 3;

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every row, long enough for a verdict.
    Full,
    /// A look in under three minutes.
    Quick,
    /// Whether everything of ours runs at all. The numbers mean nothing.
    Smoke,
}

/// One measure of one server in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) round: usize,
    pub(crate) row: &'static Row,
    pub(crate) server: Server,
    pub(crate) mode: Mode,
}

/// What a run does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    pub(crate) rounds: usize,
    pub(crate) rows: Vec<&'static Row>,
}

impl Mode {
    fn rounds(self) -> usize {
        match self {
            Self::Full => ROUNDS_FOR_A_VERDICT,
            Self::Quick => 3,
            Self::Smoke => 1,
        }
    }

    fn has_time_for(self, row: &Row) -> bool {
        match self {
            Self::Full | Self::Smoke => true,
            Self::Quick => row.in_quick,
        }
    }

    /// Whether the server takes part in this row in this round, if it can take part at all.
    fn includes(self, row: &Row, server: Server, round: usize) -> bool {
        let always = row.is_goal_against(server) || server == Server::Ours;
        match self {
            Self::Full => {
                always || round.is_multiple_of(PEERS_PACE) || !(server.is_javascript() || row.is_slow)
            }
            Self::Quick => always || !server.is_javascript() || (round == 0 && !row.is_slow),
            Self::Smoke => server.is_own(),
        }
    }
}

impl Plan {
    /// Plans these rows and those that they need, or all rows if none is named. `rounds` replaces the mode's number.
    pub(crate) fn new(mode: Mode, only: &[String], rounds: Option<usize>) -> Self {
        let mut wanted: Vec<&'static Row> = only.iter().filter_map(|name| rows::named(name)).collect();
        let mut next = 0;
        while let Some(row) = wanted.get(next) {
            wanted.extend(row.prerequisites().filter_map(rows::named));
            next += 1;
        }
        let is_wanted = |row: &&Row| match only {
            [] => mode.has_time_for(row),
            _ => wanted.iter().any(|wanted| wanted.name == row.name),
        };
        let rows = ROWS.iter().filter(is_wanted).collect();
        Self { mode, rounds: rounds.unwrap_or_else(|| mode.rounds()), rows }
    }

    /// Whether this run has every row, and rounds enough for a verdict.
    pub(crate) fn is_complete(&self) -> bool {
        self.mode == Mode::Full && self.rounds >= ROUNDS_FOR_A_VERDICT && self.rows.len() == ROWS.len()
    }

    /// The measures in their order. Each round begins with another server.
    pub(crate) fn tasks(&self, cores: usize) -> Vec<Task> {
        let mut tasks = Vec::new();
        for round in 0..self.rounds {
            let mut servers = Server::ALL;
            servers.rotate_left(round % Server::ALL.len());
            for &row in self.rows.iter().filter(|row| row.cores <= cores) {
                let able = servers.iter().filter(|server| row.absence(**server).is_none());
                let taking_part = able.filter(|server| self.mode.includes(row, **server, round));
                tasks.extend(taking_part.map(|&server| Task { round, row, server, mode: self.mode }));
            }
        }
        tasks
    }
}

impl Task {
    /// How long its measure lasts, in seconds.
    pub(crate) fn seconds(&self) -> Option<f64> {
        let full = self.row.seconds?;
        Some(match self.mode {
            Mode::Full => full,
            Mode::Quick if self.row.heartbeat.is_some() => full,
            Mode::Smoke if self.row.heartbeat.is_some() => 0.5,
            Mode::Quick => (full / 2.0).max(0.2),
            Mode::Smoke => 0.1,
        })
    }

    /// How long the server works before it is measured, in seconds, if the measure can warm it up.
    pub(crate) fn warm_up(&self) -> Option<f64> {
        if !self.row.warms_up {
            return None;
        }
        Some(match self.mode {
            Mode::Smoke => 0.01,
            _ if self.server.is_javascript() => 0.3,
            Mode::Full => 0.1,
            Mode::Quick => 0.05,
        })
    }

    /// The measure's words, with few connections in a smoke run.
    pub(crate) fn load(&self) -> Vec<String> {
        let mut words: Vec<String> = self.row.load.split_whitespace().map(str::to_owned).collect();
        if self.mode == Mode::Smoke {
            cap(&mut words, "--connections", 20);
            cap(&mut words, "--times", 1);
        }
        words
    }

    /// The server's ping interval and timeout in milliseconds, where they are not the usual ones.
    pub(crate) fn heartbeat(&self) -> Option<(u32, u32)> {
        let (interval, timeout) = self.row.heartbeat?;
        match self.mode {
            Mode::Smoke => Some((SMOKE_HEARTBEAT.0.min(interval), SMOKE_HEARTBEAT.1.min(timeout))),
            _ => Some((interval, timeout)),
        }
    }
}

/// Ping interval and timeout of a smoke run: long enough for a machine that does other things at the same time.
const SMOKE_HEARTBEAT: (u32, u32) = (50, 1_000);

/// Lowers the number after an option.
fn cap(words: &mut [String], option: &str, most: u32) {
    let Some(place) = words.iter().position(|word| word == option) else { return };
    if let Some(number) = words.get_mut(place + 1) {
        *number = number.parse().map_or(most, |number: u32| number.min(most)).to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(plan: &Plan, round: usize, row: &str) -> Vec<Server> {
        let tasks = plan.tasks(2);
        let of_row = tasks.iter().filter(|task| task.round == round && task.row.name == row);
        of_row.map(|task| task.server).collect()
    }

    #[test]
    fn every_server_takes_its_turn_as_the_first() {
        let plan = Plan::new(Mode::Full, &[], None);
        assert_eq!(servers(&plan, 0, "memory-5000"), Server::ALL);
        let firsts: Vec<_> = (0..plan.rounds).map(|round| servers(&plan, round, "memory-5000")[0]).collect();
        for server in [Server::Ours, Server::Bare, Server::Engineioxide] {
            assert!(firsts.contains(&server), "{firsts:?}");
        }
        assert_eq!(plan.rounds, ROUNDS_FOR_A_VERDICT);
        assert!(plan.is_complete() && !Plan::new(Mode::Full, &[], Some(3)).is_complete());
    }

    #[test]
    fn a_round_finishes_a_row_before_the_next_one() {
        let tasks = Plan::new(Mode::Full, &[], Some(2)).tasks(2);
        let mut rows: Vec<_> = tasks.iter().map(|task| (task.round, task.row.name)).collect();
        rows.dedup();
        let mut distinct = rows.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(rows.len(), distinct.len());
    }

    #[test]
    fn a_row_brings_the_rows_that_it_needs() {
        let plan = Plan::new(Mode::Quick, &["latency".to_owned(), "heartbeats-15000".to_owned()], Some(1));
        let names: Vec<_> = plan.rows.iter().map(|row| row.name).collect();
        assert_eq!(names, ["echo-20x1", "latency", "heartbeats-1000", "heartbeats-15000"]);
    }

    #[test]
    fn javascript_takes_part_in_every_third_round_and_what_goals_need_in_all() {
        let plan = Plan::new(Mode::Full, &["echo-1k".to_owned()], None);
        assert_eq!(servers(&plan, 0, "echo-1k").len(), Server::ALL.len());
        for round in [1, 2] {
            assert_eq!(servers(&plan, round, "echo-1k").len(), 3, "ours, the bare loop and engineioxide");
        }
        assert_eq!(servers(&plan, 3, "echo-1k").len(), Server::ALL.len());
    }

    #[test]
    fn slow_rows_have_other_servers_in_every_third_round_and_ours_in_all() {
        let plan = Plan::new(Mode::Full, &["silence".to_owned()], None);
        assert!(servers(&plan, 0, "silence").contains(&Server::Node));
        assert_eq!(servers(&plan, 1, "silence"), [Server::Ours]);
        assert!(servers(&plan, 3, "silence").contains(&Server::Node));
    }

    #[test]
    fn a_quick_run_has_three_rounds_and_what_goals_need_in_each() {
        let plan = Plan::new(Mode::Quick, &[], None);
        assert_eq!(plan.rounds, 3);
        assert!(servers(&plan, 0, "echo-64k").contains(&Server::Node));
        assert_eq!(servers(&plan, 2, "echo-64k").len(), 3, "ours, the bare loop and engineioxide");
        assert_eq!(servers(&plan, 0, "broadcast").len(), 3, "a slow row has no time for the others");
        assert!(plan.rows.iter().all(|row| row.in_quick));
    }

    #[test]
    fn a_smoke_run_has_every_row_and_only_our_programs_with_few_connections() {
        let tasks = Plan::new(Mode::Smoke, &[], None).tasks(2);
        assert!(tasks.iter().all(|task| task.server.is_own()));
        let task = tasks.iter().find(|task| task.row.name == "silence").unwrap();
        assert_eq!(task.load(), ["silent", "--connections", "20"]);
        assert_eq!(task.heartbeat(), Some((50, 1_000)));
    }

    #[test]
    fn a_row_that_needs_more_cores_is_not_planned() {
        let plan = Plan::new(Mode::Full, &["workers-2-rate".to_owned()], Some(1));
        assert!(plan.tasks(2).is_empty());
        assert_eq!(plan.tasks(4).len(), 1);
    }
}
