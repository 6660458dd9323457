//! Other people's servers, each in a process of its own, on a port and in a folder of its own.

use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use core::time::Duration;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::{Log, PATIENCE};
use crate::signal::send_signal;

/// A running server. Dropping it kills the program, and the processes that it has started.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts a program, and waits until it listens on its port. What it prints goes to the log.
    ///
    /// # Panics
    /// When it does not start, ends, or does not listen soon.
    pub async fn start(mut command: Command, who: &'static str, port: u16, log: &Log) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{who} is not installed: {error}"));
        keep_lines(child.stdout.take().expect("a pipe was asked for"), who, log);
        keep_lines(child.stderr.take().expect("a pipe was asked for"), who, log);
        let listens = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            status = child.wait() => panic!("{who} ended: {status:?}"),
            listens = tokio::time::timeout(PATIENCE, listens) => listens.expect("it listens soon"),
        }
        Self { child }
    }

    /// Ends it by SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }

    /// Sends it a signal, such as `STOP`.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, signal: &str) {
        send_signal(signal, self.child.id().expect("it runs"));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(group) = self.child.id() {
            // It may be ending by itself.
            let _ = std::process::Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).status();
        }
    }
}

fn keep_lines(output: impl AsyncRead + Send + Unpin + 'static, who: &'static str, log: &Log) {
    let mut lines = BufReader::new(output).lines();
    let log = log.clone();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            log.line(who, &line);
        }
    });
}

/// A temporary folder, which is removed when it is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes an empty one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder, which no default does")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("eio-tests-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and returns where it is.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a folder of one's own");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A port below those that the system chooses, so that nobody gets it before the server listens.
///
/// # Panics
/// Never, in fact: the number of a process is small when it is divided.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + u16::try_from(std::process::id() % 100).expect("a small number") * 100;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
