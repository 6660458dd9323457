//! The settings of a server for its sessions.

use std::time::Duration;

use eio_core::settings::ServerSettings;

use crate::session::limits::Limits;
use crate::wire::message::Message;

/// The settings of a server for its sessions.
pub(crate) struct SessionConfig {
    /// The heartbeat, liveness, payload limits and timeouts. A session may have its own periods.
    pub(crate) settings: ServerSettings,
    pub(crate) first_ping_jitter: Duration,
    pub(crate) max_sessions: usize,
    pub(crate) limits: Limits,
    /// The largest number of packets in the answer to a poll.
    pub(crate) max_packets_per_payload: usize,
    pub(crate) initial_packet: Option<Message>,
}
