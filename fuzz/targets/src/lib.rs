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

use mutate::Dice;

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
    seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "packet", run: packet::run, changed: 150_000, seeds: packet::seeds },
    Target { name: "payload", run: payload::run, changed: 75_000, seeds: payload::seeds },
    Target { name: "handshake", run: handshake::run, changed: 150_000, seeds: handshake::seeds },
    Target { name: "json", run: json::run, changed: 150_000, seeds: json::seeds },
    Target { name: "settings", run: settings::run, changed: 75_000, seeds: settings::seeds },
    Target { name: "websocket", run: websocket::run, changed: 75_000, seeds: websocket::seeds },
    Target { name: "opening", run: websocket::run_opening, changed: 75_000, seeds: websocket::opening_seeds },
    Target { name: "socketio", run: socketio::run, changed: 75_000, seeds: socketio::seeds },
    Target { name: "legacy", run: legacy::run, changed: 75_000, seeds: legacy::seeds },
    Target { name: "legacy_timers", run: legacy::run_timers, changed: 15_000, seeds: life::seeds },
    Target { name: "heartbeat", run: machines::run_heartbeat, changed: 15_000, seeds: life::seeds },
    Target { name: "session", run: machines::run_session, changed: 15_000, seeds: life::seeds },
    Target { name: "upgrade", run: machines::run_upgrade, changed: 15_000, seeds: life::seeds },
    Target { name: "pair", run: machines::run_pair, changed: 15_000, seeds: life::seeds },
    Target { name: "transports", run: transports::run, changed: 15_000, seeds: transports::seeds },
    Target { name: "http", run: http::run, changed: 4_500, seeds: http::seeds },
    Target { name: "client", run: client::run, changed: 4_500, seeds: client::seeds },
    Target { name: "board", run: board::run, changed: 15_000, seeds: board::seeds },
    Target {
        name: "board_socketio",
        run: board_socketio::run,
        changed: 15_000,
        seeds: board_socketio::seeds,
    },
    Target { name: "socketio_sessions", run: sessions::run, changed: 1_500, seeds: sessions::seeds },
];

impl Target {
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
        (0..self.changed).map(move |_| mutate::mutated(&mut dice, &inputs))
    }
}
