//! The life of a session: its task, its mailbox, and the handles of applications.

pub(crate) mod broadcast;
pub(crate) mod candidate;
pub(crate) mod config;
pub(crate) mod grace;
pub(crate) mod guard;
pub(crate) mod hub;
pub(crate) mod lingering;
pub(crate) mod mailbox;
pub mod metrics;
pub(crate) mod notice;
pub(crate) mod observer;
pub(crate) mod passes;
pub(crate) mod socket;
pub(crate) mod state;
pub(crate) mod task;
pub(crate) mod waiting;
