//! Ctrl-C.

use std::io;

/// The exit code of a program that was interrupted: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// Ctrl-C, and what `kill` and service managers send.
pub(crate) struct Interrupts {
    /// One was put back.
    again: bool,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    /// From here on they no longer end the program by themselves.
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            again: false,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { again: false })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        if !core::mem::take(&mut self.again) {
            self.receive().await;
        }
    }

    /// Has [`next`](Self::next) return the latest one once more.
    pub(crate) fn put_back(&mut self) {
        self.again = true;
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
