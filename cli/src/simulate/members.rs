//! What a setting did, as members of JSON and as columns of comma-separated values.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::answer::{Cell, Tried};
use super::cost::rounded;
use super::outcome::Summary;
use super::scenario::Scenario;
use super::sweep::Sweep;
use crate::duration::{millis, precise_millis};

impl Cell {
    /// Returns the members, which the help lists.
    pub(super) fn members(&self) -> Map<String, Value> {
        let Self { interval, timeout, summary, noticed_within, .. } = self;
        let cost = &summary.cost;
        let mut members = object(json!({
            "ping_interval_ms": millis(*interval),
            "ping_timeout_ms": millis(*timeout),
        }));
        members.extend(summary.members());
        members.extend(object(json!({
            "noticed_within_ms": precise_millis(*noticed_within),
            "slowest_heartbeat_ms": precise_millis(summary.slowest),
            "heartbeats_per_hour": rounded(cost.heartbeats_per_hour()),
            "wire_bytes_per_hour": rounded(cost.wire_bytes_per_hour()),
            "radio_wake_ups_per_hour": rounded(cost.wake_ups_per_hour()),
            "radio_awake_minutes_per_hour": rounded(cost.awake_minutes_per_hour()),
        })));
        members
    }
}

impl Tried {
    /// Returns the members of the cell, and those of each fleet.
    pub(super) fn members(&self, scenario: &Scenario) -> Map<String, Value> {
        let fleets = scenario.fleets.iter().zip(&self.fleets).map(|(fleet, summary)| {
            let mut members = object(json!({ "name": fleet.name }));
            members.extend(summary.members());
            Value::Object(members)
        });
        let fleets = fleets.collect();
        let mut members = self.cell.members();
        members.insert("fleets".to_owned(), Value::Array(fleets));
        members
    }
}

impl Summary {
    /// Returns the members that say what became of sessions.
    fn members(&self) -> Map<String, Value> {
        object(json!({
            "sessions": self.sessions,
            "session_hours": rounded(self.cost.hours()),
            "false_disconnects": self.false_ends,
            "deaths": self.deaths,
            "noticed_median_ms": self.median.map(millis),
            "noticed_p99_ms": self.most.map(millis),
            "noticed_max_ms": self.longest.map(millis),
        }))
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Writes a line with the names of the columns, and one for each setting. An unknown value is empty.
pub(super) fn csv<'c>(cells: impl IntoIterator<Item = &'c Cell>, out: &mut dyn Write) -> io::Result<()> {
    for (index, cell) in cells.into_iter().enumerate() {
        let members = cell.members();
        if index == 0 {
            writeln!(out, "{}", members.keys().map(String::as_str).collect::<Vec<_>>().join(","))?;
        }
        let value = |value: &Value| if value.is_null() { String::new() } else { value.to_string() };
        writeln!(out, "{}", members.values().map(value).collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}

impl Sweep {
    /// Returns each setting once, by interval and timeout.
    pub(super) fn settings(&self) -> Vec<&Cell> {
        let mut cells: Vec<_> = self.cells().collect();
        cells.sort_by_key(|cell| (cell.interval, cell.timeout));
        cells.dedup_by_key(|cell| (cell.interval, cell.timeout));
        cells
    }

    /// Returns the settings and the answer.
    pub(super) fn json(&self) -> (Value, Value) {
        let settings = self.settings().into_iter().map(|cell| Value::Object(cell.members())).collect();
        let answer = self.answer();
        let member = |cell: Option<&Cell>| cell.map(|cell| Value::Object(cell.members()));
        let answer = json!({ "shortest": member(answer.shortest), "cheapest": member(answer.cheapest) });
        (Value::Array(settings), answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::answer;
    use crate::simulate::options::MEMBERS;

    fn cell(timeout: u64) -> Cell {
        Cell { summary: Summary::default(), ..answer::tests::cell(7, timeout, 0) }
    }

    #[test]
    fn the_columns_are_the_members_and_the_help_lists_them() {
        let mut out = Vec::new();
        csv(&[cell(52), cell(53)], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("7000,52000,0,0.0,0,0,,,,59000.0,"), "{text}");
        assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
        for column in lines[0].split(',') {
            assert!(MEMBERS.contains(column), "{column}");
        }
    }
}
