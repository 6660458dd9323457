//! What was measured: the numbers of every round, by row and server, and their JSON form.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::bench::machine::Machine;
use crate::bench::rows;
use crate::bench::server::Server;
use crate::bench::statistics::Summary;

/// The version of the JSON form.
const FORMAT: u64 = 1;

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// How many rounds were planned.
    pub(crate) rounds: usize,
    /// Whether the measures were the short ones of `--quick`.
    pub(crate) is_quick: bool,
    /// What was measured, each with its version.
    pub(crate) versions: BTreeMap<String, String>,
    cells: BTreeMap<(String, Server), Cell>,
}

/// One server in one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    /// The numbers of each round in which it was measured.
    pub(crate) samples: Vec<Sample>,
    /// Why it does not take part.
    pub(crate) not_run: Option<String>,
    /// What went wrong.
    pub(crate) failures: Vec<String>,
}

/// What one measure yielded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) round: usize,
    pub(crate) numbers: BTreeMap<String, f64>,
}

impl Results {
    pub(crate) fn new(machine: Machine, rounds: usize, is_quick: bool) -> Self {
        Self { machine, rounds, is_quick, versions: BTreeMap::new(), cells: BTreeMap::new() }
    }

    pub(crate) fn cell(&self, row: &str, server: Server) -> Option<&Cell> {
        self.cells.get(&(row.to_owned(), server))
    }

    pub(crate) fn cell_mut(&mut self, row: &str, server: Server) -> &mut Cell {
        self.cells.entry((row.to_owned(), server)).or_default()
    }

    /// Whether anything is known about the row.
    pub(crate) fn has_row(&self, row: &str) -> bool {
        self.cells.keys().any(|(known, _)| known == row)
    }

    /// What went wrong, each with its row and server.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failures = self.cells.iter().flat_map(|((row, server), cell)| {
            let title = rows::named(row).map_or(server.column(), |row| row.title_of(*server));
            cell.failures.iter().map(move |failure| format!("{row}, {title}: {failure}"))
        });
        failures.collect()
    }

    /// The number of one round.
    pub(crate) fn number(&self, row: &str, server: Server, round: usize, key: &str) -> Option<f64> {
        let sample = self.cell(row, server)?.samples.iter().find(|sample| sample.round == round)?;
        sample.numbers.get(key).copied()
    }

    /// A number over all rounds.
    pub(crate) fn summary(&self, row: &str, server: Server, key: &str) -> Option<Summary> {
        let samples = &self.cell(row, server)?.samples;
        Summary::of(samples.iter().filter_map(|sample| sample.numbers.get(key).copied()))
    }

    /// How a number compares with another one of the same round, over all rounds that have both. A number that is not
    /// above zero, such as one that is early instead of late, is in no ratio.
    pub(crate) fn ratio(
        &self,
        key: &str,
        (row, server): (&str, Server),
        (base_row, base): (&str, Server),
    ) -> Option<Summary> {
        let samples = &self.cell(row, server)?.samples;
        Summary::of(samples.iter().filter_map(|sample| {
            let divisor = self.number(base_row, base, sample.round, key)?;
            let number = *sample.numbers.get(key)?;
            (number > 0.0 && divisor > 0.0).then(|| number / divisor)
        }))
    }

    /// The JSON form, one line for each server of a row.
    pub(crate) fn to_json(&self) -> String {
        let mut rows: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((row, server), cell) in &self.cells {
            rows.entry(row).or_default().push(format!("      {:?}: {}", server.name(), cell.to_json()));
        }
        let rows: Vec<String> = rows
            .iter()
            .map(|(row, cells)| format!("    {}: {{\n{}\n    }}", json!(row), cells.join(",\n")))
            .collect();
        format!(
            "{{\n  \"format\": {FORMAT},\n  \"machine\": {},\n  \"rounds\": {},\n  \"quick\": {},\n  \
             \"versions\": {},\n  \"rows\": {{\n{}\n  }}\n}}\n",
            self.machine.to_json(),
            self.rounds,
            self.is_quick,
            json!(self.versions),
            rows.join(",\n"),
        )
    }

    /// Reads the JSON form.
    pub(crate) fn from_json(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if value["format"] != json!(FORMAT) {
            return Err(format!("its format is {}: expected {FORMAT}", value["format"]));
        }
        Self::read(&value).ok_or_else(|| "it has another form than results of the benchmark".to_owned())
    }

    fn read(value: &Value) -> Option<Self> {
        let machine = Machine::from_json(&value["machine"])?;
        let rounds = usize::try_from(value["rounds"].as_u64()?).ok()?;
        let mut results = Self::new(machine, rounds, value["quick"].as_bool()?);
        for (name, version) in value["versions"].as_object()? {
            results.versions.insert(name.clone(), version.as_str()?.to_owned());
        }
        for (row, cells) in value["rows"].as_object()? {
            for (server, cell) in cells.as_object()? {
                *results.cell_mut(row, Server::from_name(server)?) = Cell::read(cell)?;
            }
        }
        Some(results)
    }
}

