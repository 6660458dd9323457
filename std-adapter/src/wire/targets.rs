//! The targets of what is logged. Filters of applications name them, so they are documented, in the guide's chapter on logs,
//! and do not change with the modules.

/// The life of a server's sessions, and the span of each.
pub(crate) const SESSION: &str = "eio_tokio::session";
/// The heartbeats of a server's sessions.
pub(crate) const HEARTBEAT: &str = "eio_tokio::heartbeat";
/// The messages that a server receives.
pub(crate) const MESSAGE: &str = "eio_tokio::message";
/// The requests that a server refuses.
pub(crate) const REQUEST: &str = "eio_tokio::request";
/// The connections that a server accepts, refuses or ends.
pub(crate) const CONNECTION: &str = "eio_tokio::connection";
/// Everything about clients.
pub(crate) const CLIENT: &str = "eio_tokio::client";
