//! The settings of a server for its sessions.

use core::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use eio_core::settings::ServerSettings;

use crate::server::observer::Observer;
use crate::server::socket::{Sender, Socket};
use crate::session::end::Disconnect;
use crate::session::mailbox::Limits;
use crate::wire::message::Message;

/// The application of one session.
pub(crate) type Application = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs after a session and its application have ended.
pub(crate) type OnDisconnect = Arc<dyn Fn(Sender, Disconnect) -> Application + Send + Sync>;

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
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) on_disconnect: Option<OnDisconnect>,
    pub(crate) application: Box<dyn Fn(Socket) -> Application + Send + Sync>,
}
