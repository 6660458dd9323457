//! This program again, in another role.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::roles;

/// How long anything that a process should say may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that plays a role. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    said: Receiver<String>,
}

impl Process {
    /// Starts a role; `inside` is the command that runs it, if it is not run directly.
    pub(crate) fn start(role: &str, inside: &[&str]) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = match inside.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.env(roles::ROLE, role).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, input, said }
    }

    /// The next line that it says.
    pub(crate) fn says(&self) -> String {
        self.said.recv_timeout(PATIENCE).expect("the process said nothing")
    }

    /// Waits for a line; another one is a failure.
    pub(crate) fn must_say(&self, line: &str) {
        assert_eq!(self.says(), line);
    }

    /// Whether it has said nothing since.
    pub(crate) fn is_quiet(&self) -> bool {
        self.said.try_recv().is_err()
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    pub(crate) fn signal(&self, signal: &str) {
        let killed = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
    }

    /// What it keeps in memory, in KiB: all of it, and what is not a file.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
