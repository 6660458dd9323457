//! What the kernel knows of a process.

use core::time::Duration;

/// What a process uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Resident memory, in bytes.
    pub(crate) resident: u64,
    /// Processor time since its start.
    pub(crate) processor: Duration,
}

pub(crate) fn usage(id: u32) -> Usage {
    let status = read(id, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells VmRSS");
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("VmRSS is a number");
    // The name, in parentheses, may hold spaces: fields are counted from behind it.
    let stat = read(id, "stat");
    let (_, fields) = stat.rsplit_once(')').expect("the name stands in parentheses");
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // A tick is a hundredth of a second on every Linux: USER_HZ is part of its interface.
    Usage { resident: kib * 1024, processor: Duration::from_millis(ticks * 10) }
}

fn read(id: u32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{id}/{file}"))
        .unwrap_or_else(|error| panic!("/proc/{id}/{file}: {error}"))
}