impl Cell {
    /// One array for each number, as long as the one of the rounds.
    fn to_json(&self) -> Value {
        let mut object = Map::new();
        if !self.samples.is_empty() {
            let rounds: Vec<usize> = self.samples.iter().map(|sample| sample.round + 1).collect();
            object.insert("round".to_owned(), json!(rounds));
        }
        for key in self.samples.iter().flat_map(|sample| sample.numbers.keys()) {
            let number = |sample: &Sample| sample.numbers.get(key).map(|number| rounded(*number));
            let column: Vec<Option<f64>> = self.samples.iter().map(number).collect();
            object.insert(key.clone(), json!(column));
        }
        if let Some(reason) = &self.not_run {
            object.insert("not_run".to_owned(), json!(reason));
        }
        if !self.failures.is_empty() {
            object.insert("failures".to_owned(), json!(self.failures));
        }
        Value::Object(object)
    }

    fn read(value: &Value) -> Option<Self> {
        let mut cell = Self::default();
        for round in value["round"].as_array().into_iter().flatten() {
            let round = usize::try_from(round.as_u64()?).ok()?.checked_sub(1)?;
            cell.samples.push(Sample { round, numbers: BTreeMap::new() });
        }
        for (key, column) in value.as_object()? {
            match key.as_str() {
                "round" => {}
                "not_run" => cell.not_run = Some(column.as_str()?.to_owned()),
                "failures" => {
                    let failures = column.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
                    cell.failures = failures.collect::<Option<_>>()?;
                }
                _ => {
                    for (sample, number) in cell.samples.iter_mut().zip(column.as_array()?) {
                        if let Some(number) = number.as_f64() {
                            sample.numbers.insert(key.clone(), number);
                        }
                    }
                }
            }
        }
        Some(cell)
    }
}

/// Six significant digits: more would be noise, and lines that nobody can read.
fn rounded(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn machine() -> Machine {
        let cpu = "Any <CPU> & \"more\"".to_owned();
        Machine { cpu, cores: 2, memory_gib: 8, kernel: "Linux 6".to_owned() }
    }

    /// Results with these numbers of one key, a value for each round.
    pub(crate) fn results(cells: &[(&str, Server, &str, &[f64])]) -> Results {
        let mut results = Results::new(machine(), 9, false);
        for (row, server, key, values) in cells {
            let cell = results.cell_mut(row, *server);
            for (round, value) in values.iter().enumerate() {
                if let Some(sample) = cell.samples.iter_mut().find(|sample| sample.round == round) {
                    sample.numbers.insert((*key).to_owned(), *value);
                } else {
                    let numbers = BTreeMap::from([((*key).to_owned(), *value)]);
                    cell.samples.push(Sample { round, numbers });
                }
            }
        }
        results
    }

    #[test]
    fn results_are_the_same_after_a_round_trip_through_json() {
        let mut known = results(&[
            ("echo-1k", Server::Ours, "per_second", &[100.5, 200.0, 300.0]),
            ("echo-1k", Server::Ours, "server_cpu_us", &[1.5, 2.5]),
            ("echo-1k", Server::Bare, "per_second", &[0.001]),
        ]);
        known.versions.insert("engine.io".to_owned(), "6.6.12".to_owned());
        known.cell_mut("tls", Server::Node).not_run = Some("it said \"no\"\n\u{7}<&>".to_owned());
        known.cell_mut("tls", Server::Bun).failures = vec!["broke".to_owned()];
        assert_eq!(Results::from_json(&known.to_json()).as_ref(), Ok(&known));
        let lines = known.to_json();
        assert!(lines.lines().any(|line| line.trim_start().starts_with("\"ours\": {")), "{lines}");
    }

    #[test]
    fn another_format_and_what_is_no_result_are_refused() {
        assert!(Results::from_json("{\"format\": 2}").unwrap_err().contains("expected 1"));
        assert!(Results::from_json("{\"format\": 1}").unwrap_err().contains("another form"));
        assert!(Results::from_json("nonsense").is_err());
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The machine is twice as fast in the second round. The median of the ratios does not see it.
        let known = results(&[
            ("echo-1k", Server::Ours, "per_second", &[90.0, 180.0, 45.0]),
            ("echo-1k", Server::Bare, "per_second", &[100.0, 200.0, 50.0]),
        ]);
        let ratio = known.ratio("per_second", ("echo-1k", Server::Ours), ("echo-1k", Server::Bare)).unwrap();
        assert!((ratio.least - 0.9).abs() < 1e-9 && (ratio.most - 0.9).abs() < 1e-9);
        assert_eq!(ratio.count, 3);
    }

    #[test]
    fn rounds_that_only_one_of_two_servers_has_are_in_no_ratio() {
        let known = results(&[
            ("echo-1k", Server::Ours, "per_second", &[90.0, 180.0, 45.0]),
            ("echo-1k", Server::Node, "per_second", &[100.0]),
            ("echo-1k", Server::Bun, "per_second", &[0.0]),
        ]);
        let against = |server| known.ratio("per_second", ("echo-1k", Server::Ours), ("echo-1k", server));
        assert_eq!(against(Server::Node).map(|ratio| ratio.count), Some(1));
        assert_eq!(against(Server::Bun), None, "a ratio to nothing");
        let early = results(&[("silence", Server::Ours, "late_min_ms", &[-1.0])]);
        let itself = ("silence", Server::Ours);
        assert_eq!(early.ratio("late_min_ms", itself, itself), None);
        assert_eq!(against(Server::Bare), None);
    }

    #[test]
    fn failures_name_their_row_and_server() {
        let mut known = results(&[]);
        known.cell_mut("tls", Server::Bun).failures = vec!["broke".to_owned()];
        assert_eq!(known.failures(), ["tls, Bun: broke"]);
    }
}
