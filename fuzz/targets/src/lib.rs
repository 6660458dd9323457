//! What hostile input is played into: one function for each fuzz target, and the inputs that it starts with.
//!
//! The targets of libFuzzer, in the folder above, call these functions without end. The test `replay` calls them with the
//! seeds, with what libFuzzer has found, and with some changed copies of both. A function returns, whatever its input, or
//! panics because something is wrong.
#![forbid(unsafe_code)]

mod board;
mod board_socketio;
mod client;
mod handshake;
mod http;
mod json;
mod legacy;
mod life;
mod machines;
mod mutate;
mod packet;
mod payload;
mod reached;
mod recordings;
mod script;
mod sessions;
mod settings;
mod shared;
mod socketio;
mod transports;
mod websocket;

#[path = "../../../embassy-adapter/tests/client/clock.rs"]
#[allow(
    dead_code,
    clippy::pedantic,
    reason = "here these files are used in part, and their own crate has further lints"
)]
mod clock;
#[path = "../../../embassy-adapter/tests/client/fakes.rs"]
#[allow(dead_code, unfulfilled_lint_expectations, clippy::pedantic, reason = "as above")]
mod fakes;
#[path = "../../../embassy-adapter/tests/client/plain.rs"]
#[allow(dead_code, reason = "as above")]
mod stream;

pub use reached::take_reached;

use mutate::Dice;
use script::Steps;

/// One thing that input is played into.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// The name of libFuzzer's program, and of the folder of its inputs.
    pub name: &'static str,
    /// Plays one input.
    pub run: fn(&[u8]),
    /// How many changed copies of inputs the test `replay` plays. Together they take some seconds without optimisation.
    pub changed: usize,
    /// What changed copies of its inputs reach, as [`take_reached`] returns it.
    pub milestones: &'static [&'static str],
    seeds: fn() -> Vec<Vec<u8>>,
    /// How its inputs are read, if they are scripts.
    steps: Option<Steps>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target::new("packet", packet::run, 150_000, packet::seeds),
    Target::new("payload", payload::run, 75_000, payload::seeds),
    Target::new("handshake", handshake::run, 150_000, handshake::seeds),
    Target::new("json", json::run, 150_000, json::seeds),
    Target::new("settings", settings::run, 75_000, settings::seeds),
    Target::new("websocket", websocket::run, 75_000, websocket::seeds),
    Target::new("opening", websocket::run_opening, 75_000, websocket::opening_seeds),
    Target::new("socketio", socketio::run, 75_000, socketio::seeds),
    Target::new("legacy", legacy::run, 75_000, legacy::seeds),
    Target::new("legacy_timers", legacy::run_timers, 15_000, life::seeds),
    Target::new("heartbeat", machines::run_heartbeat, 15_000, life::seeds),
    Target::new("session", machines::run_session, 15_000, life::seeds),
    Target::new("upgrade", machines::run_upgrade, 15_000, life::seeds),
    Target::new("pair", machines::run_pair, 15_000, life::seeds),
    Target::new("transports", transports::run, 15_000, transports::seeds).reaching(transports::MILESTONES),
    Target::new("http", http::run, 4_500, http::seeds).of(http::STEPS, http::MILESTONES),
    Target::new("client", client::run, 4_500, client::seeds).of(client::STEPS, client::MILESTONES),
    Target::new("board", board::run, 15_000, board::seeds).of(board::STEPS, board::MILESTONES),
    Target::new("board_socketio", board_socketio::run, 15_000, board_socketio::seeds),
    Target::new("socketio_sessions", sessions::run, 1_500, sessions::seeds)
        .of(sessions::STEPS, sessions::MILESTONES),
];

impl Target {
    const fn new(name: &'static str, run: fn(&[u8]), changed: usize, seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { name, run, changed, milestones: &[], seeds, steps: None }
    }

    const fn reaching(self, milestones: &'static [&'static str]) -> Self {
        Self { milestones, ..self }
    }

    /// A target of scripts.
    const fn of(self, steps: Steps, milestones: &'static [&'static str]) -> Self {
        Self { steps: Some(steps), milestones, ..self }
    }

    /// The target of this name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn named(name: &str) -> &'static Self {
        let target = TARGETS.iter().find(|target| target.name == name);
        target.unwrap_or_else(|| panic!("no target is called {name}"))
    }

    /// Plays one input into the target of this name.
    ///
    /// # Panics
    /// When there is none, or when something is wrong.
    pub fn play(name: &str, data: &[u8]) {
        (Self::named(name).run)(data);
    }

    /// The inputs that the vectors and recordings of the reference implementations make, each once.
    #[must_use]
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = (self.seeds)();
        seeds.sort();
        seeds.dedup();
        seeds
    }

    /// Changed copies of the inputs, the same in every run.
    pub fn changed(&self, inputs: &[Vec<u8>]) -> impl Iterator<Item = Vec<u8>> + use<'_> {
        let mut dice = Dice::new(self.name.bytes().map(u64::from).sum());
        let inputs = inputs.to_vec();
        (0..self.changed).map(move |_| match self.steps {
            // Bytes that are no steps are of use, too.
            Some(steps) if dice.roll(4) > 0 => mutate::stepped(&mut dice, &inputs, steps),
            _ => mutate::mutated(&mut dice, &inputs),
        })
    }
}
