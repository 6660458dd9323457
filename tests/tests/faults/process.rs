//! This program again, in another role.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use eio_tests::signal::send_signal;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::roles;

/// How long anything that a process should say may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process that plays a role. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    said: UnboundedReceiver<String>,
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
        let (sender, said) = unbounded_channel();
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
    pub(crate) async fn says(&mut self) -> String {
        let said = tokio::time::timeout(PATIENCE, self.said.recv()).await;
        said.expect("the process says nothing").expect("the process has ended")
    }

    /// Waits for a line; another one is a failure.
    pub(crate) async fn must_say(&mut self, line: &str) {
        assert_eq!(self.says().await, line);
    }

    /// It has said nothing since.
    pub(crate) fn assert_quiet(&mut self) {
        if let Ok(line) = self.said.try_recv() {
            panic!("the process said {line:?}");
        }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    pub(crate) fn signal(&self, signal: &str) {
        send_signal(signal, self.child.id());
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
