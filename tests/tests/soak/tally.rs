//! Who is still there, and who was lost when.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::plan::Plan;

/// What a client tells.
#[derive(Debug)]
pub(crate) enum News {
    Opened,
    Unopened {
        group: usize,
        why: String,
    },
    Lost {
        group: usize,
        after_ping: Option<Duration>,
        why: String,
    },
    /// It was there to the end.
    Stayed,
}

/// The count of everything.
pub(crate) struct Tally {
    plan: Plan,
    open: usize,
    stayed: usize,
    /// By group.
    heartbeats: Vec<Arc<AtomicU64>>,
    /// By group.
    failures: Vec<Vec<String>>,
}

impl Tally {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            open: 0,
            stayed: 0,
            heartbeats: plan.groups.iter().map(|_| Arc::default()).collect(),
            failures: plan.groups.iter().map(|_| Vec::new()).collect(),
        }
    }

    /// Where the clients of a group count their heartbeats.
    pub(crate) fn beats(&self, group: usize) -> Arc<AtomicU64> {
        self.heartbeats.get(group).map(Arc::clone).unwrap_or_default()
    }

    /// Takes one client's news.
    pub(crate) fn take(&mut self, at: Duration, news: News) {
        let (group, why) = match news {
            News::Opened => {
                self.open += 1;
                return;
            }
            News::Stayed => {
                self.stayed += 1;
                return;
            }
            News::Unopened { group, why } => (group, format!("not opened: {why}")),
            News::Lost { group, after_ping, why } => {
                self.open -= 1;
                let after = after_ping.map(|after| format!(", {} ms after a ping", after.as_millis()));
                (group, format!("lost after {:.3} s{}: {why}", at.as_secs_f64(), after.unwrap_or_default()))
            }
        };
        if let Some(failures) = self.failures.get_mut(group) {
            failures.push(why);
        }
    }

    /// Prints a line for every kind of client, and for every loss. Returns how many failures there were.
    pub(crate) fn summarize(&self) -> usize {
        let mut failed = 0;
        println!();
        for ((group, beats), failures) in self.plan.groups.iter().zip(&self.heartbeats).zip(&self.failures) {
            let beats = beats.load(Ordering::Relaxed);
            println!("{group}: {beats} heartbeats, {} lost", failures.len());
            for why in failures {
                println!("    {why}");
            }
            failed += failures.len();
            let expected = group.expected(self.plan.lasts);
            if failures.is_empty() && beats < expected {
                println!("    fewer heartbeats than {expected}: nothing was tested");
                failed += 1;
            }
        }
        let silent = self.plan.clients().saturating_sub(self.stayed + failed);
        if silent > 0 {
            println!("{silent} clients never said how they ended");
        }
        println!("\nsoak: {self}");
        failed + silent
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beats: u64 = self.heartbeats.iter().map(|beats| beats.load(Ordering::Relaxed)).sum();
        let lost: usize = self.failures.iter().map(Vec::len).sum();
        write!(f, "{} open, {beats} heartbeats, {lost} lost", self.open)
    }
}
