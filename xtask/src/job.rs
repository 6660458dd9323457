//! One part at work: runs commands, keeps what they print in a log, and stops them when they take too long.

use core::time::Duration;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::programs;
use crate::shard::Shard;
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

/// Variables of the environment that change what tests do. Only parts set them: what somebody has set for other tests would
/// make a part do less than it says.
pub(crate) const HIDDEN: [&str; 6] = [
    "EIO_AUTOBAHN_GROUPS",
    "EIO_SCHEDULE_BATCH",
    "EIO_STEPS",
    "EIO_TRANSCRIPTS",
    "EIO_VECTORS",
    "PROPTEST_CASES",
];

/// Tests that take this many times as long with a fault as without it do not end.
pub(crate) const PATIENCE: u32 = 6;

/// Shorthand for the failure of a part.
pub(crate) fn failed<T>(sentence: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(sentence.into()))
}

/// The command that consists of these words. Add what may contain a blank, such as a path, with `arg`.
pub(crate) fn command(words: &str) -> Command {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// A part at work. Everything that its commands print goes to a log file and, with `--verbose`, to the terminal. Without it,
/// a part that prints nothing for a minute says how long it has run.
pub(crate) struct Job<'a> {
    pub(crate) workspace: &'a Workspace,
    name: String,
    /// Which share of its work it does, if its part has shares.
    pub(crate) shard: Shard,
    log: Log,
    watch: Stopwatch,
    limit: Duration,
    minutes: Minutes,
    notes: Vec<String>,
}

impl<'a> Job<'a> {
    /// `name` names the log file, and stands before what is said while it runs.
    pub(crate) fn start(
        workspace: &'a Workspace,
        name: &str,
        limit: Duration,
        verbose: bool,
    ) -> io::Result<Self> {
        let folder = workspace.target.join("xtask");
        std::fs::create_dir_all(&folder)?;
        let log = Log::create(folder.join(format!("{name}.log")), verbose)?;
        let watch = Stopwatch::start();
        let (name, minutes) = (name.to_owned(), Minutes::default());
        Ok(Self { workspace, name, shard: Shard::WHOLE, log, watch, limit, minutes, notes: Vec::new() })
    }

    /// Reads a JSON file, named from the root.
    pub(crate) fn read_json(&self, path: &str) -> Result<Value, Stop> {
        let broken = |error: &dyn core::fmt::Display| Stop::Failed(format!("{path}: {error}"));
        let text = std::fs::read_to_string(self.workspace.root.join(path)).map_err(|error| broken(&error))?;
        serde_json::from_str(&text).map_err(|error| broken(&error))
    }

    /// Runs cargo at the root, with the toolchain in use and these arguments.
    pub(crate) fn cargo(&mut self, arguments: &str) -> Result<(), Stop> {
        self.run(&mut command(&format!("cargo {arguments}"))).map(drop)
    }

