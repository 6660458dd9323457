//! What tasks and threads share their state with. Files of this crate take it from here, except those of the in-memory
//! network, which acts as a kernel does.
//!
//! With `--cfg shuttle`, a scheduler of shuttle chooses before each use of a lock, an atomic or a notification which task
//! goes on, and tests try many orders (`tests/schedules`). tokio's own notification stays in use there.

#[cfg(all(not(shuttle), feature = "server"))]
pub(crate) use core::sync::atomic::{AtomicU64, AtomicUsize};
#[cfg(not(shuttle))]
pub(crate) use {
    core::sync::atomic::{AtomicBool, AtomicU32},
    std::sync::{Mutex, MutexGuard},
    tokio::spawn,
    tokio::sync::Notify,
};

#[cfg(shuttle)]
pub use {
    self::scheduled::{Notify, Runtime, spawn},
    shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize},
    shuttle::sync::{Mutex, MutexGuard, RwLock},
};

#[cfg(shuttle)]
mod scheduled {
    use core::sync::atomic::Ordering;

    use shuttle::sync::atomic::AtomicBool;
    use tokio::sync::futures::Notified;

    /// Runs a future as a task of its own.
    pub fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        drop(shuttle::future::spawn(future));
    }

    /// In place of the handle of a runtime, which would run tasks itself.
    #[derive(Clone, Debug)]
    pub struct Runtime;

    impl Runtime {
        /// The scheduler of the scenario.
        #[must_use]
        pub fn current() -> Self {
            Self
        }

        /// The scheduler of the scenario, always.
        #[expect(clippy::missing_errors_doc, clippy::unnecessary_wraps, reason = "as the function of tokio")]
        pub fn try_current() -> Result<Self, tokio::runtime::TryCurrentError> {
            Ok(Self)
        }

        /// Runs a future as a task of its own.
        pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
            spawn(future);
        }
    }

    /// [`tokio::sync::Notify`], before each use of which other tasks may run.
    #[derive(Debug, Default)]
    pub struct Notify {
        notify: tokio::sync::Notify,
        turn: AtomicBool,
    }

    impl Notify {
        /// Makes one.
        #[must_use]
        pub fn new() -> Self {
            Self::default()
        }

        /// Waits for a notification, from now on.
        pub fn notified(&self) -> Notified<'_> {
            self.let_others_run();
            self.notify.notified()
        }

        /// Notifies one that waits, or the next one.
        pub fn notify_one(&self) {
            self.let_others_run();
            self.notify.notify_one();
        }

        /// Notifies all that wait.
        pub fn notify_waiters(&self) {
            self.let_others_run();
            self.notify.notify_waiters();
        }

        fn let_others_run(&self) {
            self.turn.load(Ordering::SeqCst);
        }
    }
}

/// Checks now and after every signal, until it is so.
#[cfg(feature = "server")]
pub(crate) async fn signalled_until(signal: &Notify, is_so: impl Fn() -> bool) {
    loop {
        // Registered before the check, so that a signal in between is not missed.
        let signalled = signal.notified();
        tokio::pin!(signalled);
        signalled.as_mut().enable();
        if is_so() {
            return;
        }
        signalled.await;
    }
}
