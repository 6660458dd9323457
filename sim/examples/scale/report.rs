//! What is printed: lines while the worlds run, and a summary at the end.

#![expect(clippy::disallowed_methods, reason = "it measures the machine's time")]

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use eio_sim::{Margins, Side, Traffic, World};

use crate::options::Options;

/// How often a world says how far it is.
const PERIOD: Duration = Duration::from_secs(30);

/// How sessions of a whole world end, among others.
const KINDS: [&str; 5] = ["ping timeout", "transport", "forced close", "open timeout", "application stalled"];

/// A world at work.
pub(crate) struct Progress<'a> {
    options: &'a Options,
    world: u32,
    began: Instant,
    shown: Instant,
    steps: u32,
}

impl<'a> Progress<'a> {
    pub(crate) fn begin(options: &'a Options, world: u32) -> Self {
        Self { options, world, began: Instant::now(), shown: Instant::now(), steps: 0 }
    }

    pub(crate) fn show(&mut self, world: &World) {
        // The clock is not read for each step.
        self.steps = self.steps.wrapping_add(1);
        if !self.steps.is_multiple_of(256) || self.shown.elapsed() < PERIOD {
            return;
        }
        self.shown = Instant::now();
        let totals = world.totals();
        println!(
            "scale: world {}: {} of {}, {} sessions began, {} ends, {} for silence; {} s, {} MB",
            self.world + 1,
            Clock(world.now()),
            Clock(self.options.time),
            totals.connected,
            totals.ends().map(|(_, _, count)| count).sum::<u64>(),
            world.margins().judged,
            self.began.elapsed().as_secs(),
            resident("VmRSS:").map_or(0, |bytes| bytes / 1_000_000)
        );
    }
}

/// Days, hours and minutes.
struct Clock(Duration);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.as_secs() / 60;
        write!(f, "{} d {:02}:{:02}", minutes / 1_440, minutes / 60 % 24, minutes % 60)
    }
}

/// What one world has seen.
pub(crate) struct Share {
    connected: u64,
    upgraded: u64,
    traffic: Traffic,
    ends: Vec<(Side, String, u64)>,
    margins: Margins,
    lives: Lives,
}

/// How long sessions have been open.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lives {
    longest: Duration,
    together: Duration,
}

impl Lives {
    pub(crate) fn add(&mut self, lived: Duration) {
        self.longest = self.longest.max(lived);
        self.together += lived;
    }
}

impl Share {
    pub(crate) fn of(world: &World, lives: Lives) -> Self {
        let totals = world.totals();
        Self {
            connected: totals.connected,
            upgraded: totals.upgraded,
            traffic: totals.traffic,
            ends: totals.ends().map(|(side, reason, count)| (side, reason.to_string(), count)).collect(),
            margins: world.margins(),
            lives,
        }
    }
}

/// What all worlds have seen.
pub(crate) struct Report {
    title: String,
    time: Duration,
    connected: u64,
    upgraded: u64,
    packets: u64,
    segments: u64,
    lost: u64,
    ends: BTreeMap<(String, Side), u64>,
    judged: u64,
    undisturbed: u64,
    to_latest: Option<Duration>,
    to_earliest: Option<Duration>,
    lives: Lives,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        let Options { name, sessions, seed, .. } = options;
        let sessions = if options.place.is_some() { 1 } else { *sessions };
        Self {
            title: format!("{name}, seed {seed}: {sessions} places for {}", Clock(options.time)),
            time: options.time,
            connected: 0,
            upgraded: 0,
            packets: 0,
            segments: 0,
            lost: 0,
            ends: BTreeMap::new(),
            judged: 0,
            undisturbed: 0,
            to_latest: None,
            to_earliest: None,
            lives: Lives::default(),
        }
    }

    pub(crate) fn add(&mut self, share: &Share) {
        self.connected += share.connected;
        self.upgraded += share.upgraded;
        self.packets += share.traffic.packets();
        for direction in [share.traffic.to_server, share.traffic.to_client] {
            self.segments += direction.segments;
            self.lost += direction.lost;
        }
        for (side, reason, count) in &share.ends {
            *self.ends.entry((reason.clone(), *side)).or_default() += count;
        }
        self.lives.longest = self.lives.longest.max(share.lives.longest);
        self.lives.together += share.lives.together;
        self.judged += share.margins.judged;
        self.undisturbed += share.margins.undisturbed;
        let least = |a: Option<Duration>, b: Option<Duration>| [a, b].into_iter().flatten().min();
        self.to_latest = least(self.to_latest, share.margins.to_latest);
        self.to_earliest = least(self.to_earliest, share.margins.to_earliest);
    }

    /// What has never happened. A world without it shows nothing of it.
    pub(crate) fn lacks(&self) -> Option<String> {
        let ended = |what: &&str| self.ends.keys().any(|(reason, _)| reason.contains(what));
        let mut lacks: Vec<_> = KINDS.into_iter().filter(|kind| !ended(kind)).collect();
        lacks.extend((self.judged == 0).then_some("judged silence"));
        lacks.extend((self.upgraded == 0).then_some("upgrade"));
        (!lacks.is_empty()).then(|| lacks.join(", "))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "scale: {}", self.title)?;
        writeln!(
            f,
            "scale: {} sessions, on average {} of them open at a time, the longest for {}; {} upgrades; {} packets in {} \
             segments, of which {} were lost",
            self.connected,
            self.lives.together.as_micros() / self.time.as_micros().max(1),
            Clock(self.lives.longest),
            self.upgraded,
            self.packets,
            self.segments,
            self.lost
        )?;
        for ((reason, side), count) in &self.ends {
            writeln!(f, "scale: {count:>10} ends on the {side}: {reason}")?;
        }
        let micros = |margin: Option<Duration>| {
            margin.map_or_else(|| "none".to_owned(), |margin| format!("{} µs", margin.as_micros()))
        };
        writeln!(
            f,
            "scale: {} ends for silence, {} of them of programs that ran all the time; no bound was passed or undercut, and \
             every other end had a cause; the smallest margins are {} to the latest end allowed, {} to the earliest",
            self.judged,
            self.undisturbed,
            micros(self.to_latest),
            micros(self.to_earliest)
        )
    }
}

/// What the machine has spent.
pub(crate) struct Measures(Instant);

impl Measures {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }
}

impl fmt::Display for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = || "an unknown number of".to_owned();
        writeln!(
            f,
            "scale: {} s of time, {} s of processor time, at most {} MB",
            self.0.elapsed().as_secs(),
            processor_seconds().map_or_else(unknown, |seconds| seconds.to_string()),
            resident("VmHWM:").map_or_else(unknown, |bytes| (bytes / 1_000_000).to_string())
        )
    }
}

/// A line of what Linux knows of this process, in bytes.
fn resident(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|text| text.strip_prefix(line))?;
    kilobytes.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// The processor time of all threads, on Linux, which counts it in hundredths of a second.
fn processor_seconds() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may contain blanks. The fields behind it begin with the third.
    let (_, fields) = stat.rsplit_once(") ")?;
    let times = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().ok());
    times.sum::<Option<u64>>().map(|ticks| ticks / 100)
}
