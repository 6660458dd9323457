//! One part at work: runs commands, captures what they print, and stops them when they take too long.

use core::time::Duration;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, PipeReader, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};

use serde_json::Value;

use crate::programs;
use crate::stopwatch::{Spoken, Stopwatch};
use crate::workspace::Workspace;

/// Why a part ended before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// What must hold does not.
    Failed(String),
    /// This machine cannot tell whether it holds.
    NotRun(String),
}

impl Stop {
    pub(crate) fn sentence(&self) -> &str {
        match self {
            Self::Failed(sentence) | Self::NotRun(sentence) => sentence,
        }
    }
}

/// Shorthand for the failure of a part.
pub(crate) fn failed<T>(sentence: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(sentence.into()))
}

/// A part at work. Everything that its commands print goes to a log file and, if it is asked for, to the terminal.
pub(crate) struct Job<'a> {
    pub(crate) workspace: &'a Workspace,
    label: String,
    log: File,
    verbose: bool,
    terminal: bool,
    watch: Stopwatch,
    limit: Duration,
    transcript: String,
    notes: Vec<String>,
}

impl<'a> Job<'a> {
    /// `label` stands before every line of progress; `name` names the log file.
    pub(crate) fn start(
        workspace: &'a Workspace,
        label: String,
        name: &str,
        limit: Duration,
        verbose: bool,
    ) -> io::Result<Self> {
        let folder = workspace.target.join("xtask");
        std::fs::create_dir_all(&folder)?;
        let log = File::create(folder.join(format!("{name}.log")))?;
        Ok(Self {
            workspace,
            label,
            log,
            verbose,
            terminal: io::stdout().is_terminal() && !verbose,
            watch: Stopwatch::start(),
            limit,
            transcript: String::new(),
            notes: Vec::new(),
        })
    }

    /// A JSON file, named from the root.
    pub(crate) fn read_json(&self, path: &str) -> Result<Value, Stop> {
        let broken = |error: &dyn core::fmt::Display| Stop::Failed(format!("{path}: {error}"));
        let text = std::fs::read_to_string(self.workspace.root.join(path)).map_err(|error| broken(&error))?;
        serde_json::from_str(&text).map_err(|error| broken(&error))
    }

