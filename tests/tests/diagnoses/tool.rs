//! The tool, `eio connect`, as a script runs it.

use core::time::Duration;
use std::process::Stdio;

use eio_tests::built;
use eio_tests::interop::{Log, soon};
use eio_tests::signal::send_signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::page;

/// A running `eio connect --json`. Dropping it kills the program.
pub(crate) struct Tool {
    child: Child,
    events: UnboundedReceiver<Value>,
    log: Log,
}

impl Tool {
    /// Starts it with these arguments.
    pub(crate) fn start(arguments: &[&str], log: &Log) -> Self {
        Self::start_inside(&[], arguments, log)
    }

    /// Starts it by another program, which runs what follows its arguments.
    pub(crate) fn start_inside(wrapper: &[&str], arguments: &[&str], log: &Log) -> Self {
        let eio = built::eio();
        let eio = eio.to_str().expect("a path in UTF-8");
        let words = [wrapper, &[eio, "connect", "--json"], arguments].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in ["http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        let mut child = command.kill_on_drop(true).spawn().expect("the tool starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe was asked for")).lines();
        let (tell, events) = mpsc::unbounded_channel();
        let log_of_lines = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log_of_lines.line("eio", &line);
                let _ = tell.send(serde_json::from_str(&line).expect("a line of JSON"));
            }
        });
        Self { child, events, log: log.clone() }
    }

    /// Waits for the next event of this kind.
    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        loop {
            let event = soon(kind, self.events.recv()).await.unwrap_or_else(|| panic!("no {kind} came"));
            if event["event"] == kind {
                return event;
            }
        }
    }

    /// Sends a line.
    pub(crate) async fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("a pipe was asked for");
        input.write_all(format!("{line}\n").as_bytes()).await.expect("the tool reads");
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        send_signal(signal, self.child.id().expect("the tool runs"));
    }

    /// Ends it as Ctrl-C does. Nothing ended the session before, which has the diagnosis `name`.
    pub(crate) async fn leaves(self, name: &str) -> Value {
        self.signal("INT");
        self.ends(name, 0).await
    }

    /// Waits for the end, and checks it: its diagnosis and its exit code, which are on the page in these words.
    pub(crate) async fn ends(self, name: &str, code: i64) -> Value {
        self.ends_with(name, &[code]).await
    }

    /// Does the same where a race decides between exit codes.
    pub(crate) async fn ends_with(mut self, name: &str, codes: &[i64]) -> Value {
        let close = self.event("close").await;
        let status = soon("the tool to exit", self.child.wait()).await.expect("it can be waited for");
        assert_eq!(close["diagnosis"], name, "{close:#}");
        let code = close["exit_code"].as_i64().expect("a number");
        assert!(codes.contains(&code), "{close:#}");
        assert_eq!(status.code().map(i64::from), Some(code));
        let row = page::row(name);
        assert!(row.codes.contains(&code), "docs/diagnoses.md says {:?} for {name}, not {code}", row.codes);
        for (member, template) in [("meaning", &row.means), ("advice", &row.advice)] {
            let printed = close[member].as_str().expect("text");
            assert!(page::fits(printed, template), "{printed:?} is not {template:?}");
        }
        self.log.line("test", &format!("ended as it should: {name}"));
        close
    }
}

/// Runs it to its end, and checks that.
pub(crate) async fn ends(arguments: &[&str], name: &str, code: i64, log: &Log) -> Value {
    Tool::start(arguments, log).ends(name, code).await
}

/// Joins a namespace, and leaves. Nothing is wrong.
pub(crate) async fn joins(arguments: &[&str], log: &Log) {
    let mut tool = Tool::start(arguments, log);
    tool.event("joined").await;
    tool.leaves("closed").await;
}

/// Waits, where nothing but time ends what a test waits for.
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
