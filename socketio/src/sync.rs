//! What tasks and threads share their state with, as in `eio-tokio`: where tests choose which task goes on
//! (`--cfg shuttle`), they do so here, too.

#[cfg(all(not(shuttle), feature = "server"))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
#[cfg(shuttle)]
pub(crate) use eio_tokio::sync::*;
#[cfg(all(not(shuttle), feature = "cluster"))]
pub(crate) use tokio::spawn;
#[cfg(all(not(shuttle), feature = "client"))]
pub(crate) use tokio::sync::Notify;
#[cfg(not(shuttle))]
pub(crate) use {
    std::sync::{Mutex, MutexGuard},
    tokio::runtime::Handle as Runtime,
};
