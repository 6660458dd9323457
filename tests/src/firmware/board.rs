//! A board: one QEMU, its cable, its log.

use core::fmt::Write as _;
use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use defmt_decoder::Table;
use serde_json::json;

use super::log::{Line, decode};
use super::qmp::Qmp;
use crate::built::target_directory;

/// The right to run a board. There are four: a board mostly sleeps and takes 3 % of a processor, but many emulated machines
/// that wake at the same moment would make each other late.
#[derive(Debug)]
pub struct Power(());

/// How many boards may be switched on.
static FREE: Mutex<u32> = Mutex::new(4);
static SWITCHED_OFF: Condvar = Condvar::new();

impl Power {
    /// Waits until fewer than four other boards run.
    #[must_use]
    pub fn on() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            SWITCHED_OFF.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Self(())
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        SWITCHED_OFF.notify_one();
    }
}

/// A running board. It is switched off when dropped, and then, if a test is failing, its log is printed.
pub struct Board {
    child: Child,
    lines: Receiver<Line>,
    seen: Vec<Line>,
    qmp: Qmp,
    socket: PathBuf,
    _power: Power,
}

impl Board {
    /// Starts the image `name` of `embedded-example/`, with its command line.
    ///
    /// # Panics
    /// When there is no such image (`cargo xtask test firmware` builds it), or no QEMU.
    #[must_use]
    pub fn start(power: Power, name: &str, arguments: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let image = image(name);
        let elf = fs::read(&image).unwrap_or_else(|error| {
            panic!("{}: {error}; `cargo xtask test firmware` builds it", image.display());
        });
        let table = Table::parse(&elf).expect("an ELF file").expect("a table of log strings");
        let socket = std::env::temp_dir().join(format!(
            "eio-board-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        let mut child = Command::new("qemu-system-arm")
            .args(["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "null"])
            .args(["-semihosting-config", "enable=on,target=native"])
            // Between the board and the world stands a switch, so that there are two cables to pull.
            .args(["-nic", "hubport,id=plug,hubid=0,model=lan9118"])
            .args(["-netdev", "user,id=world", "-netdev", "hubport,id=uplink,hubid=0,netdev=world"])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", socket.display())])
            .args(["-append", arguments, "-kernel"])
            .arg(&image)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-system-arm can be started");
        let stdout = child.stdout.take().expect("piped above");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || decode(&table, stdout, &sender));
        let qmp = match Qmp::connect(&socket) {
            Ok(qmp) => qmp,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("QEMU's control socket: {error}");
            }
        };
        Self { child, lines, seen: Vec::new(), qmp, socket, _power: power }
    }

    /// Waits for the next line of the log that contains `text`.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn expect(&mut self, text: &str, within: Duration) -> Line {
        self.wait(text, within, |line| line.text.contains(text))
    }

    /// Waits for the next line that `wanted` accepts.
    ///
    /// # Panics
    /// When none comes in time, or the board reports an error first.
    pub fn wait(&mut self, what: &str, within: Duration, wanted: impl Fn(&Line) -> bool) -> Line {
        let deadline = now() + within;
        loop {
            let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(now())) else {
                panic!("the board did not log {what:?} within {within:?}");
            };
            self.seen.push(line.clone());
            if wanted(&line) {
                return line;
            }
            assert_ne!(line.level, "error", "the board reports: {}", line.text);
        }
    }

    /// Everything logged until now.
    pub fn log(&mut self) -> &[Line] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    /// What [`log`](Self::log), or waiting for a line, has taken in until now.
    #[must_use]
    pub fn seen(&self) -> &[Line] {
        &self.seen
    }

    /// Cuts the line behind the switch, or mends it: packets vanish, and the board's Ethernet controller sees nothing.
    ///
    /// # Panics
    /// When QEMU refuses.
    pub fn set_line(&mut self, up: bool) {
        self.set_link("world", up);
    }

    /// Pulls the cable out of the board, or plugs it in: its Ethernet controller sees that.
    ///
    /// # Panics
    /// When QEMU refuses.
    pub fn set_plug(&mut self, up: bool) {
        self.set_link("plug", up);
    }

    fn set_link(&mut self, name: &str, up: bool) {
        let command = json!({"execute": "set_link", "arguments": {"name": name, "up": up}});
        self.qmp.execute(&command).expect("QEMU sets the link");
    }

    /// Whether the firmware has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the firmware ends by itself, and returns its exit code.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn exit_code(&mut self, within: Duration) -> i32 {
        let deadline = now() + within;
        let status: ExitStatus = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if now() < deadline => pause(Duration::from_millis(20)),
                other => panic!("the firmware did not end within {within:?}: {other:?}"),
            }
        };
        // The log's last lines.
        self.seen.extend(self.lines.iter());
        status.code().expect("QEMU was not killed")
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.socket);
        if thread::panicking() {
            let mut text = String::from("the board's log:\n");
            for line in self.log() {
                let _ = writeln!(text, "{line}");
            }
            eprint!("{text}");
        }
    }
}

/// Where the image is: in the folder that `EIO_IMAGES` names, or where cargo puts it.
fn image(name: &str) -> PathBuf {
    let folder = std::env::var_os("EIO_IMAGES").map_or_else(
        || target_directory("embedded-example/Cargo.toml").join("thumbv7em-none-eabihf/release"),
        PathBuf::from,
    );
    folder.join(name)
}

#[expect(clippy::disallowed_methods, reason = "how long a real process may take is measured on a real clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Waits, where nothing tells when something outside has happened.
#[expect(clippy::disallowed_methods, reason = "nothing tells when another process is done")]
pub fn pause(time: Duration) {
    thread::sleep(time);
}
