//! Starts a server on one core and the load on another, and reads what the load generator prints.

use core::time::Duration;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;

use serde_json::Value;

use crate::bench::machine::Cores;
use crate::bench::nodes::Nodes;
use crate::bench::plan::Task;
use crate::bench::programs::Kit;
use crate::bench::row::With;
use crate::bench::server::Server;
use crate::bench::session::{Lab, Outcome};
use crate::job::pause;
use crate::stopwatch::Stopwatch;

/// How long a measure may take beyond the time that it measures.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a server may take until it listens.
pub(super) const START_LIMIT: Duration = Duration::from_secs(20);

/// A program that cannot do what it is asked to do ends with this code and says why in one line. A wrong command line
/// has the same code and more lines.
const CANNOT: i32 = 2;

/// The real programs on the real machine.
pub(crate) struct Machinery<'a> {
    pub(crate) kit: &'a Kit,
}

impl Lab for Machinery<'_> {
    fn measure(&mut self, task: &Task, rate: Option<f64>) -> Outcome {
        self.try_measure(task, rate).unwrap_or_else(|outcome| outcome)
    }
}

impl Machinery<'_> {
    fn try_measure(&self, task: &Task, rate: Option<f64>) -> Result<Outcome, Outcome> {
        let cores = Cores::for_workers(workers(task)).map_err(Outcome::Failed)?;
        let load = load_words(task, rate, &self.kit.certificate.0);
        match task.row.with {
            With::Load => {
                let server = Running::start(&cores.server, &self.server(task, task.server)?)?;
                let words = load.into_iter().chain(server.port()).chain(server.id());
                Ok(server.explaining(measured(&cores.load, &self.kit.load, words, task)))
            }
            With::Client => {
                let server = Running::start(&cores.load, &self.server(task, Server::Bare)?)?;
                let words = load.into_iter().chain(server.port());
                Ok(server.explaining(measured(&cores.server, &self.kit.client, words, task)))
            }
            With::Start => {
                // The generator starts the server, which inherits its cores: both together have both.
                let both = format!("{},{}", cores.load, cores.server);
                let server = self.server(task, task.server)?;
                let words = load.into_iter().chain([OsString::from("--")]).chain(server);
                Ok(measured(&both, &self.kit.load, words, task))
            }
            With::Nodes(bus) => {
                let program = known(self.kit.node(task.server), task)?;
                let cores = (cores.server.as_str(), cores.load.as_str());
                let nodes = Nodes::start(cores, bus, task.row.protocol, &program)?;
                let words = load.into_iter().chain(nodes.words());
                let outcome = measured(cores.1, &self.kit.load, words, task);
                Ok(nodes.explaining(outcome))
            }
        }
    }

    /// The words that start a server for this task.
    fn server(&self, task: &Task, server: Server) -> Result<Vec<OsString>, Outcome> {
        let words = known(self.kit.server(server, task.row.protocol), task)?;
        let mut words: Vec<OsString> = words.into_iter().map(PathBuf::into_os_string).collect();
        words.extend(server_options(task, &self.kit.certificate));
        Ok(words)
    }
}

/// The words of a program that the kit should have.
fn known(words: Option<Vec<PathBuf>>, task: &Task) -> Result<Vec<PathBuf>, Outcome> {
    let title = task.row.title_of(task.server);
    words.ok_or_else(|| Outcome::Failed(format!("there is no {title}")))
}

/// How many workers the row's server has.
fn workers(task: &Task) -> usize {
    let mut words = task.row.server.split_whitespace();
    let named = words.find(|word| *word == "--workers").and_then(|_| words.next()?.parse().ok());
    named.unwrap_or(1)
}

/// The options of a server, out of what every row gives it and what this one adds.
fn server_options(task: &Task, (certificate, key): &(PathBuf, PathBuf)) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["--workers".into(), workers(task).to_string().into()];
    if !task.row.server.contains("--app") {
        words.extend(["--app", "echo"].map(OsString::from));
    }
    let mut own = task.row.server.split_whitespace();
    while let Some(word) = own.next() {
        match word {
            "--workers" => drop(own.next()),
            "--tls" => words.extend([word.into(), certificate.into(), key.into()]),
            _ => words.push(word.into()),
        }
    }
    if let Some((interval, timeout)) = task.heartbeat() {
        let (interval, timeout) = (interval.to_string(), timeout.to_string());
        words.extend(["--ping-interval", &interval, "--ping-timeout", &timeout].map(OsString::from));
    }
    words
}

/// The words of the measure.
fn load_words(task: &Task, rate: Option<f64>, certificate: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    for word in task.load() {
        let is_tls = word == "--tls";
        words.push(word.into());
        words.extend(is_tls.then(|| certificate.into()));
    }
    let warm_up = task.seconds().and_then(|_| task.warm_up());
    let numbers = [
        ("--seconds", task.seconds().map(|seconds| seconds.to_string())),
        ("--warm-up", warm_up.map(|seconds| seconds.to_string())),
        ("--rate", rate.map(|rate| format!("{rate:.0}"))),
    ];
    for (option, number) in numbers {
        words.extend(number.into_iter().flat_map(|number| [option.into(), number.into()]));
    }
    words
}

