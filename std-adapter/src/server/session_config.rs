//! The settings of a server for its sessions.

use std::time::Duration;

use eio_core::settings::ServerSettings;

use crate::session::limits::Limits;
use crate::wire::message::Message;
use crate::wire::node::Node;

/// The settings of a server for its sessions.
pub(crate) struct SessionConfig {
    /// The heartbeat, liveness, payload limits and timeouts. A session may have its own periods.
    pub(crate) settings: ServerSettings,
    pub(crate) first_ping_jitter: Duration,
    pub(crate) max_sessions: usize,
    /// The name of this node, with which the identifiers of its sessions begin.
    pub(crate) node: Option<Node>,
    /// How many sessions that have ended are remembered.
    pub(crate) remember_ended: usize,
    pub(crate) limits: Limits,
    /// The largest number of packets in the answer to a poll.
    pub(crate) max_packets_per_payload: usize,
    pub(crate) initial_packet: Option<Message>,
}