    /// A cargo command, run at the root by the toolchain in use.
    pub(crate) fn cargo<I: AsRef<std::ffi::OsStr>>(
        &mut self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Result<String, Stop> {
        let mut command = Command::new("cargo");
        command.args(arguments);
        self.run(command)
    }

    /// Runs a command at the root and returns what it printed; its failure is the part's.
    pub(crate) fn run(&mut self, command: Command) -> Result<String, Stop> {
        let line = spelled(&command);
        let (status, printed) = self.outcome(command)?;
        if status.success() { Ok(printed) } else { failed(format!("`{line}` failed ({status})")) }
    }

    /// Runs every command at the root, also after one has failed, and then tells of the first that did.
    pub(crate) fn run_all(&mut self, commands: impl IntoIterator<Item = Command>) -> Result<(), Stop> {
        let mut result = Ok(());
        for command in commands {
            let outcome = self.run(command).map(drop);
            result = result.and(outcome);
        }
        result
    }

    /// Runs a command at the root, whatever its exit code.
    pub(crate) fn outcome(&mut self, mut command: Command) -> Result<(ExitStatus, String), Stop> {
        let line = spelled(&command);
        for (name, value) in command.get_envs() {
            self.record(&format!(
                "# {}={}",
                name.to_string_lossy(),
                value.unwrap_or_default().to_string_lossy()
            ));
        }
        self.record(&format!("$ {line}"));
        command.current_dir(&self.workspace.root).stdin(Stdio::null()).env("CARGO_TERM_COLOR", "never");
        let broken = |error: io::Error| Stop::Failed(format!("`{line}` did not run: {error}"));
        let (reader, writer) = io::pipe().map_err(broken)?;
        command.stdout(writer.try_clone().map_err(broken)?).stderr(writer);
        let child = command.spawn().map_err(broken)?;
        // The command holds the pipe's other end: while it lives, the reader finds no end.
        drop(command);
        self.attend(child, &lines_of(reader), &line)
    }

    /// Follows a child to its end, or to the end of the part's time.
    fn attend(
        &mut self,
        mut child: Child,
        lines: &Receiver<String>,
        line: &str,
    ) -> Result<(ExitStatus, String), Stop> {
        const TICK: Duration = Duration::from_secs(1);
        const LAST_WORDS: Duration = Duration::from_secs(5);
        let mut printed = String::new();
        let mut last = String::new();
        loop {
            match lines.recv_timeout(TICK) {
                Ok(text) => {
                    printed.push_str(&text);
                    printed.push('\n');
                    if !text.starts_with(programs::MESSAGE) {
                        self.record(&text);
                        last = text;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    // A process that the child left behind may hold the pipe open for ever.
                    if let Ok(Some(status)) = child.try_wait() {
                        return Ok((status, printed));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = child.wait().map_err(|error| Stop::Failed(error.to_string()))?;
                    return Ok((status, printed));
                }
            }
            if self.watch.elapsed() > self.limit {
                let left_behind = end_with_descendants(&mut child);
                // Whoever holds the pipe is about to die; what it still had to say belongs to the log.
                while let Ok(text) = lines.recv_timeout(LAST_WORDS) {
                    self.record(&text);
                }
                let limit = Spoken(self.limit);
                return failed(format!("`{line}` was stopped: the part's limit is {limit}{left_behind}"));
            }
            self.show_progress(&last);
        }
    }

    /// A line for people, in the log too.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear_progress();
        println!("{} {text}", self.label);
        self.write(text);
    }

    /// A fact to print beside the part's result.
    pub(crate) fn note(&mut self, text: String) {
        self.write(&text);
        self.notes.push(text);
    }

    /// Ends the job: how long it took, all that was printed, and the notes.
    pub(crate) fn finish(self) -> (Duration, String, Vec<String>) {
        self.clear_progress();
        (self.watch.elapsed(), self.transcript, self.notes)
    }

    fn record(&mut self, line: &str) {
        self.transcript.push_str(line);
        self.transcript.push('\n');
        self.write(line);
        if self.verbose {
            println!("{line}");
        }
    }

    fn write(&mut self, line: &str) {
        // What the log lacks is on the terminal, where it counts; a full disk shows itself elsewhere.
        let _ = writeln!(self.log, "{line}");
    }

    fn show_progress(&self, last: &str) {
        if self.terminal {
            let status = format!("{} {}  {}", self.label, Spoken(self.watch.elapsed()), last.trim());
            let shown: String = status.chars().take(terminal_width()).collect();
            print!("\r\x1b[2K{shown}");
            let _ = io::stdout().flush();
        }
    }

    fn clear_progress(&self) {
        if self.terminal {
            print!("\r\x1b[2K");
            let _ = io::stdout().flush();
        }
    }
}

/// A command as one would type it.
fn spelled(command: &Command) -> String {
    let words = core::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The lines that arrive on a pipe, read by a thread of their own so that the waiting side can keep time.
fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n') {
            let Ok(line) = line else { return };
            let text = String::from_utf8_lossy(&line);
            if sender.send(text.trim_end_matches('\r').to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Ends a child and all that it has started, found by their parents' ids: cargo alone would leave its tests running.
/// Returns what to add to the sentence about it where they cannot be found.
fn end_with_descendants(child: &mut Child) -> &'static str {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, parent_of(id)?)))
        .collect();
    let mut family = vec![child.id()];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        next += 1;
    }
    let ids = family.iter().map(u32::to_string);
    let _ = Command::new("kill").arg("-KILL").args(ids).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let _ = child.kill();
    let _ = child.wait();
    if cfg!(target_os = "linux") {
        ""
    } else {
        "; what it has started may still run: finding that needs Linux"
    }
}

/// The parent's id is the fourth field of `stat`, the second after the name, which stands in parentheses.
fn parent_of(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn terminal_width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn job<'a>(workspace: &'a Workspace, name: &str, limit: Duration) -> Job<'a> {
        Job::start(workspace, String::new(), name, limit, false).unwrap()
    }

    #[test]
    fn both_streams_are_captured_and_nothing_can_be_asked() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-capture", Duration::from_mins(1));
        let printed = job.run(shell("echo out; echo err >&2; read line || echo no input")).unwrap();
        assert_eq!(printed, "out\nerr\nno input\n");
    }

    #[test]
    fn a_failing_command_is_named() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-failure", Duration::from_mins(1));
        let stop = job.run(shell("exit 3")).unwrap_err();
        assert!(stop.sentence().contains("`sh -c exit 3` failed"), "{}", stop.sentence());
    }

    #[test]
    fn a_failure_does_not_keep_the_others_from_running() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-many", Duration::from_mins(1));
        let stop = job.run_all(["exit 3", "echo later", "exit 4"].map(shell)).unwrap_err();
        assert!(stop.sentence().contains("exit 3"), "{}", stop.sentence());
        let (_, transcript, _) = job.finish();
        assert!(transcript.contains("\nlater\n"), "{transcript}");
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_its_children() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-limit", Duration::ZERO);
        let stop = job.run(shell("sleep 1000 & echo started; wait")).unwrap_err();
        assert!(stop.sentence().contains("was stopped"), "{}", stop.sentence());
        // The sleeper held the pipe: as long as it lived, its last words would have been waited for.
        let (took, ..) = job.finish();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}
