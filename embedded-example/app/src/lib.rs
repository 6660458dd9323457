//! One application for every board. It reports a sensor's reading to a server once a second, executes commands, blinks a
//! lamp while it is connected, and recovers from failures of the network and the server.
//!
//! A board provides a network stack, a [`Sensor`], a lamp on an output pin, and randomness. It runs two futures, best as
//! two tasks: [`client::run`] holds the session, and [`lamp::run`] shows its state. The rest of the application is in
//! this crate, which does not depend on a board.
//!
//! ```text
//!   Sensor ──▶ client::run ◀──▶ eio-embassy ◀──▶ embassy-net ◀──▶ server
//!                  │ state, lamp mode
//!                  ▼
//!   lamp  ◀── lamp::run
//! ```
#![no_std]
#![forbid(unsafe_code)]

pub mod client;
mod command;
mod engineio;
pub mod lamp;
mod pattern;
mod reading;
mod socketio;
#[cfg(feature = "tls")]
pub mod tls;

/// A temperature sensor.
pub trait Sensor {
    /// Returns the temperature in thousandths of a degree Celsius. Must not block.
    fn millidegrees(&mut self) -> i32;
}

/// A simulated sensor for boards without one: its temperature rises and falls.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandIn {
    step: u32,
}

impl Sensor for StandIn {
    fn millidegrees(&mut self) -> i32 {
        self.step = (self.step + 1) % 400;
        let up = self.step.min(400 - self.step);
        20_000 + i32::try_from(up).unwrap_or(0) * 10
    }
}
