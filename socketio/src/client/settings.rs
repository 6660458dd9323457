//! The settings of a client, as its connection uses them.

use core::time::Duration;
use std::sync::Arc;

use eio_tokio::{Backoff, Reconnecting};

use crate::client::credentials::Credentials;
use crate::client::outbox::Limit;
use crate::parser::Parser;

/// Changes how sessions are opened one after another.
pub(super) type Reconnection = Box<dyn Fn(Reconnecting) -> Reconnecting + Send + Sync>;

/// How often an event is sent until it is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retries {
    /// How often it is sent again.
    pub(super) count: u32,
    /// How long the client waits for each answer.
    pub(super) timeout: Duration,
}

/// The settings of a client.
pub(super) struct Settings {
    /// Whether the server is one of Socket.IO 2.
    pub(super) is_old: bool,
    pub(super) connect_timeout: Duration,
    pub(super) backoff: Backoff,
    pub(super) max_attempts: Option<u32>,
    pub(super) reconnects: bool,
    pub(super) reconnection: Option<Reconnection>,
    pub(super) credentials: Credentials,
    pub(super) inbox: Limit,
    /// `None` if nothing is kept while the client is away.
    pub(super) away: Option<Limit>,
    pub(super) ack_timeout: Option<Duration>,
    pub(super) retries: Option<Retries>,
    pub(super) parser: Arc<dyn Parser>,
}

impl Settings {
    /// Returns what opens sessions.
    pub(super) fn sessions(&self, engine: &eio_tokio::Client) -> Reconnecting {
        let mut sessions = engine.reconnecting(self.backoff.clone());
        if let Some(attempts) = if self.reconnects { self.max_attempts } else { Some(1) } {
            sessions = sessions.max_attempts(attempts);
        }
        match &self.reconnection {
            Some(change) => change(sessions),
            None => sessions,
        }
    }
}