/// Runs the generator, or our client, on this core.
fn measured(core: &str, program: &PathBuf, words: impl Iterator<Item = OsString>, task: &Task) -> Outcome {
    let mut command = pinned(core);
    command.arg(program).args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let limit = PATIENCE + Duration::from_secs_f64(task.seconds().unwrap_or(0.0));
    match command.spawn().and_then(|child| ended(child, limit)) {
        Ok((status, printed, said)) => judged(status, &printed, &said),
        Err(error) => Outcome::Failed(format!("{}: {error}", program.display())),
    }
}

/// What the program's end and its output mean.
fn judged(status: Option<ExitStatus>, printed: &str, said: &str) -> Outcome {
    let Some(status) = status else {
        return Outcome::Failed("it was stopped: it did not end".to_owned());
    };
    if status.code() == Some(CANNOT) && said.trim().lines().count() == 1 {
        return Outcome::Cannot(sentence(said));
    }
    if !status.success() {
        return Outcome::Failed(format!("{} ({status})", sentence(said)));
    }
    numbers(printed).map_or_else(
        || Outcome::Failed(format!("expected one line of numbers as JSON, got {printed:?}")),
        Outcome::Measured,
    )
}

/// The line that says what is wrong: the one that says so of itself, or the last one.
fn sentence(said: &str) -> String {
    let mut lines = said.trim().lines();
    let error = lines.clone().find(|line| line.starts_with("error: "));
    error.or_else(|| lines.next_back()).unwrap_or("it said nothing").trim().to_owned()
}

/// Reads an object of plain numbers.
fn numbers(printed: &str) -> Option<BTreeMap<String, f64>> {
    let value: Value = serde_json::from_str(printed.trim()).ok()?;
    let numbers = value.as_object()?.iter().map(|(key, number)| Some((key.clone(), number.as_f64()?)));
    numbers.collect::<Option<_>>()
}

/// Waits for the end of a program, whose output fits into a pipe. Without a status it was stopped.
fn ended(mut child: Child, limit: Duration) -> std::io::Result<(Option<ExitStatus>, String, String)> {
    let watch = Stopwatch::start();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if watch.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        pause();
    };
    let (mut printed, mut said) = (String::new(), String::new());
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut printed)?;
    }
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said)?;
    }
    Ok((status, printed, said))
}

/// A server that listens. It ends when this is dropped, and when this program ends: then its input closes.
pub(super) struct Running {
    child: Child,
    port: u16,
}

impl Running {
    pub(super) fn start(core: &str, words: &[OsString]) -> Result<Self, Outcome> {
        let mut command = pinned(core);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |error: std::io::Error| Outcome::Failed(format!("the server did not start: {error}"));
        let mut child = command.spawn().map_err(failed)?;
        let line = first_line(&mut child);
        match line.strip_prefix("listening ").and_then(|port| port.trim().parse().ok()) {
            Some(port) => Ok(Self { child, port }),
            None => Err(Self::refusal(child, &line)),
        }
    }

    /// Why a program that does not listen does not.
    fn refusal(mut child: Child, line: &str) -> Outcome {
        drop(child.stdin.take());
        match ended(child, Duration::from_secs(5)) {
            Ok((Some(status), _, said)) => match judged(Some(status), "", &said) {
                Outcome::Cannot(reason) => Outcome::Cannot(reason),
                _ => Outcome::Failed(format!("the server did not start ({status}): {}", sentence(&said))),
            },
            Ok((None, _, _)) => Outcome::Failed(format!("the server did not say where it listens: {line:?}")),
            Err(error) => Outcome::Failed(format!("the server did not start: {error}")),
        }
    }

    /// The outcome of a measure, or why the server has ended before it, if it has.
    pub(super) fn explaining(mut self, outcome: Outcome) -> Outcome {
        let Outcome::Failed(seen) = outcome else { return outcome };
        let Ok(Some(status)) = self.child.try_wait() else { return Outcome::Failed(seen) };
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        match judged(Some(status), "", &said) {
            Outcome::Cannot(reason) => Outcome::Cannot(reason),
            _ => Outcome::Failed(format!("{seen}; the server had ended ({status}): {}", sentence(&said))),
        }
    }

    /// The option that names its port.
    pub(super) fn port(&self) -> [OsString; 2] {
        ["--port".into(), self.port.to_string().into()]
    }

    /// The option that names its process.
    pub(super) fn id(&self) -> [OsString; 2] {
        ["--pid".into(), self.child.id().to_string().into()]
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first line that a program prints, or nothing if it takes too long. Reading happens on a thread of its own, which
/// ends with the program.
fn first_line(child: &mut Child) -> String {
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = stdout.map(|stdout| BufReader::new(stdout).read_line(&mut line));
        // Nobody waits any more if it took too long.
        let _ = sender.send(read.and_then(Result::ok).map(|_| line));
    });
    receiver.recv_timeout(START_LIMIT).ok().flatten().unwrap_or_default()
}

