//! The machine that is measured on, and which of its cores do what.

use std::fs;

use serde_json::{Value, json};

/// What makes two machines the same one for a comparison. No host name: it would say nothing about speed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The processor's model, as the kernel knows it.
    pub(crate) cpu: String,
    /// Cores that this process may use.
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    /// System and version of the kernel.
    pub(crate) kernel: String,
}

/// Which cores the measured program and the load get. They share none, or each would slow the other down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) server: String,
    pub(crate) load: String,
}

impl Machine {
    /// Asks the kernel. Returns an error where there is no `/proc`.
    pub(crate) fn detect() -> Result<Self, String> {
        let cpu = after_colon(&read("/proc/cpuinfo")?, "model name");
        let memory = after_colon(&read("/proc/meminfo")?, "MemTotal");
        let kib: u64 = memory.as_deref().and_then(|text| text.strip_suffix(" kB")?.parse().ok()).unwrap_or(0);
        Ok(Self {
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: allowed_cores()?.len(),
            memory_gib: kib.div_ceil(1 << 20),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease")?.trim()),
        })
    }

    /// The name of its files: `amd-epyc-2-cores-24-gib`. The kernel is not part of it: it changes more often.
    pub(crate) fn file_name(&self) -> String {
        let text = format!("{} {} cores {} gib", self.cpu, self.cores, self.memory_gib).to_lowercase();
        let words = text.split(|character: char| !character.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
    }

    /// The machine in one line.
    pub(crate) fn sentence(&self) -> String {
        format!("{}, {} cores, {} GiB of memory, {}", self.cpu, self.cores, self.memory_gib, self.kernel)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"cpu": self.cpu, "cores": self.cores, "memory_gib": self.memory_gib, "kernel": self.kernel})
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            cpu: value["cpu"].as_str()?.to_owned(),
            cores: usize::try_from(value["cores"].as_u64()?).ok()?,
            memory_gib: value["memory_gib"].as_u64()?,
            kernel: value["kernel"].as_str()?.to_owned(),
        })
    }
}

impl Cores {
    /// The last cores are the server's, one for each worker if as many are left for the rest; the first is the load's.
    pub(crate) fn for_workers(workers: usize) -> Result<Self, String> {
        Self::among(&allowed_cores()?, workers)
            .ok_or_else(|| "the server and the load need a core each, and this machine has one".to_owned())
    }

    fn among(allowed: &[usize], workers: usize) -> Option<Self> {
        let [load, .., last] = allowed else { return None };
        let servers = if allowed.len() >= 2 * workers { workers } else { 1 };
        let first = allowed.get(allowed.len().checked_sub(servers)?)?;
        let server = if first == last { last.to_string() } else { format!("{first}-{last}") };
        Some(Self { server, load: load.to_string() })
    }
}

/// The cores that this process may use, in rising order.
fn allowed_cores() -> Result<Vec<usize>, String> {
    let status = read("/proc/self/status")?;
    after_colon(&status, "Cpus_allowed_list")
        .and_then(|list| ranges(&list))
        .ok_or_else(|| "/proc/self/status lists no cores".to_owned())
}

/// Reads `0-2,5`.
fn ranges(list: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for range in list.split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        cores.extend(from.parse::<usize>().ok()?..=to.parse().ok()?);
    }
    Some(cores)
}

/// The first line `key : value`.
fn after_colon(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}; only Linux can be measured on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let cpu = "AMD EPYC(TM) 7B13 @ 2.4 GHz".to_owned();
        Machine { cpu, cores: 2, memory_gib: 24, kernel: "Linux 6.18.44".to_owned() }
    }

    #[test]
    fn a_machines_files_are_named_by_what_it_is() {
        assert_eq!(machine().file_name(), "amd-epyc-tm-7b13-2-4-ghz-2-cores-24-gib");
        let newer = Machine { kernel: "Linux 7".to_owned(), ..machine() };
        assert_eq!(newer.file_name(), machine().file_name());
    }

    #[test]
    fn a_machine_is_the_same_after_a_round_trip_through_json() {
        assert_eq!(Machine::from_json(&machine().to_json()), Some(machine()));
        assert_eq!(Machine::from_json(&json!({"cpu": "any"})), None);
    }

    #[test]
    fn cores_are_listed_as_the_kernel_lists_them() {
        assert_eq!(ranges("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(ranges("7"), Some(vec![7]));
        assert_eq!(ranges("a-b"), None);
    }

    #[test]
    fn the_server_and_the_load_share_no_core() {
        let cores = |server: &str, load: &str| Some(Cores { server: server.into(), load: load.into() });
        assert_eq!(Cores::among(&[0], 1), None);
        assert_eq!(Cores::among(&[0, 1], 1), cores("1", "0"));
        assert_eq!(Cores::among(&[0, 1], 2), cores("1", "0"), "two workers share a core where there are two");
        assert_eq!(Cores::among(&[0, 1, 2, 3], 2), cores("2-3", "0"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_is_detected() {
        let machine = Machine::detect().unwrap();
        assert!(machine.cores > 0 && machine.memory_gib > 0 && machine.kernel.starts_with("Linux "));
    }
}
