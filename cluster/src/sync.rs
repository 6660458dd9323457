//! What tasks and threads share their state with, as in `eio-tokio`: where tests choose which task goes on
//! (`--cfg shuttle`), they do so here, too.

#[cfg(shuttle)]
pub(crate) use eio_tokio::sync::*;
#[cfg(not(shuttle))]
pub(crate) use {
    core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64},
    std::sync::{Mutex, MutexGuard, RwLock},
    tokio::spawn,
    tokio::sync::Notify,
};