/// A command on these cores. `taskset` becomes the program that it starts, so the process has the program's id.
pub(super) fn pinned(cores: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", cores]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::{Mode, Plan};

    fn task(row: &str) -> Task {
        let tasks = Plan::new(Mode::Full, &[row.to_owned()], Some(1)).tasks(8);
        *tasks.iter().find(|task| task.row.name == row && task.server == Server::Ours).unwrap()
    }

    fn options(row: &str) -> String {
        let files = (PathBuf::from("cert"), PathBuf::from("key"));
        let words = server_options(&task(row), &files);
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_server_gets_what_every_row_gives_and_what_its_row_adds() {
        assert_eq!(options("echo-1k"), "--workers 1 --app echo");
        assert_eq!(options("workers-2"), "--workers 2 --app echo");
        assert_eq!(options("broadcast"), "--workers 1 --app broadcast");
        assert_eq!(options("tls"), "--workers 1 --app echo --tls cert key");
        assert_eq!(options("silence"), "--workers 1 --app echo --ping-interval 1800 --ping-timeout 1200");
    }

    #[test]
    fn a_measure_that_ends_by_itself_gets_no_duration() {
        let words = |row: &str, rate| load_words(&task(row), rate, Path::new("cert"));
        assert_eq!(words("memory-5000", None), ["memory", "--connections", "5000"]);
        assert!(words("tls", None).starts_with(&["echo", "--tls", "cert"].map(OsString::from)));
        assert!(!words("broadcast", None).contains(&"--warm-up".into()));
        let words = words("latency", Some(1_234.5));
        assert!(words.ends_with(&["--warm-up", "0.1", "--rate", "1234"].map(OsString::from)), "{words:?}");
    }

    fn shell(script: &str) -> (Option<ExitStatus>, String, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        ended(command.spawn().unwrap(), Duration::from_secs(30)).unwrap()
    }

    fn judge(script: &str) -> Outcome {
        let (status, printed, said) = shell(script);
        judged(status, &printed, &said)
    }

    #[test]
    #[cfg(unix)]
    fn what_a_program_says_decides_what_its_end_means() {
        let numbers = BTreeMap::from([("a".to_owned(), 1.5)]);
        assert_eq!(judge("echo '{\"a\": 1.5}'"), Outcome::Measured(numbers));
        assert_eq!(judge("echo no TLS >&2; exit 2"), Outcome::Cannot("no TLS".to_owned()));
        let usage = judge("echo 'error: no --tls' >&2; echo 'try --help' >&2; exit 2");
        assert!(matches!(usage, Outcome::Failed(said) if said.contains("error: no --tls")));
        assert!(matches!(judge("echo broke >&2; exit 1"), Outcome::Failed(said) if said.contains("broke")));
        assert!(matches!(judge("echo words"), Outcome::Failed(said) if said.contains("words")));
        assert!(matches!(judge("echo '{\"a\": \"x\"}'"), Outcome::Failed(_)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_server_is_known_by_the_port_that_it_prints_and_ends_when_it_is_dropped() {
        let words = ["sh", "-c", "echo listening 4711; cat > /dev/null"].map(OsString::from);
        let server = Running::start("0", &words).unwrap_or_else(|outcome| panic!("{outcome:?}"));
        let ([_, port], [_, id]) = (server.port(), server.id());
        assert_eq!(port, "4711");
        let process = PathBuf::from("/proc").join(id);
        assert!(process.exists());
        drop(server);
        assert!(!process.exists());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_measure_that_fails_because_the_server_has_ended_says_why_it_has() {
        let explained = |script: &str| {
            let words = ["sh", "-c", script].map(OsString::from);
            let mut server = Running::start("0", &words).unwrap_or_else(|outcome| panic!("{outcome:?}"));
            drop(server.child.stdin.take());
            let _ = server.child.wait();
            server.explaining(Outcome::Failed("refused".to_owned()))
        };
        let listening = "echo listening 4711";
        let cannot = explained(&format!("{listening}; echo no list >&2; exit 2"));
        assert_eq!(cannot, Outcome::Cannot("no list".to_owned()));
        let Outcome::Failed(said) = explained(&format!("{listening}; echo panicked >&2; exit 101")) else {
            panic!("it is a failure")
        };
        assert!(said.starts_with("refused; the server had ended") && said.ends_with("panicked"), "{said}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_server_that_does_not_listen_says_why() {
        let refused = |script: &str| {
            let words = ["sh", "-c", script].map(OsString::from);
            Running::start("0", &words).err().unwrap()
        };
        assert_eq!(refused("echo no TLS >&2; exit 2"), Outcome::Cannot("no TLS".to_owned()));
        assert!(matches!(refused("echo ill >&2; exit 1"), Outcome::Failed(said) if said.contains("ill")));
        assert!(matches!(refused("echo hello"), Outcome::Failed(_)));
    }
}
