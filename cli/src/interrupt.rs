//! Ctrl-C and SIGTERM.

use std::io;

/// The exit code of an interrupted program: 128 plus the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Receives SIGINT, which Ctrl-C sends, and SIGTERM, which `kill` and service managers send.
pub(crate) struct Interrupts {
    /// The latest one was put back.
    put_back: bool,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    /// From here on, the signals no longer end the program.
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            put_back: false,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on Unix")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { put_back: false })
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        if !core::mem::take(&mut self.put_back) {
            self.receive().await;
        }
    }

    /// Makes [`next`](Self::next) return the latest signal again.
    pub(crate) fn put_back(&mut self) {
        self.put_back = true;
    }

    #[cfg(unix)]
    async fn receive(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn receive(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            core::future::pending().await
        }
    }
}
