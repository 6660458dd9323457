//! Chromium, without a screen.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::{Child, Log, soon};
use crate::signal::send_signal_to_group;

/// Nothing that would ask other servers, or need a screen, a sandbox or the system's services.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // A free one, for what only its debugger does.
    "--remote-debugging-port=0",
];

/// A running browser: a group of processes. Dropping it kills them all.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    profile: PathBuf,
}

impl Browser {
    /// Starts a browser with a new profile, which loads the page at this URL. `CHROMIUM` names the program, if it is not
    /// `chromium`.
    ///
    /// # Panics
    /// Panics if it does not start.
    #[must_use]
    pub fn start(url: &str, log: &Log) -> Self {
        Self::start_inside(&[], url, log)
    }

    /// The same, run by another command if there is one, such as that of a [network](super::Network::inside).
    ///
    /// # Panics
    /// Panics if it does not start.
    #[must_use]
    pub fn start_inside(inside: &[&str], url: &str, log: &Log) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::SeqCst);
        let profile = std::env::temp_dir().join(format!("eio-browser-{}-{number}", std::process::id()));
        let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let mut words = inside.iter().copied().chain([chromium.as_str()]);
        let mut command = Command::new(words.next().expect("the browser's name"));
        command.args(words).args(FLAGS).arg(format!("--user-data-dir={}", profile.display())).arg(url);
        command.process_group(0);
        let (child, _) = Child::start(command, "browser", log);
        Self { child, profile }
    }

    /// The process that has started all others.
    ///
    /// # Panics
    /// Panics if the browser has ended.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("the browser runs")
    }

    /// The processes in which pages run.
    #[must_use]
    pub fn renderers(&self) -> Vec<u32> {
        let group = self.id().to_string();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let is_renderer = |process: &u32| {
            let read =
                |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
            // Behind the program's name, which is in brackets: its state, its parent, its group.
            let stat = read("stat");
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(2)) == Some(&group)
                && read("cmdline").contains("--type=renderer")
        };
        processes
            .filter_map(|process| process.file_name().to_str()?.parse().ok())
            .filter(is_renderer)
            .collect()
    }

    /// Opens a tab.
    ///
    /// # Panics
    /// Panics if the browser does not answer.
    pub async fn open_tab(&self, url: &str) {
        // In a query, an `&` would end it.
        let url = url.replace('%', "%25").replace('&', "%26");
        self.ask(&format!("PUT /json/new?{url}")).await;
    }

    /// Closes the tab whose URL contains `text`, as a person does. Another one must keep the browser open.
    ///
    /// # Panics
    /// Panics if there is none.
    pub async fn close_tab(&self, text: &str) {
        let tabs = self.tabs().await;
        let tab = tabs.iter().find(|tab| tab["url"].as_str().is_some_and(|url| url.contains(text)));
        let id = tab.and_then(|tab| tab["id"].as_str());
        let id = id.unwrap_or_else(|| panic!("no tab with {text} in {tabs:?}"));
        self.ask(&format!("GET /json/close/{id}")).await;
    }

    /// Waits until the title of a tab contains `text`.
    ///
    /// # Panics
    /// Panics if none does.
    pub async fn titled(&self, text: &str) {
        let looks = async {
            let has_title = |tab: &Value| tab["title"].as_str().is_some_and(|title| title.contains(text));
            while !self.tabs().await.iter().any(has_title) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        soon(&format!("a tab with the title `{text}`"), Box::pin(looks)).await;
    }

    async fn tabs(&self) -> Vec<Value> {
        let tabs: Value = serde_json::from_str(&self.ask("GET /json/list").await).expect("a list of tabs");
        tabs.as_array().expect("a list of tabs").clone()
    }

    /// What the browser's debugger answers.
    async fn ask(&self, what: &str) -> String {
        let file = self.profile.join("DevToolsActivePort");
        let port: u16 = soon("the browser's debugger", async {
            loop {
                let written = std::fs::read_to_string(&file).unwrap_or_default();
                if let Some(port) = written.lines().next().and_then(|line| line.parse().ok()) {
                    return port;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        soon("the browser's debugger to answer", request(port, what)).await.expect("it answers")
    }

    /// Sends a signal, such as `STOP`, to all of its processes.
    ///
    /// # Panics
    /// Panics if the browser has ended.
    pub fn signal(&self, signal: &str) {
        send_signal_to_group(signal, self.id());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            self.signal("KILL");
        }
        // What it still writes while it dies is left behind.
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// The body of the response to a request without a body.
async fn request(port: u16, what: &str) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    let head = format!("{what} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.get_mut().write_all(head.as_bytes()).await?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}