    /// Runs a command, at the root unless it names a folder, and returns what it printed. The part fails if the command does.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<String, Stop> {
        let (status, printed) = self.outcome(command)?;
        if status.success() {
            Ok(printed)
        } else {
            failed(format!("`{}` failed ({status})", spelled(command)))
        }
    }

    /// Runs every command at the root, also after one has failed, and returns the first failure.
    pub(crate) fn run_all(&mut self, commands: impl IntoIterator<Item = Command>) -> Result<(), Stop> {
        let mut result = Ok(());
        for mut command in commands {
            result = result.and(self.run(&mut command).map(drop));
        }
        result
    }

    /// Runs a command, at the root unless it names a folder, whatever its exit code, and returns what it printed.
    pub(crate) fn outcome(&mut self, command: &mut Command) -> Result<(ExitStatus, String), Stop> {
        self.outcome_in_time(command, None)
    }

    /// The same, and calls `tell` once a minute with all that was printed so far.
    pub(crate) fn outcome_telling(
        &mut self,
        command: &mut Command,
        mut tell: impl FnMut(&str),
    ) -> Result<(ExitStatus, String), Stop> {
        self.outcome_in_time(command, Some(&mut tell))
    }

    fn outcome_in_time(
        &mut self,
        command: &mut Command,
        tell: Option<&mut dyn FnMut(&str)>,
    ) -> Result<(ExitStatus, String), Stop> {
        let left = self.limit.saturating_sub(self.watch.elapsed());
        match self.watched(command, left, tell)? {
            (Ok(status), printed) => Ok((status, printed)),
            (Err(Stopped { left_behind }), _) => {
                let (line, limit) = (spelled(command), Spoken(self.limit));
                failed(format!("`{line}` was stopped {limit} after the part's start{left_behind}"))
            }
        }
    }

    /// The same for a command that may take this long, and is stopped then.
    pub(crate) fn outcome_within(
        &mut self,
        command: &mut Command,
        limit: Duration,
    ) -> Result<(Result<ExitStatus, Stopped>, String), Stop> {
        self.watched(command, limit, None)
    }

    fn watched(
        &mut self,
        command: &mut Command,
        limit: Duration,
        mut tell: Option<&mut dyn FnMut(&str)>,
    ) -> Result<(Result<ExitStatus, Stopped>, String), Stop> {
        let line = spelled(command);
        let mut header = Vec::new();
        for (name, value) in command.get_envs() {
            header.push(format!("# {}={}\n", name.display(), value.unwrap_or_default().display()));
        }
        header.push(format!("$ {line}\n"));
        if command.get_current_dir().is_none() {
            command.current_dir(&self.workspace.root);
        }
        hide(command);
        command.stdin(Stdio::null()).env("CARGO_TERM_COLOR", "never");
        let broken = |error: io::Error| Stop::Failed(format!("`{line}` did not run: {error}"));
        self.log.write(&header.concat()).map_err(broken)?;
        command.stdout(self.log.handle().map_err(broken)?).stderr(self.log.handle().map_err(broken)?);
        let watch = Stopwatch::start();
        let mut child = command.spawn().map_err(broken)?;
        let mut printed = Vec::new();
        let ended = loop {
            let status = child.try_wait().map_err(broken)?;
            let has_shown = self.log.read_on(&mut printed).map_err(broken)?;
            if let Some(status) = status {
                break Ok(status);
            }
            if self.minutes.is_silent(self.watch.elapsed(), has_shown) {
                match &mut tell {
                    Some(tell) => tell(&String::from_utf8_lossy(&printed)),
                    None => println!("{}", self.progress(&line)),
                }
            }
            if watch.elapsed() > limit {
                break Err(end_with_descendants(&mut child));
            }
            pause();
        };
        Ok((ended, String::from_utf8_lossy(&printed).into_owned()))
    }

    /// How long the part has run, and what it does.
    fn progress(&self, line: &str) -> String {
        let [ran, limit] = [self.watch.elapsed(), self.limit].map(|time| time.as_secs() / 60);
        format!("[{}] {ran} min of at most {limit} min: {}", self.name, abridged(line))
    }

    /// Prints the lines that begin with `prefix` as soon as a command has written them: how far it is.
    pub(crate) const fn show(&mut self, prefix: &'static str) {
        self.log.shown = Some(prefix);
    }

    /// Returns the date of today in UTC, such as 2026-11-30.
    pub(crate) fn today(&mut self) -> Result<String, Stop> {
        Ok(self.run(&mut command("date --utc +%F"))?.trim().to_owned())
    }

    /// Builds tests, and returns how long they then take. They must pass.
    pub(crate) fn time(&mut self, build: &mut Command, tests: &mut Command) -> Result<Duration, Stop> {
        self.run(build)?;
        let watch = Stopwatch::start();
        self.run(tests)?;
        Ok(watch.elapsed())
    }

    /// Returns the short name of the last commit.
    pub(crate) fn commit(&mut self) -> Result<String, Stop> {
        Ok(self.run(&mut command("git rev-parse --short HEAD"))?.trim().to_owned())
    }

    /// Returns whether files that git knows have changes that are not committed, outside of this file or folder.
    pub(crate) fn has_changes_outside(&mut self, path: &str) -> Result<bool, Stop> {
        let mut status = command("git status --porcelain --untracked-files=no -- .");
        Ok(!self.run(status.arg(format!(":!{path}")))?.is_empty())
    }

    /// Keeps a fact to print beside the part's result.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Ends the job. Returns how long it took, everything that was printed, and the notes.
    pub(crate) fn finish(self) -> (Duration, String, Vec<String>) {
        (self.watch.elapsed(), self.log.text(), self.notes)
    }
}

