//! Many sessions, on all cores: what became of them.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::thread;

use eio_core::Heartbeat;
use eio_sim::{Happening, Random, Side};

use super::answer::{Cell, Tried};
use super::cost::{Cost, Radio};
use super::network::{self, Draw, Setting};
use super::options::Request;
use super::outcome::{Ending, Fate, Outcome, Summary};
use super::progress::Progress;
use super::report::detections;
use super::scenario::{Fleet, Scenario};

/// About how many heartbeats a thread simulates before it takes the next sessions.
const BATCH: u64 = 2_000;

/// About how many batches there are at most, because each takes memory.
const MAX_BATCHES: u64 = 100_000;

/// Simulates `times` as many sessions as the scenario has, with each of these settings. Returns what each setting did.
pub(super) fn simulate(
    request: &Request,
    settings: &[Heartbeat],
    times: u32,
    progress: &Progress,
) -> Vec<Tried> {
    let jobs = jobs(&request.scenario, settings, times);
    progress.begin(&what(request, settings.len(), times), jobs.iter().map(|job| job.heartbeats).sum());
    // Those of the fleets of each setting follow each other.
    let fleets = request.scenario.fleets.len();
    let outcomes: Vec<Mutex<Outcome>> = (0..settings.len() * fleets).map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = job.run(request);
            if let Some(whole) = outcomes.get(job.setting * fleets + job.fleet) {
                whole.lock().unwrap_or_else(PoisonError::into_inner).merge(outcome);
            }
            progress.add(job.heartbeats);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let outcomes: Vec<Outcome> = outcomes
        .into_iter()
        .map(|outcome| outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect();
    let of_settings = outcomes.chunks(fleets.max(1)).zip(settings);
    of_settings.map(|(outcomes, heartbeat)| tried(request, *heartbeat, outcomes)).collect()
}

fn tried(request: &Request, heartbeat: Heartbeat, outcomes: &[Outcome]) -> Tried {
    let mut whole = Outcome::default();
    for outcome in outcomes {
        whole.merge(outcome.clone());
    }
    let fleets = outcomes.iter().map(|outcome| outcome.clone().summary()).collect();
    Tried { cell: cell(request, heartbeat, &whole.summary()), fleets }
}

fn cell(request: &Request, heartbeat: Heartbeat, summary: &Summary) -> Cell {
    let [(_, detection), _] = detections(heartbeat, request.liveness, request.revision);
    let by_the_rules = detection.after_death_max;
    let at_most = by_the_rules + request.scenario.longest_delay(by_the_rules);
    Cell {
        interval: heartbeat.ping_interval(),
        timeout: heartbeat.ping_timeout(),
        summary: *summary,
        noticed_within: at_most.max(summary.longest.unwrap_or_default()),
        is_lucky: false,
    }
}

fn what(request: &Request, settings: usize, times: u32) -> String {
    let sessions = u64::from(request.scenario.sessions()) * u64::from(times);
    let sessions = super::report::grouped(sessions);
    match settings {
        1 => format!("{sessions} sessions"),
        _ => format!("{settings} settings of {sessions} sessions"),
    }
}

/// Some sessions of one fleet with one setting.
struct Job {
    setting: usize,
    heartbeat: Heartbeat,
    fleet: usize,
    first: u32,
    count: u32,
    heartbeats: u64,
}

fn jobs(scenario: &Scenario, settings: &[Heartbeat], times: u32) -> Vec<Job> {
    let mut jobs = Vec::new();
    let all = u64::from(scenario.sessions()) * u64::from(times) * settings.len() as u64;
    for (setting, heartbeat) in settings.iter().enumerate() {
        let each = scenario.lasts.as_micros() / heartbeat.ping_interval().as_micros().max(1);
        let each = u64::try_from(each).unwrap_or(u64::MAX).clamp(1, 1 << 32);
        let batch = (BATCH / each).clamp(1, 1_000).max(all / MAX_BATCHES);
        let batch = u32::try_from(batch).unwrap_or(u32::MAX);
        for (fleet, sessions) in scenario.fleets.iter().map(|fleet| fleet.sessions * times).enumerate() {
            for first in (0..sessions).step_by(batch as usize) {
                let count = batch.min(sessions - first);
                let heartbeats = each * u64::from(count);
                jobs.push(Job { setting, heartbeat: *heartbeat, fleet, first, count, heartbeats });
            }
        }
    }
    jobs
}

impl Job {
    fn run(&self, request: &Request) -> Outcome {
        let mut outcome = Outcome::default();
        let setting = request.setting().with(self.heartbeat);
        let Some(fleet) = request.scenario.fleets.get(self.fleet) else { return outcome };
        for index in self.first..self.first + self.count {
            let seed = seed(request.scenario.seed, self.fleet, index);
            outcome.add(live(&setting, fleet, &request.scenario, request.radio_tail, seed));
        }
        outcome
    }
}

/// Returns the seed of one session.
fn seed(seed: u64, fleet: usize, session: u32) -> u64 {
    // Each step mixes all bits.
    let mixed = Random::new(seed).next() ^ fleet as u64;
    Random::new(mixed).next() ^ u64::from(session)
}

/// Returns a number from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
fn share(random: &mut Random) -> f64 {
    (random.next() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Simulates one session from its opening to its end, or to the end of the simulation.
fn live(setting: &Setting, fleet: &Fleet, scenario: &Scenario, tail: Duration, seed: u64) -> Fate {
    let mut random = Random::new(seed);
    let draw = Draw::new(fleet, &mut || share(&mut random));
    let life = draw.life(setting.heartbeat, scenario.lasts);
    let (mut world, session) = network::world(setting, fleet, &draw, life, random.next());
    world.keep_lines(0);
    let mut radio = Radio::new(tail);
    let (mut heartbeats, mut slowest) = (0, Duration::ZERO);
    let until = life.dies_at.unwrap_or(scenario.lasts);
    let mut ended = None;
    while let Some(event) = world.next_event(until) {
        match event.what {
            Happening::Heartbeat { rtt } => {
                if event.side == Side::Client {
                    radio.packet(event.at);
                    heartbeats += 1;
                }
                slowest = slowest.max(rtt.unwrap_or_default());
            }
            Happening::Ended(end) => {
                ended = Some(end.at);
                break;
            }
            _ => {}
        }
    }
    let end = ended.unwrap_or(until);
    let traffic = world.traffic(session);
    let (wake_ups, awake) = radio.until(end);
    let open = end.saturating_sub(life.opens_at);
    let (up, down) = (traffic.to_server, traffic.to_client);
    // Of each heartbeat, the last acknowledgement travels alone.
    let segments = up.segments + down.segments + heartbeats;
    let bytes = up.bytes + down.bytes;
    let cost = Cost { open, heartbeats, segments, bytes, wake_ups, awake };
    let ending = match (ended, life.dies_at) {
        (Some(_), _) => Ending::False,
        (None, None) => Ending::Open,
        (None, Some(death)) => {
            let survivor = Side::from(fleet.dead.peer());
            let patience = setting.patience();
            world.run_until(death + patience);
            let noticed = world.end(session, survivor).map_or(patience, |end| end.at.saturating_sub(death));
            Ending::Noticed(noticed)
        }
    };
    Fate { ending, slowest, cost }
}
