//! One application for every board: a sensor that reports to a server once a second, obeys commands, blinks while it
//! is connected, and survives whatever happens to the network and the server.
//!
//! A board brings a network stack, a [`Sensor`], a lamp on an output pin and randomness, and runs two futures for ever, best as two
//! tasks: [`client::run`], which holds the session, and [`lamp::run`], which shows what it is doing. Everything else is
//! here, and nothing here knows a board.
//!
//! ```text
//!   Sensor ──▶ client::run ◀──▶ eio-embassy ◀──▶ embassy-net ◀──▶ server
//!                  │ state, lamp mode
//!                  ▼
//!   lamp  ◀── lamp::run
//! ```
#![no_std]

pub mod client;
mod command;
mod engineio;
pub mod lamp;
mod pattern;
mod reading;
mod socketio;

/// Something to measure.
pub trait Sensor {
    /// The temperature in thousandths of a degree Celsius. Takes no time worth mentioning.
    fn millidegrees(&mut self) -> i32;
}

/// For boards without a sensor: a temperature that walks about.
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
