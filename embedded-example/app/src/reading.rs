//! A reading: the temperature, and a count that shows the server which readings are missing.

use core::fmt::Write as _;

use heapless::String;

use crate::Sensor;

/// Counts the readings since the board started.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    count: u32,
}

/// A reading as JSON: the count has at most 10 digits, and the temperature at most 11 characters.
pub(crate) type Json = String<48>;

impl Readings {
    pub(crate) fn next(&mut self, sensor: &mut impl Sensor) -> Json {
        self.count = self.count.wrapping_add(1);
        let millidegrees = sensor.millidegrees();
        let mut json = Json::new();
        // Cannot fail: the text always fits.
        let _ = write!(json, "{{\"count\":{},\"millidegrees\":{millidegrees}}}", self.count);
        json
    }
}