/// Finds the minutes in which people saw nothing of a part.
#[derive(Debug, Default)]
struct Minutes {
    /// When they last saw something, since the part's start.
    seen: Duration,
}

impl Minutes {
    /// Whether nothing was seen for a minute. Counts from now then, and if something was shown just now.
    fn is_silent(&mut self, now: Duration, has_shown: bool) -> bool {
        const MINUTE: Duration = Duration::from_mins(1);
        let is_silent = !has_shown && now.saturating_sub(self.seen) >= MINUTE;
        if is_silent || has_shown {
            self.seen = now;
        }
        is_silent
    }
}

/// A command was stopped, because it took too long.
pub(crate) struct Stopped {
    /// What to add where what it has started may still run.
    left_behind: &'static str,
}

/// What a part's commands print. They write to the file themselves, so a process that one leaves behind holds up nobody.
struct Log {
    path: PathBuf,
    writer: File,
    reader: File,
    verbose: bool,
    /// The lines that people see without `--verbose`, too.
    shown: Option<&'static str>,
}

impl Log {
    fn create(path: PathBuf, verbose: bool) -> io::Result<Self> {
        File::create(&path)?;
        // Several processes write to it: each line goes to the end, wherever that is by then.
        let writer = OpenOptions::new().append(true).open(&path)?;
        Ok(Self { writer, reader: File::open(&path)?, path, verbose, shown: None })
    }

    fn handle(&self) -> io::Result<File> {
        self.writer.try_clone()
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes())?;
        self.read_on(&mut Vec::new()).map(drop)
    }

    /// Adds what was written since the last call, which people see with `--verbose`. Returns whether they have seen some of it.
    fn read_on(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        let known = text.len();
        self.reader.read_to_end(text)?;
        let new = String::from_utf8_lossy(text.get(known..).unwrap_or_default());
        let seen = match self.shown {
            _ if self.verbose => for_people(&new),
            Some(prefix) => new.split_inclusive('\n').filter(|line| line.starts_with(prefix)).collect(),
            None => String::new(),
        };
        print!("{seen}");
        Ok(!seen.is_empty())
    }

    /// The whole of it, for people.
    fn text(&self) -> String {
        for_people(&String::from_utf8_lossy(&std::fs::read(&self.path).unwrap_or_default()))
    }
}

/// Keeps the [hidden](HIDDEN) variables from a command, except for those that it sets itself.
fn hide(command: &mut Command) {
    for name in HIDDEN {
        if command.get_envs().all(|(set, _)| set != name) {
            command.env_remove(name);
        }
    }
}

/// Leaves out what cargo says to programs.
fn for_people(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with(programs::MESSAGE)).collect()
}

/// Waits a moment for a process.
#[expect(clippy::disallowed_methods, reason = "waits for commands; no session reads this clock")]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A command as one would type it.
pub(crate) fn spelled(command: &Command) -> String {
    let words = core::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A command without what makes it hard to read: of long words, such as paths and lists of features, only the beginning.
fn abridged(line: &str) -> String {
    const LONGEST: usize = 40;
    let abridged = |word: &str| match word.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}..", &word[..end]),
        None => word.to_owned(),
    };
    line.split(' ').map(abridged).collect::<Vec<_>>().join(" ")
}

/// Ends a child and all that it has started, found by their parents' ids: cargo alone would leave its tests running.
/// A process group of its own would be simpler, but Ctrl-C in a terminal would not reach it.
fn end_with_descendants(child: &mut Child) -> Stopped {
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
    let elsewhere = "; what it started may still run: only on Linux is it found";
    Stopped { left_behind: if cfg!(target_os = "linux") { "" } else { elsewhere } }
}

