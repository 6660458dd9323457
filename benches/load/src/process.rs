//! What a process has used, as Linux tells it in `/proc`.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use crate::clock::{self, PATIENCE};
use crate::failure::{Failure, Result};

/// A process that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    id: u32,
}

impl Process {
    /// Names a process by its id.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self { id }
    }

    /// Names this process.
    #[must_use]
    pub fn this() -> Self {
        Self::new(std::process::id())
    }

    /// Returns the time that its threads have spent on a processor.
    ///
    /// # Errors
    /// Fails if the process has ended, or if the system has no `/proc`.
    pub fn processor_time(self) -> Result<Duration> {
        let unreadable = "the processor time of the process cannot be read";
        let tasks = format!("/proc/{}/task", self.id);
        let mut nanoseconds = 0;
        for task in fs::read_dir(tasks).map_err(Failure::system(unreadable))? {
            let path = task.map_err(Failure::system(unreadable))?.path().join("schedstat");
            match fs::read_to_string(path) {
                Ok(text) => nanoseconds += first_number(&text).unwrap_or(0),
                // The thread has ended since the folder was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Failure::System { what: unreadable, source }),
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Returns the time that the threads of these processes have spent on a processor.
    ///
    /// # Errors
    /// Fails if one of them has ended, or if the system has no `/proc`.
    pub fn processor_time_of_all(processes: &[Self]) -> Result<Duration> {
        processes.iter().map(|process| process.processor_time()).sum()
    }

    /// Returns its resident memory in bytes.
    ///
    /// # Errors
    /// Fails if the process has ended, or if the system has no `/proc`.
    pub fn resident(self) -> Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.id);
        let text = fs::read_to_string(path)
            .map_err(Failure::system("the resident memory of the process cannot be read"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kibibytes = line.and_then(first_number);
        kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| {
            Failure::Options("smaps_rollup of the process has no line with its Rss".to_owned())
        })
    }

    /// Waits until it has used less than 1 % of a processor for a fifth of a second. Returns when it was last busy.
    ///
    /// # Errors
    /// Fails if it is still busy after ten seconds.
    pub fn wait_until_quiet(self) -> Result<Instant> {
        Self::wait_until_all_quiet(&[self])
    }

    /// Waits until these processes together have used less than 1 % of a processor for a fifth of a second. Returns when one
    /// was last busy.
    ///
    /// # Errors
    /// Fails if they are still busy after ten seconds.
    pub fn wait_until_all_quiet(processes: &[Self]) -> Result<Instant> {
        const LOOK: Duration = Duration::from_millis(50);
        const QUIET_LOOKS: u32 = 4;
        let start = clock::now();
        let (mut quiet, mut last_busy) = (0, start);
        let mut before = Self::processor_time_of_all(processes)?;
        while quiet < QUIET_LOOKS {
            clock::pause(LOOK);
            let (now, used) = (clock::now(), Self::processor_time_of_all(processes)?);
            if used.saturating_sub(before) * 100 < LOOK {
                quiet += 1;
            } else {
                (quiet, last_busy) = (0, now);
            }
            before = used;
            if now - start > PATIENCE {
                return Err(Failure::server("was still busy 10 s after its last request"));
            }
        }
        Ok(last_busy)
    }
}

/// Raises the limit on open files of this process to what the system allows, and returns it.
#[must_use]
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let in_force = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    in_force.unwrap_or(u64::MAX)
}

/// Reads the first number of a text.
fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_processor_time_and_memory() {
        let process = Process::this();
        let before = process.processor_time().unwrap();
        let start = clock::now();
        let mut numbers = vec![0_u64; 4 << 20];
        while start.elapsed() < Duration::from_millis(60) {
            for number in &mut numbers {
                *number = std::hint::black_box(*number + 1);
            }
        }
        assert!(process.processor_time().unwrap() > before);
        assert!(process.resident().unwrap() > 32 << 20);
    }

    #[test]
    fn the_first_number_of_a_line_is_read() {
        assert_eq!(first_number("   8644 kB\n"), Some(8644));
        assert_eq!(first_number("12345 678 9\n"), Some(12345));
        assert_eq!(first_number("kB"), None);
    }
}
