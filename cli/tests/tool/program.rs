//! The program under test: its output and its exit code. It is killed at the end of every test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use serde_json::Value;

/// How long a step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Eio {
    child: Child,
    lines: Receiver<String>,
    /// Dropped to make the reader stop and close the pipe.
    reading: Option<Sender<()>>,
}

impl Eio {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    /// Starts the program with a changed command, for example with another standard output.
    pub(crate) fn start_with(arguments: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eio"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        Self::spawn(command)
    }

    /// Starts the program with this limit on file descriptors.
    pub(crate) fn start_with_descriptors(count: u32, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {count} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_eio")]);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::spawn(command)
    }

    /// Starts a shell script in a new terminal, where `"$EIO"` is the program. Both outputs arrive as one.
    pub(crate) fn start_in_terminal(script: &str) -> Self {
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", script, "/dev/null"]);
        command.env("SHELL", "/bin/sh").env("EIO", env!("CARGO_BIN_EXE_eio"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        command.env_remove("NO_COLOR");
        let mut child = command.spawn().expect("the program starts");
        let (reading, stop) = mpsc::channel();
        let lines = child.stdout.take().map_or_else(|| mpsc::channel().1, |stdout| lines(stdout, stop));
        Self { child, lines, reading: Some(reading) }
    }

    /// Returns the next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line in time")
    }

    /// Returns the next line of standard output, or `None` at its end.
    pub(crate) fn line_or_end(&mut self) -> Option<String> {
        self.lines.recv_timeout(PATIENCE).ok()
    }

    /// Returns the next event of this kind, and skips others before it.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        let mut passed = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no {kind:?} came, but {passed:#?}, and on standard error {:?}", self.errors());
            };
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if event["event"] == kind {
                return event;
            }
            passed.push(line);
        }
    }

    /// Returns the rest of standard output, once the program has ended.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        self.lines.iter().collect()
    }

    /// Returns the last two lines of `eio connect`, which say what happened and what it means, once the program has ended.
    pub(crate) fn ending(&mut self) -> String {
        let lines = self.rest();
        lines[lines.len().saturating_sub(2)..].join("\n")
    }

    /// Returns all of standard error, once the program has ended.
    pub(crate) fn errors(&mut self) -> String {
        let mut errors = String::new();
        if self.child.try_wait().is_ok_and(|status| status.is_some())
            && let Some(stderr) = &mut self.child.stderr
        {
            let _ = stderr.read_to_string(&mut errors);
        }
        errors
    }

    /// Waits for the next line of standard error.
    pub(crate) fn complaint(&mut self) -> String {
        let stderr = self.child.stderr.as_mut().expect("standard error is piped");
        let mut line = Vec::new();
        let mut byte = [0];
        while stderr.read(&mut byte).is_ok_and(|length| length > 0) && byte != [b'\n'] {
            line.extend(byte);
        }
        String::from_utf8(line).expect("text")
    }

    /// Writes a line to standard input.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("standard input is piped");
        writeln!(stdin, "{line}").expect("the program reads");
        stdin.flush().expect("the program reads");
    }

    /// Waits until a program listens on this address.
    pub(crate) fn wait_for_port(address: &str) {
        const TICK: Duration = Duration::from_millis(10);
        for _ in 0..PATIENCE.as_millis() / TICK.as_millis() {
            if std::net::TcpStream::connect(address).is_ok() {
                return;
            }
            pause(TICK);
        }
        panic!("nobody listens on {address}");
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    /// Sends SIGTERM, as `kill` and service managers do.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(status.success(), "the program is still there");
    }

    /// Closes the other end of standard output.
    pub(crate) fn stop_reading(&mut self) {
        self.reading = None;
    }

    pub(crate) fn exit_code(&mut self) -> i32 {
        self.exit_code_within(PATIENCE)
    }

    pub(crate) fn exit_code_within(&mut self, limit: Duration) -> i32 {
        const TICK: Duration = Duration::from_millis(10);
        for _ in 0..limit.as_millis() / TICK.as_millis() {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                return status.code().unwrap_or_else(|| panic!("ended by a signal: {status}"));
            }
            pause(TICK);
        }
        panic!("the program did not end within {limit:?}");
    }
}

impl Drop for Eio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the lines of a text.
pub(crate) fn lines_of(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Returns lines as they arrive. A thread reads them until the pipe ends or the test stops it.
fn lines(stdout: ChildStdout, stop: Receiver<()>) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        while stdout.read_line(&mut line).is_ok_and(|length| length > 0) {
            let stopped = matches!(stop.try_recv(), Err(mpsc::TryRecvError::Disconnected));
            if stopped || sender.send(line.trim_end_matches('\n').to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    lines
}

#[expect(clippy::disallowed_methods, reason = "another process cannot be waited for otherwise")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
