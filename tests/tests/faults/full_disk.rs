//! The tool, `eio`, with its output on a disk that fills up.

use core::time::Duration;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use eio_tests::built;
use eio_tests::interop::{Case, free_port};
use eio_tokio::{Client, ClientSocket};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// How long anything may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("a full disk under its log leaves eio serve at work, and room brings the log back", |_| {
            serve()
        }),
        Case::new("a full disk under eio connect closes its session with code 1", |_| connect()),
        Case::new("a full disk under what eio only prints is code 1", |_| only_printed()),
    ]
}

/// A small disk of its own, with a file that can be taken away to make room.
struct Disk {
    folder: PathBuf,
    size: usize,
}

impl Disk {
    const SMALL: usize = 64 << 10;
    const LARGE: usize = 16 << 20;

    fn mount(name: &str, size: usize) -> Self {
        let folder = std::env::temp_dir().join(format!("eio-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
            .arg(&folder)
            .status()
            .expect("mount is not installed");
        assert!(mounted.success(), "a disk of one's own needs root");
        Self { folder, size }
    }

    /// Leaves no byte free.
    fn fill(&self) {
        // The end is that there is no room.
        let _ = std::fs::write(self.ballast(), vec![b'x'; self.size]);
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whatever still writes there does so until it ends.
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.folder).status();
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// The tool, with its output in a file.
struct Tool {
    child: Child,
    complaints: Lines<BufReader<ChildStderr>>,
}

impl Tool {
    fn start(arguments: &[&str], log: &Path) -> Self {
        let mut child = Command::new(built::eio())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(File::create(log).unwrap())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let complaints = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, complaints }
    }

    /// The next line on standard error.
    async fn complains(&mut self) -> Option<String> {
        tokio::time::timeout(SOON, self.complaints.next_line()).await.expect("it says nothing").unwrap()
    }

    async fn exit_code(&mut self) -> Option<i32> {
        tokio::time::timeout(SOON, self.child.wait()).await.expect("it does not end").unwrap().code()
    }

    async fn must_end_for_the_disk(mut self) {
        assert_eq!(self.exit_code().await, Some(1));
        assert_eq!(self.complains().await.as_deref(), Some(NOT_WRITTEN));
    }
}

/// How often is looked at what tells nothing by itself.
const TICK: Duration = Duration::from_millis(20);

const NOT_WRITTEN: &str = "eio: cannot write to standard output: No space left on device (os error 28)";

fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Connects as soon as somebody listens.
async fn session(address: &str) -> ClientSocket {
    let client = Client::builder(format!("ws://{address}")).build().unwrap();
    for _ in 0..SOON.as_millis() / TICK.as_millis() {
        if let Ok(socket) = client.connect().await {
            return socket;
        }
        tokio::time::sleep(TICK).await;
    }
    panic!("nobody listens on {address}");
}

async fn echoed(session: &mut ClientSocket, text: &str) {
    session.send(text.to_owned()).await.unwrap();
    let echo = tokio::time::timeout(SOON, session.recv()).await.expect("no echo").unwrap();
    assert_eq!(echo.as_text(), Some(text));
}

/// Waits for a line in the log that holds all of this.
async fn said(log: &Path, parts: &[&str]) {
    for _ in 0..SOON.as_millis() / TICK.as_millis() {
        let text = std::fs::read_to_string(log).unwrap();
        if text.lines().any(|line| parts.iter().all(|part| line.contains(part))) {
            return;
        }
        tokio::time::sleep(TICK).await;
    }
    panic!("{} has no line with {parts:?}", log.display());
}

async fn serve() {
    let disk = Disk::mount("serve", Disk::SMALL);
    disk.fill();
    let address = free_address();
    let arguments = [
        "serve",
        "--json",
        "--echo",
        "--listen",
        &address,
        "--ping-interval",
        "50ms",
        "--ping-timeout",
        "10s",
    ];
    let mut tool = Tool::start(&arguments, &disk.log());
    let complaint = tool.complains().await.unwrap();
    assert!(complaint.starts_with(NOT_WRITTEN), "{complaint}");
    let mut client = session(&address).await;
    echoed(&mut client, "while the disk is full").await;
    disk.make_room();
    assert_eq!(tool.complains().await.as_deref(), Some("eio: writing to standard output works again"));
    // The heartbeats alone fill it up again, in the middle of a line.
    disk.fill();
    let complaint = tool.complains().await.unwrap();
    assert!(complaint.starts_with(NOT_WRITTEN), "{complaint}");
    disk.make_room();
    assert_eq!(tool.complains().await.as_deref(), Some("eio: writing to standard output works again"));
    echoed(&mut client, "when there is room").await;
    tool.child.start_kill().unwrap();
    let _ = tool.child.wait().await;
    let log = std::fs::read_to_string(disk.log()).unwrap();
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    let events: Vec<serde_json::Value> = whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert_eq!(events[0]["event"], "listening", "what waited is written");
    assert!(!events.iter().any(|event| event["event"] == "lost"), "a short time loses nothing");
}

async fn connect() {
    let disk = Disk::mount("connect", Disk::SMALL);
    let server_log = Disk::mount("connect-server", Disk::LARGE);
    let address = free_address();
    let _server =
        Tool::start(&["serve", "--json", "--listen", &address, "--ping-interval", "50ms"], &server_log.log());
    drop(session(&address).await);
    let url = format!("ws://{address}");
    let tool = Tool::start(&["connect", "--json", &url], &disk.log());
    said(&disk.log(), &["\"event\":\"open\""]).await;
    disk.fill();
    tool.must_end_for_the_disk().await;
    // It has closed in order: a connection that broke would be another reason.
    said(&server_log.log(), &["\"session\":2", "\"reason\":\"transport close\""]).await;
}

async fn only_printed() {
    let disk = Disk::mount("printed", Disk::SMALL);
    disk.fill();
    for arguments in [&["simulate"][..], &["--help"], &["connect", "--help"], &["--version"]] {
        Tool::start(arguments, &disk.log()).must_end_for_the_disk().await;
    }
}
