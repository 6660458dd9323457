//! The figures of a measure, and how busy both sides were.

use std::time::{Duration, Instant};

use serde_json::{Map, Number, Value};

use crate::clock;
use crate::failure::Result;
use crate::process::Process;

/// The figures of a measure, by name.
#[derive(Debug, Default)]
pub struct Report {
    figures: Map<String, Value>,
}

impl Report {
    /// Adds a figure.
    ///
    /// # Panics
    /// Panics if it is not finite, which JSON cannot say.
    #[must_use]
    pub fn with(mut self, name: &str, figure: f64) -> Self {
        // Three digits are more than any figure is good for, and the line stays readable.
        let figure = if figure.abs() < 1e12 { (figure * 1e3).round() / 1e3 } else { figure };
        let number = Number::from_f64(figure).unwrap_or_else(|| panic!("{name} is not a finite number"));
        self.figures.insert(name.to_owned(), Value::Number(number));
        self
    }

    /// Returns the figures as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        Value::Object(self.figures.clone()).to_string()
    }

    /// Returns a figure.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name)?.as_f64()
    }
}

/// A moment, and what both sides had used until then.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Instant,
    server: Duration,
    load: Duration,
}

impl Moment {
    /// Reads the clock and the processor time of both sides.
    ///
    /// # Errors
    /// Fails if the server has ended.
    pub fn now(server: Process) -> Result<Self> {
        Self::of_all(&[server])
    }

    /// Reads them for a server that consists of several processes.
    ///
    /// # Errors
    /// Fails if one of them has ended.
    pub fn of_all(processes: &[Process]) -> Result<Self> {
        let server = Process::processor_time_of_all(processes)?;
        let load = Process::this().processor_time()?;
        Ok(Self { at: clock::now(), server, load })
    }

    /// Returns what passed since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Period {
        Period {
            time: self.at - earlier.at,
            server: self.server.saturating_sub(earlier.server),
            load: self.load.saturating_sub(earlier.load),
        }
    }
}

/// What passed between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    time: Duration,
    server: Duration,
    load: Duration,
}

impl Period {
    /// Reports how often something happened in this time, and what it cost the server each time.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
    pub fn rate(self, count: u64) -> Report {
        let times = count.max(1) as f64;
        Report::default()
            .with("per_second", count as f64 / self.time.as_secs_f64())
            .with("server_cpu_us", self.server.as_secs_f64() * 1e6 / times)
            .with("server_busy", self.server.as_secs_f64() / self.time.as_secs_f64())
            .with("load_busy", self.load.as_secs_f64() / self.time.as_secs_f64())
            .with("seconds", self.time.as_secs_f64())
    }

    /// Returns the server's processor time in microseconds, for each of `count`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
    pub fn server_us_each(self, count: u64) -> f64 {
        self.server.as_secs_f64() * 1e6 / count.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_count_by_the_time_and_the_cost_is_the_servers_time_by_the_count() {
        let period = Period {
            time: Duration::from_millis(500),
            server: Duration::from_millis(400),
            load: Duration::from_millis(100),
        };
        let report = period.rate(1_000);
        let figure = |name| report.figure(name).unwrap();
        assert!((figure("per_second") - 2_000.0).abs() < 0.01);
        assert!((figure("server_cpu_us") - 400.0).abs() < 0.01);
        assert!((figure("server_busy") - 0.8).abs() < 0.001);
        assert!((figure("load_busy") - 0.2).abs() < 0.001);
    }

    #[test]
    fn a_report_is_one_line_of_json_with_plain_numbers() {
        let report = Report::default().with("bytes_each", 2_444.0).with("seconds", 1.25);
        assert_eq!(report.to_json(), r#"{"bytes_each":2444.0,"seconds":1.25}"#);
    }
}
