//! What is reported: a number that only grows, so that the server sees what is missing, and the temperature.

use core::fmt::Write as _;

use heapless::String;

use crate::Sensor;

/// Counts the readings since the board started.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    count: u32,
}

/// A reading as JSON: at most 10 digits and a temperature of 11.
pub(crate) type Json = String<48>;

impl Readings {
    pub(crate) fn next(&mut self, sensor: &mut impl Sensor) -> Json {
        self.count = self.count.wrapping_add(1);
        let millidegrees = sensor.millidegrees();
        let mut json = Json::new();
        // It always fits.
        let _ = write!(json, "{{\"count\":{},\"millidegrees\":{millidegrees}}}", self.count);
        json
    }
}
