//! The life of a session, for both roles: the task that drives it, and what that shares with everybody else.

pub(crate) mod close_frames;
pub(crate) mod departing;
pub(crate) mod driver;
pub(crate) mod end;
pub(crate) mod engine;
pub(crate) mod guard;
pub(crate) mod handle;
pub(crate) mod happening;
pub(crate) mod kind;
pub(crate) mod limits;
pub(crate) mod machine;
pub(crate) mod mailbox;
pub mod metrics;
pub(crate) mod outbox;
pub(crate) mod progress;
pub(crate) mod queue;
pub(crate) mod receiver;
pub(crate) mod requests;
pub(crate) mod send;
pub(crate) mod shared;
pub(crate) mod silence;
#[cfg(feature = "stream")]
pub(crate) mod sink;
pub(crate) mod span;
pub(crate) mod upgrade;
pub(crate) mod waiting;
