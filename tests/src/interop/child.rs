//! Another program, run as a child that speaks lines of JSON.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::Log;

/// Where other people's programs are.
#[must_use]
pub fn interop_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop")
}

/// A running program. Dropping it kills the program.
#[derive(Debug)]
pub struct Child {
    child: tokio::process::Child,
    commands: UnboundedSender<Value>,
}

impl Child {
    /// Starts a program; its events arrive in the channel.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(
        mut command: Command,
        who: &'static str,
        log: &Log,
    ) -> (Self, UnboundedReceiver<Map<String, Value>>) {
        command.current_dir(interop_folder());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let mut input = child.stdin.take().expect("a pipe was asked for");
        let output = child.stdout.take().expect("a pipe was asked for");
        let errors = child.stderr.take().expect("a pipe was asked for");
        let (commands, mut to_write) = mpsc::unbounded_channel::<Value>();
        let (to_read, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(command) = to_write.recv().await {
                if input.write_all(format!("{command}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        let log_of_output = log.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                log_of_output.line(who, &line);
                if let Ok(Value::Object(event)) = serde_json::from_str(&line)
                    && to_read.send(event).is_err()
                {
                    return;
                }
            }
        });
        let log_of_errors = log.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(errors).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                log_of_errors.line(who, &format!("(stderr) {line}"));
            }
        });
        (Self { child, commands }, events)
    }

    /// Where commands go.
    #[must_use]
    pub fn commands(&self) -> UnboundedSender<Value> {
        self.commands.clone()
    }

    /// The process's id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it by SIGKILL: no handler runs, the kernel closes its connections.
    pub async fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }
}