/// The parent's id is the fourth field of `stat`, the second after the name, which is in parentheses.
fn parent_of(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = command("sh -c");
        command.arg(script);
        command
    }

    fn job<'a>(workspace: &'a Workspace, name: &str, limit: Duration) -> Job<'a> {
        Job::start(workspace, name, limit, false).unwrap()
    }

    #[test]
    fn both_streams_are_captured_and_nothing_can_be_asked() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-capture", Duration::from_mins(1));
        job.run(&mut shell("echo earlier")).unwrap();
        let printed = job.run(&mut shell("echo out; echo err >&2; read line || echo no input")).unwrap();
        assert_eq!(printed, "out\nerr\nno input\n");
    }

    #[test]
    fn a_part_of_which_nothing_was_seen_for_a_minute_says_so_once_a_minute() {
        let mut minutes = Minutes::default();
        let silent: Vec<u64> = (0..300)
            .filter(|&second| minutes.is_silent(Duration::from_secs(second), second == 130))
            .collect();
        assert_eq!(silent, [60, 120, 190, 250]);
    }

    #[test]
    fn progress_names_the_part_its_limit_and_the_command_without_its_long_words() {
        let workspace = Workspace::load().unwrap();
        let job = job(&workspace, "test-of-progress", Duration::from_mins(90));
        let line = format!("cargo test --features {} --test soak", "a/b,".repeat(20));
        let expected = format!("cargo test --features {}.. --test soak", "a/b,".repeat(10));
        assert_eq!(job.progress(&line), format!("[test-of-progress] 0 min of at most 90 min: {expected}"));
    }

    #[test]
    fn what_a_part_shows_is_seen_and_nothing_else_is() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-showing", Duration::from_mins(1));
        job.log.write("soak: 1\n").unwrap();
        job.show("soak: ");
        let mut seen = |text: &str| {
            job.log.writer.write_all(text.as_bytes()).unwrap();
            job.log.read_on(&mut Vec::new()).unwrap()
        };
        assert!(seen("test x\nsoak: 2\n") && !seen("test y\n"));
    }

    #[test]
    fn a_variable_that_changes_tests_reaches_a_command_only_from_its_part() {
        let mut miri = command("cargo miri test");
        hide(miri.env("PROPTEST_CASES", "2"));
        let values: Vec<_> = miri.get_envs().collect();
        let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        assert_eq!(value("EIO_TRANSCRIPTS"), Some(None));
        assert_eq!(value("EIO_VECTORS"), Some(None));
        assert_eq!(value("PROPTEST_CASES"), Some(Some("2".as_ref())));
    }

    #[test]
    fn a_failing_command_is_named() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-failure", Duration::from_mins(1));
        let stop = job.run(&mut shell("exit 3")).unwrap_err();
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
    fn people_do_not_see_what_cargo_says_to_programs() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-messages", Duration::from_mins(1));
        let message = r#"{"reason":"build-finished"}"#;
        assert!(job.run(&mut shell(&format!("echo '{message}'; echo text"))).unwrap().contains(message));
        let (_, transcript, _) = job.finish();
        assert!(transcript.ends_with("; echo text\ntext\n"), "{transcript}");
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended_and_the_part_goes_on() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-patience", Duration::from_mins(1));
        let (ended, _) = job.outcome_within(&mut shell("sleep 1000"), Duration::ZERO).unwrap();
        assert!(ended.is_err());
        job.run(&mut shell("true")).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_command_that_hangs_is_ended_with_its_children() {
        let workspace = Workspace::load().unwrap();
        let mut job = job(&workspace, "test-of-limit", Duration::from_secs(1));
        let stop = job.run(&mut shell("sleep 1000 & echo child $!; wait")).unwrap_err();
        assert!(stop.sentence().contains("was stopped"), "{}", stop.sentence());
        let (_, transcript, _) = job.finish();
        let id = transcript.lines().find_map(|line| line.strip_prefix("child ")).unwrap();
        // It is dead once the kernel has come to it, and stays in the table until its new parent asks for its exit code.
        let is_gone = || {
            pause();
            let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        assert!((0..500).any(|_| is_gone()), "{id} still runs");
    }
}
