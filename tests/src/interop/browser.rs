//! Chromium, without a screen.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::process::Command;

use super::{Child, Log};

/// Nothing that would ask other servers, or need a screen, a sandbox or the system's services.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
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
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::SeqCst);
        let profile = std::env::temp_dir().join(format!("eio-browser-{}-{number}", std::process::id()));
        let mut command = Command::new(std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned()));
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.display())).arg(url).process_group(0);
        let (child, _) = Child::start(command, "browser", log);
        Self { child, profile }
    }

    /// Sends a signal, such as `STOP`, to all of its processes.
    ///
    /// # Panics
    /// Panics if the browser has ended.
    pub fn signal(&self, signal: &str) {
        let group = self.child.id().expect("the browser runs");
        let signalled = std::process::Command::new("kill")
            .args([&format!("-{signal}"), "--", &format!("-{group}")])
            .status()
            .expect("there is `kill`");
        assert!(signalled.success(), "kill -{signal}: {signalled}");
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
